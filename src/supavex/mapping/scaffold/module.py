"""The text of schema.py: a new file, or an existing one with added tables."""

from __future__ import annotations

import ast
import tomllib

from supavex.errors import SupavexError
from supavex.mapping.scaffold.definitions import Scaffolded

_IMPORT = "from supavex.schema import define_schema, define_table, v\n"


def new_file(scaffolded: Scaffolded) -> str:
    """A whole schema.py."""
    names = "".join(f"{name} = {text}\n" for name, text in scaffolded.unions.items())
    auth = "    **auth_tables(),\n" if scaffolded.convex_auth else ""
    schema = "schema = define_schema({\n" + auth + "\n".join(scaffolded.tables.values()) + "})\n"
    imported = _IMPORT.replace("import ", "import auth_tables, ", 1) if scaffolded.convex_auth else _IMPORT
    return imported + (f"\n{names}" if names else "") + f"\n{schema}"


def insert(text: str, scaffolded: Scaffolded, shown: str) -> str:
    """``text`` (a schema.py) with the definitions added at the end of its ``define_schema({…})``.

    The existing text is not changed. Raises :class:`~supavex.errors.SupavexError` if the call has no such literal.
    """
    place = _end_of_tables(text)
    if place is None:
        raise SupavexError(
            "CannotInsert",
            "the file does not call define_schema({…}) with a literal that definitions can be added to.",
            where=shown,
            hint="`supavex scaffold --stdout` prints them instead.",
        )
    lines = text.splitlines(keepends=True)
    position = sum(len(line) for line in lines[: place[0] - 1]) + len(
        lines[place[0] - 1].encode()[: place[1] - 1].decode()
    )
    before, after = text[:position].rstrip(), text[position:]
    before = _with_names(before, text, scaffolded)
    comma = "" if before.endswith(("{", ",")) else _comma(before)
    return before + comma + "\n" + "\n".join(scaffolded.tables.values()) + after


def _with_names(before: str, text: str, scaffolded: Scaffolded) -> str:
    """``before`` with those lists that the definitions use and ``text`` lacks, after its imports."""
    tree = ast.parse(text)
    bound = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    new = [f"{name} = {value}\n" for name, value in scaffolded.unions.items() if name not in bound]
    imports = [node.end_lineno or 0 for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if not new:
        return before
    lines = before.splitlines(keepends=True)
    place = max(imports, default=0)
    return "".join([*lines[:place], "\n", *new, *lines[place:]])


def with_rules(text: str, scaffolded: Scaffolded, shown: str) -> str:
    """``text`` (a supavex.toml) with the scaffold's lines: under the table's header if there is one, else at the end.

    Raises :class:`~supavex.errors.SupavexError` if the result is not TOML, because existing rules have another
    notation.
    """
    lines, added = text.rstrip().splitlines(), list[str]()
    place: int | None = None
    for line in scaffolded.toml:
        if line.startswith("["):
            place = next((number for number, own in enumerate(lines) if own.strip() == line), None)
        if place is None:
            added.append(line)
        elif line and not line.startswith("["):
            place += 1
            lines.insert(place, line)
    whole = "\n".join([*lines, *([""] if lines and added[:1] != [""] else []), *added]).strip() + "\n"
    try:
        tomllib.loads(whole)
    except tomllib.TOMLDecodeError as error:
        raise SupavexError(
            "CannotInsert",
            f"the new rules can't be added to the present ones: {error}.",
            where=shown,
            hint="`supavex scaffold --stdout` prints them instead.",
        ) from None
    return whole


def _comma(before: str) -> str:
    # If a comment follows the last entry, a comma on its line would be part of the comment.
    return "\n    ," if "#" in before.rpartition("\n")[2] else ","


def _end_of_tables(text: str) -> tuple[int, int] | None:
    """The line and column (1-based, in bytes) after the last entry of ``define_schema``'s literal."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name | ast.Attribute)
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == "define_schema"
            and node.args
            and isinstance(node.args[0], ast.Dict)
        ):
            literal = node.args[0]
            assert literal.end_lineno is not None
            assert literal.end_col_offset is not None
            return literal.end_lineno, literal.end_col_offset
    return None
