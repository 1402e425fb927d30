"""schema.py: what it defines, and what is said of one that defines nothing."""

from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings


def project(folder: Path, schema: str | None, toml: str = "") -> Settings:
    (folder / "supavex.toml").write_text(toml)
    if schema is not None:
        (folder / "schema.py").write_text(schema)
    return load_settings(folder)


GOOD = """
from supavex.schema import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string()})})
"""


def schema_error(folder: Path, text: str) -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        load_schema(project(folder, text))
    return caught.value


def test_the_schema_that_the_file_defines(tmp_path: Path) -> None:
    schema = load_schema(project(tmp_path, GOOD))
    assert list(schema.tables) == ["notes"]
    assert str(schema.tables["notes"].place) == "schema.py:4"


def test_the_file_knows_its_own_name_and_is_not_the_program_that_runs(tmp_path: Path) -> None:
    text = GOOD + "assert __file__.endswith('schema.py') and __name__ != '__main__'\n"
    assert list(load_schema(project(tmp_path, text)).tables) == ["notes"]


def test_a_schema_in_another_place(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/tables.py").write_text(GOOD)
    schema = load_schema(project(tmp_path, None, 'schema = "model/tables.py"'))
    assert str(schema.tables["notes"].place) == "model/tables.py:4"


def test_a_schema_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_schema(project(tmp_path, None, 'schema = "model/tables.py"'))
    assert (caught.value.code, caught.value.where) == ("NoSchema", "model/tables.py")


@pytest.mark.parametrize("content", [b"schema = '\xff'", None])
def test_a_schema_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        (tmp_path / "schema.py").mkdir()
    else:
        (tmp_path / "schema.py").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_schema(project(tmp_path, None))
    assert (caught.value.code, caught.value.where) == ("NoSchema", "schema.py")


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    error = schema_error(tmp_path, "from supavex.schema import v\n\nschema = define_schema({\n")
    assert (error.code, error.where, error.exit_code) == ("SchemaSyntaxError", "schema.py:3", 1)
    assert error.message == "'{' was never closed."


def test_a_syntax_error_of_another_file_is_not_laid_on_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_part.py").write_text("\n" * 40 + "def\n")
    monkeypatch.syspath_prepend(tmp_path)
    error = schema_error(tmp_path, "# the schema\n\nimport broken_part\n")
    assert error.where == "schema.py:3" or "broken_part.py:41" in str(error.where)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("v.strin()", "AttributeError: 'V' object has no attribute 'strin'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "raises KeyboardInterrupt"),
        ("raise GeneratorExit('x')", "raises GeneratorExit: x"),
        ("raise MemoryError", "raises MemoryError"),
        ("v.string(default=1, colour='red')", "TypeError: "),
    ],
)
def test_a_file_that_raises_has_the_line(tmp_path: Path, line: str, said: str) -> None:
    error = schema_error(tmp_path, f"from supavex.schema import v\n\n{line}\n")
    assert (error.code, error.where, error.exit_code) == ("SchemaRaises", "schema.py:3", 1)
    assert said in error.message
    assert not error.message.endswith(": ")


def test_the_line_is_the_innermost_of_the_file(tmp_path: Path) -> None:
    error = schema_error(tmp_path, "def broken():\n    return {}['missing']\n\n\nbroken()\n")
    assert error.where == "schema.py:2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file does not define schema."),
        ("shema = 1", "the file does not define schema."),
        ("schema = None", "the file does not define schema."),
        ("schema = {'notes': {}}", "the file defines schema as dict."),
    ],
)
def test_a_file_without_a_schema(tmp_path: Path, text: str, said: str) -> None:
    error = schema_error(tmp_path, text)
    assert (error.code, error.message, error.where) == ("MissingSchemaExportError", said, "schema.py")
    assert error.hint == "schema = define_schema({…})"
