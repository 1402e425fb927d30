r"""psql's own commands in a file: passed over, followed, or named."""

from pathlib import Path

import pytest

from supavex.postgres.psql import included_files, statements_of
from supavex.postgres.report import NotRun
from supavex.postgres.run_files import replay_files
from supavex.postgres.source_files import SourceFiles
from supavex.postgres.statements import Statement
from tests.databases import Database


def items(folder: Path, text: str, **others: str) -> list[str]:
    """What a file comes to: SQL, ``!`` and the reason of what is not done, ``-`` and a command that is passed over."""
    for name, content in others.items():
        (folder / f"{name}.sql").write_text(content)
    (folder / "main.sql").write_text(text)
    found = []
    for item in statements_of(folder / "main.sql", "main.sql", folder):
        if isinstance(item, Statement):
            found.append(item.sql)
        else:
            found.append(f"!{item.file} {item.reason}" if isinstance(item, NotRun) else f"-{item.name}")
    return found


def test_what_only_speaks_to_psql_is_passed_over(tmp_path: Path) -> None:
    text = "\\restrict a\\b\n\\set X on\n\\echo 'a; b' c\n\\connect db\n\\pset null x\n\\timing\n"
    text += "SELECT 1;\n\\unrestrict a\n"
    assert items(tmp_path, text) == [
        "-restrict", "-set", "-echo", "-connect", "-pset", "-timing", "SELECT 1", "-unrestrict",
    ]  # fmt: skip


def test_includes_are_followed_inside_the_folder(tmp_path: Path) -> None:
    found = items(
        tmp_path, "\\i one.sql\n\\ir 'two.sql'\nSELECT 3;", one="SELECT 1;", two="SELECT 2;\n\\include one.sql"
    )
    assert found == ["SELECT 1", "SELECT 2", "SELECT 1", "SELECT 3"]
    assert [file.name for file in included_files(tmp_path / "main.sql", tmp_path)] == ["one.sql", "two.sql", "one.sql"]


def test_no_include_leaves_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.sql").write_text("SELECT 'secret';")
    (inside / "link.sql").symlink_to(tmp_path / "secret.sql")
    found = items(inside, f"\\i ../secret.sql\n\\i link.sql\n\\i {tmp_path}/secret.sql\n\\i gone.sql\nSELECT 1;")
    assert [line.startswith("!main.sql:") and "outside" in line for line in found] == [True, True, True, False, False]
    assert found[3:] == ["!main.sql:4 \\i: the file gone.sql is not there", "SELECT 1"]


def test_a_circle_of_includes_ends(tmp_path: Path) -> None:
    found = items(tmp_path, "\\i one.sql\nSELECT 2;", one="SELECT 1;\n\\i main.sql")
    assert found == ["SELECT 1", "!one.sql:2 \\i: the file main.sql includes itself", "SELECT 2"]


@pytest.mark.parametrize("command", ["\\copy t to 'x.csv'", "\\! touch mark", "SELECT 'SELECT 1' \\gexec"])
def test_what_is_never_done_is_named(tmp_path: Path, command: str) -> None:
    found = [item for item in items(tmp_path, f"{command}\nSELECT 1;") if item.startswith("!")]
    assert len(found) == 1 and found[0].startswith("!main.sql:1 \\")


def test_variables_are_those_that_are_set(tmp_path: Path) -> None:
    text = """\\set name 'O''Brien'
\\set table notes
SELECT :'name', ':name', :other, x::text, a[1:2] FROM :table, :"table"; -- :name
"""
    assert items(tmp_path, text)[2:] == ["SELECT 'O''Brien', ':name', :other, x::text, a[1:2] FROM notes, \"notes\""]


def test_conditions(tmp_path: Path) -> None:
    text = "\\set dev true\n\\if :dev\nSELECT 1;\n\\else\nSELECT 2;\n\\endif\n"
    text += "\\if :{?other}\nSELECT 3;\n\\elif true\nSELECT 4;\n\\endif\n"
    assert items(tmp_path, text) == ["-set", "SELECT 1", "SELECT 4"]


