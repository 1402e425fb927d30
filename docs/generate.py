"""Makes the reference pages from the code: commands from their help, settings from the dataclasses of their rules, and
codes from the calls that give them. ``mkdocs.yml`` names this file as a hook, so the pages are never older than the
code. The committed pages of the same names say how to make these.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import tomllib
import typing
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import supavex
from supavex.cli.main import COMMANDS, cli
from supavex.mapping.rejections import REJECTIONS
from supavex.settings import rules
from supavex.settings.settings import Settings

SOURCE = Path(supavex.__file__).parent
#: The fix for each code of a served deployment.
FIXES = {
    code: fix
    for codes, fix in tomllib.loads((Path(__file__).parent / "served.toml").read_text(encoding="utf-8")).items()
    for code in codes.split()
}
#: The form of a code: words that each begin with a capital letter.
_CODE = re.compile(r"(?:[A-Z][a-z0-9]+){2,}[A-Z]?|Deleted|Banned|Rejected|Anonymous|Unconfirmed")
_SEVERITIES = ("error", "warning", "note")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages (mkdocs calls this)."""
    for path, text in pages().items():
        kept = files.get_file_from_path(path)
        if kept is not None:
            files.remove(kept)
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """The generated pages, by their paths below ``docs``."""
    return {
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "reference/codes.md": codes_page(),
        "rejected-rows.md": rejections_page(),
    }


# Commands


def commands_page() -> str:
    """Every command with its help."""
    lines = [
        "# Commands",
        "",
        "`supavex help COMMAND` prints the help of one command. Exit codes are 0 for good, 1 for findings, and 2 for",
        "misuse or a missing piece.",
        "",
    ]
    lines += ["```text", _help(cli, "supavex"), "```", ""]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        lines += [f"## supavex {name}", "", COMMANDS[name], "", "```text", _help(command, f"supavex {name}"), "```", ""]
    return "\n".join(lines)


def _help(command: click.Command, name: str) -> str:
    with click.Context(command, info_name=name, max_content_width=100, terminal_width=100) as context:
        return command.get_help(context)


# Settings


_TABLES = (
    ("The project", "", Settings),
    ("A table", "[tables.TABLE]", rules.TableRule),
    ("A column", "[tables.TABLE.columns.COLUMN] or [columns.COLUMN]", rules.ColumnRule),
    ("A field without a column", "[tables.TABLE.fields.FIELD]", rules.FieldRule),
    ("Stored files", "[storage]", rules.StorageRule),
    ("Users", "[users]", rules.UsersRule),
)
#: The key in supavex.toml of each field of ``Settings``. None: the field is not in the file.
_NAMES = {
    "root": None, "config": None, "migrations_chosen": None, "database_url_place": None, "tables": None,
    "columns": None, "users": None, "storage": None,
    "schema_file": "schema", "convex_folder": "convex", "lock_file": "lock", "seeds": "source.seed",
    "migrations": "source.migrations", "database_url": "source.database_url, source.database_url_env",
    "schemas": "source.schemas", "replay_gb": "source.replay_gb", "replay_minutes": "source.replay_minutes",
    "postgres_bin": "source.postgres_bin",
}  # fmt: skip


def settings_page() -> str:
    """The page of settings: every setting of supavex.toml, with its type and default from the code."""
    lines = [
        "# Settings",
        "",
        "This page lists the settings of supavex.toml with their types and defaults.",
        "[supavex.toml by example](../configuration.md) describes each setting. For an unknown key, the error suggests",
        "the nearest name.",
        "",
    ]
    for title, header, kind in _TABLES:
        lines += [
            f"## {title}",
            "",
            *([f"`{header}`", ""] if header else []),
            "| setting | type | default | meaning |",
            "|---|---|---|---|",
        ]
        comments = _comments(kind)
        types = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            name = _NAMES.get(field.name, field.name) if kind is Settings else field.name
            if name is None or (kind is rules.TableRule and field.name in ("columns", "fields")):
                continue
            name = "for" if kind is rules.UsersRule and name == "kind" else name
            lines.append(
                f"| `{name}` | {_type(types[field.name])} | {_default(field)} | {comments.get(field.name, '')} |"
            )
        said = inspect.getdoc(kind) or ""
        lines += ["", *_meanings(said), ""]
    return "\n".join(lines)


def _meanings(doc: str) -> list[str]:
    """A docstring's text after its first paragraph, or all of it, as lines of Markdown."""
    return _markdown(doc.partition("\n\n")[2] or doc).splitlines()


