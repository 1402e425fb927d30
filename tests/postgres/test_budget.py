"""What a replay may take of a machine: the files are untrusted."""

from pathlib import Path

import pytest

from supavex.errors import SupavexError
from supavex.postgres.budget import Limits, folder_size
from supavex.postgres.run_files import replay_files
from tests.databases import Database

FILL = "CREATE TABLE full_disk AS SELECT repeat(md5(n::text), 100) AS t FROM generate_series(1, 100000000) AS n;"
LOG = "DO $$ BEGIN LOOP RAISE LOG '%', repeat('x', 100000); END LOOP; END $$;"
SPIN = "DO $$ BEGIN LOOP END LOOP; END $$;"


@pytest.mark.parametrize(
    ("sql", "limits", "code", "setting"),
    [
        (FILL, Limits(gigabytes=0.05), "ReplayTooLarge", "replay_gb"),
        (LOG, Limits(gigabytes=0.05), "ReplayTooLarge", "replay_gb"),
        (SPIN, Limits(minutes=0.02), "ReplayTooSlow", "replay_minutes"),
        ("SELECT pg_sleep(0.1);" * 400, Limits(minutes=0.02), "ReplayTooSlow", "replay_minutes"),
    ],
)
def test_files_that_take_too_much_are_stopped(
    database: Database, tmp_path: Path, sql: str, limits: Limits, code: str, setting: str
) -> None:
    (tmp_path / "1.sql").write_text(sql)
    with pytest.raises(SupavexError) as caught:
        replay_files(database, [tmp_path / "1.sql"], limits)
    assert caught.value.code == code
    assert setting in (caught.value.hint or "")


def test_large_files_may_take_more() -> None:
    limits = Limits(gigabytes=1, minutes=1)
    assert limits.bytes_for(0) == 1 << 30
    assert limits.bytes_for(1 << 30) == 20 << 30
    assert (limits.seconds_for(0), limits.seconds_for(600_000_000)) == (60, 600)


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"x" * 1000)
    (tmp_path / "d").write_bytes(b"x" * 24)
    (tmp_path / "a/nowhere").symlink_to(tmp_path / "gone")
    assert folder_size(tmp_path) in range(1024, 2048)
