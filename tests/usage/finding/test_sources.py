"""Files that no parser should meet: links, pipes, binaries, other encodings, what git ignores."""

import os
import subprocess
from pathlib import Path

import pytest

from supavex.usage.finding import calls, sources, syntax
from supavex.usage.finding.calls import find_uses
from supavex.usage.finding.sources import read_sources
from tests.projects import supavex
from tests.usage.conftest import uses_of

CALL = 'supabase.from("t").select()\n'


def paths(folder: Path) -> list[str]:
    return [file.path for file in read_sources(folder).files]


def test_other_peoples_files_are_not_read(tmp_path: Path) -> None:
    for name in ("a.ts", "src/b.tsx", "node_modules/c.ts", ".next/d.js", "dist/e.js", "convex/_generated/f.ts", "g.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CALL)
    assert paths(tmp_path) == ["a.ts", "src/b.tsx"]


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_in_a_checkout_git_says_what_is_ignored(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("secret/\n*.gen.ts\n")
    for name in ("a.ts", "secret/b.ts", "c.gen.ts", "build/d.ts", "node_modules/e.ts", "ä b.ts", "gone.ts"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CALL)
    git(tmp_path, "add", "-f", "a.ts", "node_modules/e.ts", "gone.ts")
    (tmp_path / "gone.ts").unlink()
    assert paths(tmp_path) == ["a.ts", "build/d.ts", "ä b.ts"]
    assert read_sources(tmp_path).left_out == {"gone.ts": "removed meanwhile"}
    # A folder that git ignores as a whole is walked: it was asked for by name.
    assert paths(tmp_path / "secret") == ["b.ts"]


def test_a_checkouts_configuration_runs_no_program(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.ts").write_text(CALL)
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    git(tmp_path, "add", "a.ts")
    git(tmp_path, "config", "core.fsmonitor", str(program))
    assert paths(tmp_path) == ["a.ts"]
    assert not (tmp_path / "ran").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, app = tmp_path / "outside", tmp_path / "app"
    outside.mkdir()
    app.mkdir()
    (outside / "secret.ts").write_text(CALL)
    (app / "link.ts").symlink_to(outside / "secret.ts")
    (app / "folder").symlink_to(outside)
    (app / "loop").symlink_to(app)
    (app / "self.ts").symlink_to(app / "self.ts")
    found = read_sources(app)
    assert found.files == []
    assert found.left_out == {"link.ts": "a link", "self.ts": "a link"}
    git(app, "init", "-q")
    git(app, "add", ".")
    assert read_sources(app).files == []


def test_what_is_no_text_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary.ts").write_bytes(b"\0\1\2" + CALL.encode())
    (tmp_path / "huge.ts").write_bytes(CALL.encode() * 50_000)
    (tmp_path / "minified.js").write_text(f"var a={'1+' * 20_000}1;" + CALL)
    os.mkfifo(tmp_path / "pipe.ts")
    (tmp_path / "folder.ts").mkdir()
    found = read_sources(tmp_path)
    assert found.files == []
    assert found.left_out == {
        "binary.ts": "not text",
        "huge.ts": "larger than 1,000,000 bytes",
        "minified.js": "minified",
        "pipe.ts": "no ordinary file",
    }
    monkeypatch.setattr(sources, "MAX_FILES", 1)
    assert read_sources(tmp_path).left_out["pipe.ts"] == "beyond 1 files"


def test_a_file_that_may_not_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ts").write_text(CALL)
    really = os.open

    def refuse(path: object, flags: int, *more: int) -> int:
        # Tests may run as root, whom no mode of a file keeps out.
        if str(path).endswith("a.ts"):
            raise PermissionError(13, "Permission denied")
        return really(path, flags, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    assert read_sources(tmp_path).left_out == {"a.ts": "can't be read: Permission denied"}


def test_odd_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "bom.ts").write_bytes(b"\xef\xbb\xbf" + CALL.encode())
    (tmp_path / "utf16.ts").write_bytes(CALL.encode("utf-16"))
    (tmp_path / "latin.ts").write_bytes("// déjà\n".encode("latin-1") + CALL.encode())
    (tmp_path / "crlf.ts").write_bytes(b"\r\n\r\n" + CALL.encode())
    assert [(use.file, use.line) for use in uses_of(tmp_path)] == [
        ("bom.ts", 1),
        ("crlf.ts", 3),
        ("latin.ts", 2),
        ("utf16.ts", 1),
    ]


def test_an_empty_folder_and_an_empty_file(tmp_path: Path) -> None:
    assert supavex("usage", tmp_path, "-C", tmp_path).code == 0
    assert uses_of(tmp_path, a__ts="", b__vue="", c__py="") == []


def test_a_file_that_takes_a_parser_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "PARSE_SECONDS", 0.3)
    # Generic arguments and comparisons look alike: a parser keeps all readings of this.
    line = "a<b>(c)<" * 100 + "\n"
    (tmp_path / "slow.ts").write_text(CALL + line * 400)
    (tmp_path / "quick.ts").write_text(CALL)
    ran = supavex("usage", tmp_path, "-C", tmp_path, "--json")
    assert list(ran.json["files"]["left_out"]) == ["slow.ts"]
    assert ran.json["totals"]["table"] == 1


def test_deep_nesting_overflows_nothing(tmp_path: Path) -> None:
    deep = "\n".join(["(" * 100] * 500)
    chain = "supabase" + ".from('t').select()\n" * 3000
    python = "[\n" * 5000 + "supabase.table('t').select('a')"
    found = uses_of(tmp_path, a__ts=CALL + deep, b__ts=chain, c__ts="x(" * 5000 + CALL, d__py=python)
    assert {use.file for use in found} == {"a.ts", "b.ts", "c.ts", "d.py"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        CALL + "x" + ".a()\n" * 190_000,
        CALL + "supabase.from('t').select(`" + "a.b:\n" * 150_000 + "`)",
        CALL + "supabase.from('t').select().or(`" + "a.a\n." * 100_000 + "`)",
        CALL + "let q = supabase.from('t').select()\n" + "q = q.eq('a', 1)\n" * 3_000,
        CALL + "\n".join("create" + "Component" * 2_000 + f"{n}()" for n in range(40)),
    ],
    ids=["chain", "select", "or", "variable", "names"],
)
def test_the_time_does_not_grow_with_the_square(tmp_path: Path, text: str) -> None:
    """Were it to, these would take hours."""
    assert uses_of(tmp_path, a__ts=text[:990_000])[0].line == 1


def test_scripts_that_never_open_cost_little(tmp_path: Path) -> None:
    assert uses_of(tmp_path, a__vue="<script \n" * 100_000) == []


def test_all_files_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_TOTAL_BYTES", 10)
    monkeypatch.setattr(calls, "TOTAL_SECONDS", -1)
    uses_of(tmp_path, a__ts=CALL, b__ts=CALL)
    found = read_sources(tmp_path)
    assert find_uses(found) == []
    assert found.left_out == {
        "a.ts": "beyond -1 seconds of parsing in all",
        "b.ts": "beyond 10 bytes in all",
    }


def test_only_the_scripts_of_a_component_are_code(tmp_path: Path) -> None:
    text = f"<p>{CALL}</p>\n<!-- <script>{CALL}</script> -->\n<script lang='ts'>\n{CALL}</script>\n<SCRIPT>\n{CALL}"
    assert [use.line for use in uses_of(tmp_path, a__svelte=text)] == [6, 9]


def test_generated_types_are_reported_apart(tmp_path: Path) -> None:
    text = "export interface Database {\n  public: {\n    Tables: {}\n  }\n}\n"
    (tmp_path / "supabase.ts").write_text(text)
    found = read_sources(tmp_path)
    assert (found.types, found.files) == (["supabase.ts"], [])