def _markdown(text: str) -> str:
    return re.sub(r":(?:class|data):`[~.\w]*?(\w+)`", r"`\1`", text).replace("``", "`")


def _comments(kind: type) -> dict[str, str]:
    """The comment (``#:``) above each field of a class."""
    found, said = {}, []
    for line in inspect.getsource(kind).splitlines():
        if line.strip().startswith("#: "):
            said.append(line.strip()[3:])
        elif said:
            found[line.strip().partition(":")[0]] = _markdown(" ".join(said)).replace("|", r"\|")
            said = []
    return found


def _type(kind: object) -> str:
    args = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f'`"{value}"`' for value in args)
    if (args and typing.get_origin(kind) in (tuple, dict)) or "Mapping" in str(kind):
        return "a list of strings" if typing.get_origin(kind) is tuple else "a table"
    if args:
        return " or ".join(dict.fromkeys(_type(arg) for arg in args if arg is not type(None)))
    names = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    return names.get(kind, str(kind))  # type: ignore[call-overload, no-any-return]


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is dataclasses.MISSING or field.default in (None, ()):
        return ""
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else repr(field.default)}`".replace(
        "'", '"'
    )


# Codes


@dataclass(frozen=True)
class Given:
    """A call in the code that gives a code: its room, the severity, an example of the message, and the fix."""

    code: str
    room: str
    severity: str
    message: str
    fix: str


def codes_page() -> str:
    """The page of codes: every code of an error or a finding, with an example and the fix."""
    lines = [
        "# Errors and findings",
        "",
        "An error ends a command. `supavex check` lists findings. Each error and each finding has a stable code, which",
        "`--json` prints too. `…` stands for names and numbers of your project.",
        "[Rejected rows](../rejected-rows.md) have a page of their own.",
        "",
    ]
    by_code: dict[str, list[Given]] = defaultdict(list)
    for given in found_codes():
        by_code[given.code].append(given)
    for title, about, rooms in _SECTIONS:
        here = {code: [g for g in all_ if g.room in rooms] for code, all_ in by_code.items()}
        here = {code: all_ for code, all_ in sorted(here.items()) if all_}
        lines += [f"## {title}", "", about, ""]
        for code, all_ in here.items():
            lines += _code(code, all_)
    return "\n".join(lines)


_SECTIONS = (
    (
        "Commands",
        "A command prints one of these errors if it can't do its task.",
        ("cli", "settings", "postgres", "migrate", "convex_cli", "library", "usage", "rules", ""),
    ),
    (
        "The schema and the source",
        "These are the findings of `supavex check`, and the errors of the schema compiler.",
        ("mapping", "convex"),
    ),
    (
        "A served deployment",
        "`supavex serve` answers clients and Convex's CLI with these codes. They are Convex's own codes, "
        "and Convex's documentation explains them.",
        ("deployment",),
    ),
)


def _code(code: str, places: list[Given]) -> list[str]:
    severity = next((given.severity for given in places if given.severity), "error")
    lines = [f"### {code}", "", f"*{severity}*", ""]
    for (message, fix), _ in example_and_fix(code, places):
        lines += [f"> {_escaped(message)}", "", *([f"{_escaped(fix)}", ""] if fix else [])]
    return lines


def example_and_fix(code: str, places: list[Given]) -> list[tuple[tuple[str, str], str]]:
    """Up to four examples of a code's message, each with its fix, and the severity there."""
    example, more = _MORE.get(code, ("", FIXES.get(code, "")))
    seen: dict[tuple[str, str], str] = {}
    for given in places:
        if given.message:
            seen.setdefault((given.message, given.fix), given.severity)
    if not seen and example:
        seen[example, ""] = ""
    found = [((message, fix or more), severity) for (message, fix), severity in seen.items()]
    # Examples with a fix come first.
    return sorted(found, key=lambda one: not one[0][1])[:4]


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_\[\]|])", r"\\\1", text)


def found_codes() -> Iterator[Given]:
    """Every code that a call in the code gives, with its message and fix if they are literals there."""
    for file in sorted(SOURCE.rglob("*.py")):
        room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        room = room if (SOURCE / room).is_dir() else ""
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = _assigned(tree)
        for function in [tree, *(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))]:
            names = {**constants, **(_assigned(function) if function is not tree else {})}
            for call in _calls(function):
                yield from _given(call, room, names)


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    """The calls in a function, without those of its inner functions."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from _calls(node)


def _assigned(tree: ast.AST) -> dict[str, str]:
    """The strings that a function (or a module) assigns to names, including ``+=``."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = _text(node.value, found)
            if text:
                found.setdefault(node.targets[0].id, text)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in found:
            found[node.target.id] += _text(node.value, found)
    return found


def _text(node: ast.AST | None, names: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, names) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left, names) + _text(node.right, names)
    if isinstance(node, ast.IfExp):
        return _text(node.body, names) or _text(node.orelse, names)
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Call):
        return _text(node.func.value, names) if isinstance(node.func, ast.Attribute) else ""
    return ""


#: The example and the fix of codes whose message or fix the code builds from pieces. "": use the text in the code.
_MORE = {
    "CannotUseFile": ("Permission denied.", "Let this user read and write there, or name another file."),
    "LoginRefused": (
        'PostgreSQL answers, and refuses: password authentication failed for user "postgres"',
        "Take the message's next step: reset the password, copy the address again from Connect in the dashboard, …",
    ),
    "AllowedValueTwice": ("", "Name each value of one_of once."),
    "AuthConfigMissingEnvironmentVariable": (
        "auth.config.ts uses a variable that is not set",
        "`npx convex env set NAME value`.",
    ),
    "CannotConnect": ("", "Check the host, the port and the network, and take the next step of the message."),
    "DuplicateTableName": ("", "Export again: the archive is damaged, or was made by hand."),
    "EmptyIndex": ("", "Name at least one field, or remove the index."),
    "EmptyRange": ("", "Correct ge, gt, le and lt so that a number fits between them."),
    "EmptyUnion": ("v.union() without members", "Name at least one member."),
    "FieldsNotUniqueWithinIndex": ("an index names a field twice", "Name each field once."),
    "FileDoesNotFit": (
        "file = … stands at a column whose type can't become a file",
        "Name a column of text, varchar, json, jsonb or bytea, or another rule.",
    ),
    "FilesRun": (
        "2 files of schemas/ are run before the migrations",
        "Do nothing: the note lists the files that are run ([running files](../running-files.md)).",
    ),
    "FunctionFailed": ("the function threw an error", "Read its message and stack: the app's own function threw it."),
    "IndexFieldNameReserved": ("", "Remove the field from the index: Convex appends _creationTime itself."),
    "IndexNotUnique": ("two indexes have the same fields", "Remove one of them."),
    "IndexTooManyFilterFields": ("", "Name at most 16 filter fields."),
    "InvalidArchive": ("", "Make the archive again: `supavex migrate --out FILE.zip`, or `npx convex export`."),
    "InvalidClerkList": (
        "the file is not a list of Clerk's users",
        "Export it again from Clerk's API: a JSON array of users.",
    ),
    "InvalidDatabaseUrl": (
        "this is not a PostgreSQL connection string.",
        "Write postgresql://user:password@host:5432/database, with the password percent-encoded.",
    ),
    "InvalidDocumentError": ("Convex refuses a document", "Correct the value that the message names."),
    "InvalidExpression": ("the sql of a column: column t.nam does not exist", "Correct the expression; t is the row."),
    "InvalidEnvVarDeclaration": (
        "Env var `KEY` on the app has a non-string validator.",
        'Declare it with v.string(), v.literal("…"), or a union of those.',
    ),
    "InvalidId": ("", "Use the id of a document of this table."),
    "InvalidIndexField": ("", "Remove the field from the index: Convex appends _creationTime itself."),
    "InvalidLiteral": ("", "Use a text, a number or a boolean; v.literal_int64(5) is for a bigint."),
    "InvalidPattern": ("the pattern is not a regular expression", "Correct the regular expression."),
    "InvalidSchemaExport": ("", "Build and push the schema again: `supavex build`, `supavex deploy`."),
    "InvalidStorageFile": ("", "Export again: the archive is damaged, or was made by hand."),
    "InvalidTableName": ("", "Rename the table: letters, digits and underscores, a letter first."),
    "InvalidVectorDimensions": ("", "Give dimensions from 2 to 4096."),
    "JobChanged": ("", "Run the command again."),
    "NoArchive": ("", "Check the path: `supavex migrate --out FILE.zip` writes one."),
    "NoAuthProvider": (
        "no provider of auth.config.ts takes the token",
        "Name the issuer in auth.config.ts, and push.",
    ),
    "NoBundle": ("there is no convex.bundle.json", "`supavex bundle` makes it."),
    "NoClerkList": ("", "Check the path: the file is Clerk's list of its users as JSON."),
    "NoExample": ("", "Install supavex from a checkout, or from its own wheel."),
    "NoSeed": ("", "Correct `seed` in supavex.toml, or remove it."),
    "NotRun": ("", "Do nothing if the file is not meant to run. Otherwise see [running files](../running-files.md)."),
    "NothingToRestore": ("", "Name an archive or an export of this project."),
    "OldState": ("", "Delete the files that the message names. The next command makes them again."),
    "Rejected": ("", "Fix the row as its own code says: see [rejected rows](../rejected-rows.md)."),
    "ReplayTooLarge": ("", "Raise replay_gb in supavex.toml, or run fewer files."),
    "ReplayTooSlow": (
        "the files have run for 15 minutes, and 15 are allowed",
        "Raise replay_minutes in supavex.toml, or run fewer files.",
    ),
    "SchemaSyntaxError": (
        "'(' was never closed.",
        "The line is not valid Python. Check for a missing bracket, comma or quote there, or on the line before.",
    ),
    "SearchFieldNotString": ("", "Name a string field."),
    "SearchIndexFieldNotUnique": ("two search indexes have the same field", "Remove one of them."),
    "ServerNotStarted": (
        "",
        "Read the server's last lines in the message: a port in use, or a full disk, for example.",
    ),
    "SessionHeld": ("", "Wait for the other test session, or end it."),
    "StaleBundle": ("convex/articles.ts has changed since", "Run `supavex bundle`."),
    "StatementFailed": (
        'the statement failed: relation "x" does not exist',
        "Fix the file, or use a live database (database_url).",
    ),
    "TableNameLikeStorage": ("", "Rename the table, so that its name does not end with _storage."),
    "TableWithoutSource": ("", "Do nothing if the app fills the table itself."),
    "TooManyFieldsError": ("", "Move some fields into a table of their own, or into one object."),
    "TooManyTables": ("", "Leave tables behind: skip in supavex.toml."),
    "TooNestedError": ("", "Nest validators less deeply, or use v.any()."),
    "VectorIndexFieldNotUnique": ("two vector indexes have the same field", "Remove one of them."),
    "WorkerFailed": ("", "Read the message: the worker raised it. Run the command again. It keeps the finished parts."),
}
#: Calls that pass a code on or compare it. They do not give the code.
_NOT_GIVEN = (
    "reads",  # a kind of PostgreSQL's parse tree
    "get",
    "compile",
    "isinstance",
    "getattr",
    "execute",
    "startswith",
    "endswith",
    "append",
    "Step",
    "section",
    "LogLine",
    "defstruct",
)


def _given(call: ast.Call, room: str, names: dict[str, str]) -> Iterator[Given]:
    callee = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    place = next((index for index, argument in enumerate(call.args) if _codes(argument)), None)
    if place is None or callee in _NOT_GIVEN:
        return
    texts = [_text(argument, names) for argument in call.args[place + 1 :]]
    severity = next((text for text in texts if text in _SEVERITIES), "")
    sentences = [text for text in texts if " " in text]
    hints = [_text(keyword.value, names) for keyword in call.keywords if keyword.arg in ("hint", "fix")]
    message = sentences[0] if sentences else ""
    fix = next((hint for hint in hints if hint), sentences[-1] if len(sentences) > 1 else "")
    for code in _codes(call.args[place]):
        if code not in REJECTIONS or callee in ("Diagnostic", "SupavexError", "UsageError", "_finding"):
            yield Given(code, room, severity, message, fix)


def _codes(node: ast.AST) -> list[str]:
    """The codes that an argument can be: none, one, or one of two."""
    if isinstance(node, ast.IfExp):
        return _codes(node.body) + _codes(node.orelse)
    is_code = isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value)
    return [node.value] if is_code else []  # type: ignore[attr-defined]


# Rejected rows


def rejections_page() -> str:
    """The page of rejected rows: each code with its reason, an example and the fixes."""
    kept = (Path(__file__).parent / "rejected-rows.md").read_text(encoding="utf-8")
    lines = [kept.partition("\n`supavex migrate` prints")[0]]
    for code, rejection in REJECTIONS.items():
        lines += [f"## {code}", "", rejection.why, "", f"For example: {rejection.example}.", ""]
        if rejection.toml:
            lines += ["In supavex.toml, one of these lines:", "", "```toml", "[tables.TABLE.columns.COLUMN]"]
            lines += [rejection.toml[0], *(f"# {line}" for line in rejection.toml[1:]), "```", ""]
        if rejection.schema:
            lines += [f"**In schema.py:** {rejection.schema}", ""]
        if rejection.source:
            lines += [f"**In PostgreSQL:** {rejection.source}", ""]
        lines += [f"**The effect on others:** {rejection.rest}", ""]
    return "\n".join(lines)
