"""Id files: old ids to new ones."""

from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.mapping.idfiles import load_id_file

OLD = "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"
OTHER = "3e5a9d10-6c2b-47f8-b1d3-7f4e0a8c6b02"


def load(folder: Path, content: str | bytes, name: str = "ids.csv") -> dict[str, str]:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return load_id_file(folder / name, name)


@pytest.mark.parametrize(
    "content",
    [
        f"supabase_id,clerk_id\n{OLD},user_1\n{OTHER},user_2\n",
        f"supabase_id,clerk_id\r\n{OLD},user_1\r\n{OTHER},user_2\r\n",
        f"\ufeffold,new\n{OLD},user_1\n{OTHER},user_2",
        f'old,new\n"{OLD}","user_1"\n\n  {OTHER} , user_2 \n\n',
        f"old,new,name\n{OLD},user_1,Ann\n{OTHER},user_2,Ben\n",
        f"old,new\n{OLD.upper()},user_1\n{OTHER},user_2\n",
        f"old,new\n{OLD},user_1\n{OLD},user_1\n{OTHER},user_2\n",
    ],
    ids=["plain", "windows", "byte order mark", "quotes and blanks", "more columns", "upper case", "said twice"],
)
def test_csv(tmp_path: Path, content: str) -> None:
    assert load(tmp_path, content) == {OLD: "user_1", OTHER: "user_2"}


@pytest.mark.parametrize(
    "content",
    [
        f'{{"{OLD}": "user_1", "{OTHER}": "user_2"}}',
        f'[{{"old": "{OLD}", "new": "user_1"}}, {{"old": "{OTHER}", "new": "user_2", "name": "Ben"}}]',
        f'\ufeff{{"{OLD.upper()}": "user_1", "{OTHER}": "user_2"}}',
    ],
    ids=["object", "list of objects", "byte order mark and upper case"],
)
def test_json(tmp_path: Path, content: str) -> None:
    assert load(tmp_path, content, "ids.json") == {OLD: "user_1", OTHER: "user_2"}


def test_numbers_become_text(tmp_path: Path) -> None:
    assert load(tmp_path, '{"1": 7}', "ids.json") == {"1": "7"}
    assert load(tmp_path, "old,new\n1,7\n") == {"1": "7"}


@pytest.mark.parametrize(("name", "content"), [("ids.csv", "old,new\n"), ("ids.json", "{}"), ("ids.json", "[]")])
def test_a_file_without_ids(tmp_path: Path, name: str, content: str) -> None:
    assert load(tmp_path, content, name) == {}


def test_new_ids_keep_their_case(tmp_path: Path) -> None:
    assert load(tmp_path, f"old,new\n{OLD},user_2abcT9mKX\n")[OLD] == "user_2abcT9mKX"


def test_old_ids_that_are_no_uuids_keep_their_case_as_postgresql_does(tmp_path: Path) -> None:
    """A text column finds 'User_A' under 'User_A' only, and 'user_a' is somebody else."""
    assert load(tmp_path, "old,new\nUser_A,1\nuser_a,2\n") == {"User_A": "1", "user_a": "2"}


def refused(folder: Path, content: str | bytes, name: str = "ids.csv") -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        load(folder, content, name)
    return caught.value


def test_an_old_id_with_two_new_ones_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path, f"old,new\n{OLD},user_1\n\n{OLD.upper()},user_2\n")
    assert (error.code, error.where, error.message) == ("IdTwice", "ids.csv:4", f"{OLD} has two new ids.")


@pytest.mark.parametrize(
    "content",
    [
        f'[{{"old": "{OLD}", "new": "user_1"}}, {{"old": "{OLD}", "new": "user_2"}}]',
        f'{{"{OLD}": "user_1", "{OLD}": "user_2"}}',
        f'{{"{OLD}": "user_1", "{OLD.upper()}": "user_2"}}',
    ],
    ids=["list", "object", "object with two spellings"],
)
def test_json_with_two_new_ids_is_refused(tmp_path: Path, content: str) -> None:
    error = refused(tmp_path, content, "ids.json")
    assert (error.code, error.where) == ("IdTwice", "ids.json:2")


@pytest.mark.parametrize("line", ["only_one", "only_one,", ",user_1", " , user_1"])
def test_a_line_without_two_ids_is_refused(tmp_path: Path, line: str) -> None:
    error = refused(tmp_path, f"old,new\n{OLD},user_1\n{line}\n")
    assert (error.code, error.where) == ("InvalidIdFile", "ids.csv:3")


@pytest.mark.parametrize(
    "content",
    ["", "{", '"text"', "1", "null", "[1]", '["a"]', '[{"old": "a"}]', '[["a", "b"]]', f'{{"{OLD}": null}}']
    + [f'{{"{OLD}": {new}}}' for new in ('""', "{}", "[]", "true")],
)
def test_json_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    error = refused(tmp_path, content, "ids.json")
    assert error.code == "InvalidIdFile"
    assert str(error.where).startswith("ids.json")


def test_a_file_that_is_missing_or_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_id_file(tmp_path / "ids.csv", "people/ids.csv")
    assert (caught.value.code, caught.value.where) == ("NoIdFile", "people/ids.csv")
    assert refused(tmp_path, b"old,new\n\xff,1\n").code == "NoIdFile"
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="can't be read"):
        load_id_file(tmp_path / "folder.csv", "folder.csv")
