"""CSV, JSON lines and JSON arrays: what they give, and where they are wrong."""

import math
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.schema import Schema
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.deployment.transfer.table_files import Format, TableFile
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v


def read(path: Path, form: Format, content: str | bytes, schema: Schema | None = None) -> list[dict[str, Any]]:
    file = path / "file"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(TableFile(file, "posts", form, schema).documents("posts"))


def refused(path: Path, form: Format, content: str | bytes) -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        read(path, form, content)
    return caught.value


# CSV


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("a", "a"), ("", ""), (" a ", " a "), ("1", 1.0), ("+1", 1.0), ("-1.5", -1.5), (".5", 0.5), ("5.", 5.0),
        ("1e5", 1e5), ("1E-5", 1e-5), ("007", 7.0), (" 1", " 1"), ("1_000", "1_000"), ("0x10", "0x10"), ("-", "-"),
        (".", "."), ("e5", "e5"), ("١", "١"), ("inf", None), ("NaN", None), ("-Infinity", None), ("1e999", None),
        ("true", "true"), ("null", "null"), ("{}", "{}"), ('"1,5"', "1,5"), ('"a""b"', 'a"b'), ('"a\nb"', "a\nb"),
    ],
)  # fmt: skip
def test_a_cell_is_a_number_where_rust_reads_one(tmp_path: Path, cell: str, value: Any):
    assert read(tmp_path, "csv", f"a,b\n{cell},x\n") == [{"a": value, "b": "x"}]


def test_headers_are_trimmed_of_spaces_and_blank_lines_are_passed_over(tmp_path: Path):
    assert read(tmp_path, "csv", " a ,b\r\n\r\n1,2\r\n\r\n3,4") == [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]


def test_an_empty_cell_of_an_optional_field_is_no_field(tmp_path: Path):
    schema = define_schema({"posts": define_table({"a": v.optional(v.string()), "b": v.string()})})
    assert read(tmp_path, "csv", "a,b\n,\n", schema) == [{"b": ""}]


def test_a_file_of_headers_only_or_of_nothing_has_no_documents(tmp_path: Path):
    assert read(tmp_path, "csv", "a,b\n") == read(tmp_path, "csv", "") == []


def test_a_cell_may_be_as_long_as_a_document(tmp_path: Path):
    assert read(tmp_path, "csv", f"a\n{'x' * (1 << 20)}\n") == [{"a": "x" * (1 << 20)}]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("a,b\n1,2\n3\n", "CsvRowMissingFields", 3),
        ("a,b\n1,2,3\n", "CsvRowMissingFields", 2),
        ('a,b\n"1\n2",3\n4\n', "CsvRowMissingFields", 4),
        ('a\n"x"y\n', "CsvInvalidRow", 2),
        ('a\n"x\n', "CsvInvalidRow", 2),
        ("a,$b\n1,2\n", "CsvInvalidHeader", 1),
        ("a,é\n1,2\n", "CsvInvalidHeader", 1),
        ("\ufeffa\n1\n", "Utf8BomNotSupported", 1),
    ],
)
def test_csv_that_is_wrong_names_the_line(tmp_path: Path, content: str, code: str, line: int):
    error = refused(tmp_path, "csv", content)
    assert (error.code, error.where) == (code, f"posts, line {line}")


# JSON


def test_numbers_of_json_are_floats(tmp_path: Path):
    document = {"a": 1.0, "b": [2.5, {"c": None}], "big": 1e20}
    assert read(tmp_path, "jsonLines", '{"a": 1, "b": [2.5, {"c": null}], "big": 100000000000000000000}') == [document]
    assert read(tmp_path, "jsonArray", '[{"a": 1, "b": [2.5, {"c": null}], "big": 1e20}]') == [document]
    assert isinstance(read(tmp_path, "jsonLines", '{"a": 1}')[0]["a"], float)


