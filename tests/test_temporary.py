"""Temporary folders: gone with their block, and after a kill with the next run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from supavex.temporary import remove_abandoned, temporary_folder

HELD = (
    "import sys, time; from supavex.temporary import temporary_folder\n"
    "with temporary_folder('dry', sys.argv[1]) as folder:\n"
    "    (folder / 'rows').write_text('x'); print(folder, flush=True); time.sleep(600)"
)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    with temporary_folder("dry", str(tmp_path)) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_the_next_run_removes_what_a_kill_left_and_nothing_that_is_in_use(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", HELD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen([sys.executable, "-c", HELD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as alive,
    ):
        assert killed.stdout is not None
        assert alive.stdout is not None
        left, used = Path(killed.stdout.readline().strip()), Path(alive.stdout.readline().strip())
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        old = time.time() - 60
        for folder in (left, used):
            os.utime(folder / ".owner", (old, old))
        assert left.is_dir()
        with temporary_folder("export", str(tmp_path)) as folder:
            assert names(tmp_path) == sorted([used.name, folder.name])
        alive.kill()


def test_folders_of_versions_without_a_lock_go_after_a_day(tmp_path: Path) -> None:
    new, old, other = (tmp_path / name for name in ("supavex-proof-a", "supavex-archive-b", "supavex-mine"))
    for folder in (new, old, other):
        folder.mkdir()
    past = time.time() - 2 * 24 * 3600
    for folder in (old, other):
        os.utime(folder, (past, past))
    (tmp_path / "supavex-dry-link").symlink_to(other)
    assert remove_abandoned(tmp_path) == 1
    assert names(tmp_path) == sorted([new.name, other.name, "supavex-dry-link"])
