"""Migration files cut into statements, each with the line where it begins."""

import pytest

from supavex.postgres.statements import Statement, split


def lines(text: str) -> list[tuple[int, str]]:
    """Line and text of each statement of ``text``."""
    items = list(split(text, "1_first.sql"))
    assert {item.file for item in items} <= {"1_first.sql"}
    return [
        (item.line, item.sql if isinstance(item, Statement) else f"\\{item.name} {item.arguments}") for item in items
    ]


def test_statements_are_cut_at_their_semicolons() -> None:
    assert lines("SELECT 1; SELECT 2;\nSELECT 3;\n") == [(1, "SELECT 1"), (1, "SELECT 2"), (2, "SELECT 3")]


def test_the_last_statement_needs_no_semicolon() -> None:
    assert lines("SELECT 1;\nSELECT 2") == [(1, "SELECT 1"), (2, "SELECT 2")]


def test_a_statement_over_several_lines_has_the_line_of_its_first_word() -> None:
    text = "\n\nCREATE TABLE notes (\n  id int\n);\n\n\n  INSERT INTO notes\n  VALUES (1);"
    assert [line for line, _ in lines(text)] == [3, 8]


@pytest.mark.parametrize("text", ["", "   \n\t\n", ";;\n;", "-- only a comment", "/* one\n/* nested */ ; */\n--two\n"])
def test_a_file_without_statements(text: str) -> None:
    assert lines(text) == []


def test_comments_before_a_statement_do_not_count_as_its_beginning() -> None:
    text = """-- a title; with a semicolon

/* a longer
   /* nested; */ comment */
SELECT 1; -- what follows belongs to the next
-- and this
SELECT 2;
"""
    assert lines(text) == [(5, "SELECT 1"), (7, "SELECT 2")]


def test_comments_inside_a_statement_stay_in_it() -> None:
    assert lines("SELECT 1 -- one; two\n  + 2;\nSELECT 3;") == [(1, "SELECT 1 -- one; two\n  + 2"), (3, "SELECT 3")]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'a;b'",
        "SELECT 'it''s; fine'",
        r"SELECT E'a\';b'",
        'SELECT 1 AS "a;b"',
        "SELECT $$ a;\n b; $$",
        "SELECT $tag$ $$ ; $other$ ; $tag$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "DO $do$ BEGIN EXECUTE 'SELECT 1;'; END $do$",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
    ],
)
def test_semicolons_inside_a_statement_do_not_cut_it(statement: str) -> None:
    text = f"SELECT 0;\n{statement};\nSELECT 9;"
    last = 3 + statement.count("\n")
    assert lines(text) == [(1, "SELECT 0"), (2, statement), (last, "SELECT 9")]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN '\nCOPY a FROM stdin;\n';\nEND $$",
        "COMMENT ON TABLE a IS 'Filled by\nCOPY a FROM stdin;\nonce a day'",
    ],
)
def test_copy_from_stdin_inside_a_text_begins_no_rows(statement: str) -> None:
    last = 2 + statement.count("\n")
    assert lines(f"{statement};\nSELECT 9;") == [(1, statement), (last, "SELECT 9")]


def test_the_rows_of_a_dump_stay_with_their_statement() -> None:
    text = """CREATE TABLE a (x text);
-- rows
COPY public.a (x) FROM stdin;
one; two
it's
\\.

copy a from STDIN with (format csv);
"a;b"
\\.
SELECT 9;
"""
    statements = [item for item in split(text, "1.sql") if isinstance(item, Statement)]
    assert [(one.line, one.sql, one.data and "".join(one.data.chunks())) for one in statements] == [
        (1, "CREATE TABLE a (x text)", None),
        (3, "COPY public.a (x) FROM stdin", "one; two\nit's\n"),
        (8, "copy a from STDIN with (format csv)", '"a;b"\n'),
        (11, "SELECT 9", None),
    ]


def test_lines_are_counted_in_characters_not_bytes() -> None:
    """PostgreSQL's parser counts bytes; every letter here but the ASCII ones has several."""
    text = "SELECT 'čaj € 日本 😀';\n-- ünïcode\nSELECT 'ä;ö' AS \"ключ\";\nSELECT 2;"
    assert lines(text) == [(1, "SELECT 'čaj € 日本 😀'"), (3, "SELECT 'ä;ö' AS \"ключ\""), (4, "SELECT 2")]


def test_a_byte_order_mark_is_no_part_of_the_first_statement() -> None:
    assert lines("\ufeffSELECT 1;\nSELECT 2;") == [(1, "SELECT 1"), (2, "SELECT 2")]


def test_files_with_windows_line_ends_have_the_same_lines() -> None:
    text = "SELECT 1;\r\n-- a comment\r\nSELECT\r\n  2;\r\n\r\nSELECT 3;\r\n"
    assert lines(text) == [(1, "SELECT 1"), (3, "SELECT\r\n  2"), (6, "SELECT 3")]


def test_a_syntax_error_leaves_the_statements_around_it_whole() -> None:
    text = """SELECT 'é;';
CRATE TABLE notes (id int);
-- a comment

CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN 1;
END;
$$;
SELECT 2
"""
    found = lines(text)
    assert [line for line, _ in found] == [1, 2, 5, 10]
    assert found[1] == (2, "CRATE TABLE notes (id int)")
    assert found[2][1].endswith("END;\n$$")


@pytest.mark.parametrize("nonsense", ["helo", "42", "<<<<<<< HEAD"])
def test_a_line_without_one_word_of_sql_is_a_statement_too(nonsense: str) -> None:
    """PostgreSQL's scanner passes over what holds no keyword; a report has to name it all the same."""
    assert lines(f"SELECT 1;\n{nonsense};\nSELECT 2;") == [(1, "SELECT 1"), (2, nonsense), (3, "SELECT 2")]


def test_a_quote_that_never_ends_hides_nothing_before_it() -> None:
    found = lines("SELECT 1;\nSELECT 2;\nSELECT 'never ended;\nSELECT 3;\n")
    assert found[:2] == [(1, "SELECT 1"), (2, "SELECT 2")]
    assert found[2][0] == 3
