"""schema.py runs in a process of its own: what it does by accident harms nothing, and it has a time limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from supavex import definitions
from supavex.convex.compile import compile_schema
from supavex.convex.field_rules import MISSING
from supavex.convex.schema import Schema
from supavex.definitions import evaluate_schema
from supavex.errors import SupavexError

IMPORTS = "from supavex.schema import define_schema, define_table, v\n"
GOOD = 'schema = define_schema({"t": define_table({"a": v.string(default="x"), "b": v.number()})})\n'


def evaluated(folder: Path, text: str) -> Schema:
    return evaluate_schema(folder / "schema.py", IMPORTS + text, "schema.py")


def refused(folder: Path, text: str) -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        evaluated(folder, text)
    return caught.value


def test_the_schema_is_the_one_that_the_file_defines(tmp_path: Path) -> None:
    schema = evaluated(tmp_path, GOOD)
    fields = schema.tables["t"].fields
    assert (fields["a"].rules.default, fields["b"].rules.default is MISSING) == ("x", True)
    assert str(fields["a"].place) == "schema.py:2"
    assert schema == evaluated(tmp_path, GOOD)
    assert schema is not evaluated(tmp_path, GOOD), "nobody else has it"


@pytest.mark.parametrize("before", ["print('hello')\n", "import sys; sys.stdout.write('x' * 200_000)\n", "input\n"])
def test_what_the_file_prints_harms_nothing(tmp_path: Path, before: str, capfd: pytest.CaptureFixture[str]) -> None:
    evaluated(tmp_path, before + GOOD)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("last", ["import os; os._exit(0)", "import os; os._exit(7)", "import os; os.abort()"])
def test_a_file_that_ends_its_process_is_an_error(tmp_path: Path, last: str) -> None:
    error = refused(tmp_path, GOOD + last)
    assert (error.code, error.where, error.exit_code) == ("SchemaRaises", "schema.py", 1)
    assert "ended its process" in error.message


@pytest.mark.parametrize(
    "loop", ["while True: pass", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"]
)
def test_a_file_that_loops_is_stopped_with_its_line(tmp_path: Path, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "SECONDS", 1)
    error = refused(tmp_path, loop)
    assert error.code == "SchemaTooSlow"
    assert "1 seconds" in error.message
    assert (error.where or "").startswith("schema.py")


def test_what_the_file_changes_is_its_own(tmp_path: Path) -> None:
    evaluated(tmp_path, "import json\njson.dumps = None\n" + GOOD)
    import json

    assert json.dumps(1) == "1"


def test_a_module_beside_the_file_is_read_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python keeps bytecode by a file's second and size, which are the same here.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    (tmp_path / "parts.py").write_text("name = 'one'\n")
    text = 'from parts import name\nschema = define_schema({name: define_table({"a": v.string()})})\n'
    assert list(evaluated(tmp_path, text).tables) == ["one"]
    (tmp_path / "parts.py").write_text("name = 'two'\n")
    assert list(evaluated(tmp_path, text).tables) == ["two"]


def test_a_file_beside_it_takes_no_place_of_pythons_own_modules(tmp_path: Path) -> None:
    for name in ("json", "pickle", "traceback"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)\n")
    assert list(evaluated(tmp_path, GOOD).tables) == ["t"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("v.sting()", "string"),
        ("define_tabel({})", "define_table"),
        ('define_table({}).indx("a", ["b"])', "index"),
        ("v.string(defualt='x')", "default"),
        ("from supavex.schema import define_shema", "define_schema"),
    ],
)
def test_a_name_that_is_nearly_right_is_guessed(tmp_path: Path, line: str, meant: str) -> None:
    error = refused(tmp_path, line)
    assert error.code == "SchemaRaises"
    assert "Did you mean" in error.message
    assert meant in error.message.partition("Did you mean")[2]


def test_what_is_no_validator_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    text = 'class Mine: pass\nschema = define_schema({"t": define_table({"a": Mine(), "b": lambda: 1, "c": int})})'
    codes = {finding.code for finding in compile_schema(evaluated(tmp_path, text))}
    assert codes == {"NotAValidator"}