def test_json_lines_end_as_lines_do(tmp_path: Path):
    assert read(tmp_path, "jsonLines", '{"a":"\u2028"}\r\n{"a":2}') == [{"a": "\u2028"}, {"a": 2.0}]
    assert read(tmp_path, "jsonLines", "") == []
    assert read(tmp_path, "jsonLines", '{"a":\r1}\n\r{"a":2}\r') == [{"a": 1.0}, {"a": 2.0}]
    assert refused(tmp_path, "jsonLines", '{"a":1}\r{"a":2}').code == "JsonInvalidRow"
    assert read(tmp_path, "jsonArray", " [ ] ") == []


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ('{"a":1}\n{"a":}\n', "JsonInvalidRow", 2),
        ('{"a":1}\n\n{"a":2}\n', "JsonInvalidRow", 2),
        ('{"a":NaN}\n', "JsonInvalidRow", 1),
        ('{"a":1}\n[]\n', "NotAnObject", 2),
        ('{"a":1}\n{"a":{"$integer":"AQAAAAAAAAA="}}\n', "InvalidConvexValue", 2),
        ('{"a":1e999}\n', "InvalidConvexValue", 1),
        ("[" * 100_000 + "\n", "InvalidConvexValue", 1),
        ('\ufeff{"a":1}\n', "Utf8BomNotSupported", 1),
    ],
)
def test_json_lines_that_are_wrong_name_the_line(tmp_path: Path, content: str, code: str, line: int):
    error = refused(tmp_path, "jsonLines", content)
    assert (error.code, error.where) == (code, f"posts, line {line}")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "NotJson"),
        ("[{]", "NotJson"),
        ('{"a":1}', "NotJsonArray"),
        ("[1]", "NotAnObject"),
        ("[" * 100_000, "InvalidConvexValue"),
        ("\ufeff[]", "Utf8BomNotSupported"),
        (f'["{"x" * (16 << 20)}"]', "JsonArrayTooLarge"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_arrays_that_are_wrong(tmp_path: Path, content: str, code: str):
    assert refused(tmp_path, "jsonArray", content).code == code


@pytest.mark.parametrize("form", ["csv", "jsonLines", "jsonArray"])
def test_text_that_is_not_utf_8(tmp_path: Path, form: Format):
    assert refused(tmp_path, form, b"a\n\xff\n").code in ("NotUtf8", "JsonInvalidRow")
    assert refused(tmp_path, form, b'["\xff"]').code == "NotUtf8"


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path):
    assert refused(tmp_path, "jsonLines", f'{{"a":"{"x" * (33 << 20)}"}}').code == "JsonInvalidRow"


@pytest.mark.parametrize("name", ["", "_storage", "a b", "a/b", "é", "x" * 65])
def test_a_name_that_no_table_has(tmp_path: Path, name: str):
    with pytest.raises(SupavexError) as caught:
        TableFile(tmp_path / "file", name, "csv")
    assert caught.value.code == "InvalidName"


# Into a deployment


def test_what_is_wrong_in_the_middle_imports_nothing(deployment: Deployment, tmp_path: Path):
    file = tmp_path / "posts.jsonl"
    file.write_text('{"a":1}\n{"_a":2}\n')
    with pytest.raises(SupavexError) as caught:
        import_snapshot(deployment, TableFile(file, "posts", "jsonLines"))
    assert caught.value.code == "InvalidDocumentError"
    assert deployment.tables() == []


def test_documents_may_bring_their_ids_and_keep_the_tables_number(deployment: Deployment, tmp_path: Path):
    id_ = deployment.insert("posts", {"a": "old"})
    file = tmp_path / "posts.jsonl"
    file.write_text(f'{{"_id":"{id_}","_creationTime":1700000000000,"a":"new"}}\n{{"a":"other"}}\n')
    number = deployment.table_numbers()["posts"]
    done = import_snapshot(deployment, TableFile(file, "posts", "jsonLines"), "replace")
    assert (done.written, done.deleted) == ({"posts": 2}, {"posts": 1})
    assert deployment.table_numbers()["posts"] == number
    assert deployment.get(id_) == {"_id": id_, "_creationTime": 1_700_000_000_000.0, "a": "new"}
    assert not math.isnan(next(iter(deployment.query("posts").order("desc")))["_creationTime"])
