"""Table numbers: given once, kept for good."""

import json
from pathlib import Path

import pytest

from supavex.errors import UsageError
from supavex.mapping.table_numbers import load_lock, save_lock, with_new_tables


def test_a_new_project_s_tables_are_numbered_as_an_empty_deployment_numbers_them() -> None:
    assert with_new_tables({}, ["webinars", "articles", "contacts"]) == {
        "articles": 10001,
        "contacts": 10002,
        "webinars": 10003,
    }


def test_a_table_that_comes_later_changes_no_number() -> None:
    first = with_new_tables({}, ["notes", "people"])
    later = with_new_tables(first, ["answers", "notes", "people", "zebras"])
    assert later == {**first, "answers": 10003, "zebras": 10004}


def test_a_table_that_left_keeps_its_number_so_that_nobody_gets_it() -> None:
    pinned = {"left": 10001, "notes": 10002}
    assert with_new_tables(pinned, ["notes", "new"]) == {"left": 10001, "notes": 10002, "new": 10003}
    assert pinned == {"left": 10001, "notes": 10002}, "what was given in is not changed"


def test_gaps_are_not_filled() -> None:
    assert with_new_tables({"notes": 20_000}, ["notes", "new"]) == {"notes": 20_000, "new": 20_001}


def test_a_lock_is_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "supavex.lock"
    assert save_lock(path, {"notes": 10002, "answers": 10001}) is True
    assert load_lock(path) == {"notes": 10002, "answers": 10001}
    assert json.loads(path.read_text()) == {"version": 1, "tables": {"answers": 10001, "notes": 10002}}
    # One table a line and sorted, so that a diff is short.
    assert path.read_text().splitlines()[3:5] == ['    "answers": 10001,', '    "notes": 10002']
    assert path.read_text().endswith("}\n")


def test_a_lock_that_is_the_same_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "supavex.lock"
    save_lock(path, {"notes": 10001})
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    assert save_lock(path, {"notes": 10001}) is False
    assert path.stat().st_mtime_ns == before
    assert save_lock(path, {"notes": 10001, "more": 10002}) is True


def test_without_a_file_nothing_is_pinned(tmp_path: Path) -> None:
    assert load_lock(tmp_path / "supavex.lock") == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"version": 1}',
        '{"version": 1, "tables": []}',
        '{"version": 2, "tables": {"notes": 10001}}',
        '{"version": 1, "tables": {"notes": "many"}}',
        '{"version": 1, "tables": {"notes": null}}',
        '{"version": 1, "tables": {"notes": 10000}}',
        '{"version": 1, "tables": {"notes": 4294967296}}',
        '{"version": 1, "tables": {"notes": 10001, "more": 10001}}',
        '<<<<<<< HEAD\n{"version": 1, "tables": {}}',
    ],
)
def test_a_lock_that_is_broken_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "supavex.lock"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        load_lock(path)
    assert (caught.value.code, caught.value.where) == ("InvalidLock", str(path))
    assert "version control" in (caught.value.hint or "")
    assert path.read_text() == content