def test_a_report_names_what_was_not_done_and_counts_what_was_passed_over(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "1_a.sql"
    file.write_text("\\echo a\n\\echo b\nCREATE TABLE t (a int);\n\\copy t from x.csv csv header\n\\! touch mark\n")
    report = replay_files(database, SourceFiles((file,), tmp_path))
    assert [item.file for item in report.not_run] == ["1_a.sql:5"]
    assert any("\\echo (2)" in note for note in report.notes)
    assert not (tmp_path / "mark").exists()
    (missed,) = report.failed
    assert (missed.line, missed.kind, missed.tables) == (4, "data", ("public.t",)), "rows that nobody brought"
    assert missed.error.startswith("COPY of the file x.csv is not run")


#: A COPY and its rows, which all hold 1, 'a;b' and NULL, in every form.
COPIES = {
    "as pg_dump writes it": "COPY public.t (id, a, b) FROM stdin;\n1\ta;b\t\\N\n\\.\n",
    "over several lines": "COPY t (\n  id,\n  a,\n  b\n) FROM\n  STDIN;\n1\ta;b\t\\N\n\\.\n",
    "indented": "   copy t from stdin ;  \n1\ta;b\t\\N\n\\.\n",
    "a delimiter": "COPY t FROM stdin WITH (DELIMITER '|', NULL '');\n1|a;b|\n\\.\n",
    "csv with a header": 'COPY t (id, a, b) FROM STDIN WITH (FORMAT csv, HEADER true);\nid,a,b\n1,"a;b",\n\\.\n',
    "csv with its own quotes": "COPY t FROM STDIN (FORMAT csv, QUOTE '''', NULL '-');\n1,'a;b',-\n\\.\n",
    "the old syntax": "COPY t FROM stdin WITH DELIMITER AS ',' NULL AS 'nil' CSV;\n1,a;b,nil\n\\.\n",
    "freeze": "COPY t FROM stdin WITH (FREEZE, FORMAT csv);\n1,a;b,\n\\.\n",
    "a quoted name": 'COPY public."t" ("id", "a", "b") FROM stdin;\n1\ta;b\t\\N\n\\.\n',
    "windows line ends": "COPY t FROM stdin;\r\n1\ta;b\t\\N\r\n\\.\r\n",
    "no end": "COPY t FROM stdin;\n1\ta;b\t\\N\n",
    "a comment": "COPY t /* all; */ FROM stdin; -- rows\n1\ta;b\t\\N\n\\.\n",
}


@pytest.mark.parametrize("form", COPIES)
@pytest.mark.parametrize("own", [False, True])
def test_copy_from_stdin_in_every_form(database: Database, tmp_path: Path, form: str, own: bool) -> None:
    begin, end = ("BEGIN;\n", "COMMIT;\n") if own and form != "no end" else ("", "")
    after = "" if form == "no end" else "INSERT INTO t VALUES (2);\n"
    file = tmp_path / "1.sql"
    file.write_bytes(f"{begin}CREATE TABLE t (id int, a text, b text);\n{COPIES[form]}{after}{end}".encode())
    report = replay_files(database, [file])
    assert report.failed == ()
    rows = [(1, "a;b", None)] + ([] if form == "no end" else [(2, None, None)])
    assert database.rows("SELECT * FROM public.t ORDER BY id") == rows


@pytest.mark.parametrize("source", ["'/etc/passwd'", "PROGRAM 'touch mark'"])
def test_copy_from_a_file_of_the_server_is_told_and_not_run(database: Database, tmp_path: Path, source: str) -> None:
    file = tmp_path / "1.sql"
    file.write_text(f"CREATE TABLE t (a text);\nCOPY t FROM {source};\nINSERT INTO t VALUES ('b');")
    report = replay_files(database, [file])
    assert [(one.line, one.kind, one.tables) for one in report.failed] == [(2, "data", ("public.t",))]
    assert "is not run" in report.failed[0].error
    assert database.rows("SELECT a FROM public.t") == [("b",)]
