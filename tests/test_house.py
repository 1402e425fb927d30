"""The house keeps its plan: lint sees an arrow that may not be, and every test lies where its room is."""

from __future__ import annotations

import ast
import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.projects import ROOT

FORBIDDEN = {
    "the proof may not use the copy's encoder": (
        "migrate/proof/run.py",
        "from supavex.migrate.copy.encoding import encoder as _",
    ),
    "the proof may not use the copy's SQL": (
        "migrate/proof/comparison.py",
        "from supavex.mapping import row_sql as _",
    ),
    "the proof may not use the copy's SQL of keys": (
        "migrate/proof/source_sql.py",
        "from supavex.mapping.key_sql import key_text_sql as _",
    ),
    "the copy may not use the text that the proof reads": (
        "migrate/copy/encoding/query.py",
        "from supavex.mapping.seen_text import seen_text as _",
    ),
    "the copy may not use the proof": ("migrate/copy/run.py", "from supavex.migrate.proof import comparison as _"),
    "restore may not use the copy": ("migrate/restore/run.py", "from supavex.migrate.copy import parts as _"),
    "a room below may not use one above": ("mapping/plan.py", "from supavex.migrate import migration as _"),
    "the database may not use functions": (
        "deployment/database/engine.py",
        "from supavex.deployment.functions import functions as _",
    ),
    "PostgreSQL knows nothing of Convex": ("postgres/catalog.py", "from supavex.convex import ids as _"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [linter, "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source and of the contracts."""
    path = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "src", path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", path)
    return path


def test_the_house_is_in_order(tree: Path) -> None:
    ran = lint(tree)
    assert (ran.returncode, "0 broken" in ran.stdout) == (0, True), ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("why", FORBIDDEN)
def test_lint_sees_an_arrow_that_may_not_be(tree: Path, why: str) -> None:
    place, line = FORBIDDEN[why]
    module = tree / "src/supavex" / place
    text = module.read_text()
    try:
        # Hidden in a function too: that gets around no layer.
        module.write_text(f"{text}\n\ndef hidden() -> None:\n    {line}\n")
        ran = lint(tree)
    finally:
        module.write_text(text)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "is not allowed to import" in ran.stdout


def test_a_new_room_has_a_place(tree: Path) -> None:
    room = tree / "src/supavex/migrate/attic.py"
    room.write_text('"""A room that no contract knows."""\n')
    try:
        ran = lint(tree)
    finally:
        room.unlink()
    assert ran.returncode == 1
    assert "not listed as layers" in ran.stdout


#: What mapping says of how the copy reads a value, in SQL, beside the modules that the linter forbids.
COPYS_SQL = {
    "mapping/conversions/conversion.py": {"select", "guards", "quick"},
    "mapping/large_values.py": {"text_sql", "large_sql", "row_id_sql", "id_sql"},
}


def test_the_proof_takes_nothing_of_the_sql_that_the_copy_reads_a_value_with() -> None:
    for module, names in COPYS_SQL.items():
        text = (ROOT / "src/supavex" / module).read_text()
        assert all(re.search(rf"\b{name}\b", text) for name in names), f"{module} has other names now"
    forbidden = set().union(*COPYS_SQL.values())
    used = {
        (path.name, node.attr)
        for path in (ROOT / "src/supavex/migrate/proof").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in forbidden
    }
    # A record batch has a method of that name.
    assert used == {("table.py", "select")}


#: Rooms without a folder of tests of their own: where their tests lie, and why.
ELSEWHERE = {
    ".": ("", "the tests of single modules lie beside the folders"),
    "cli/reports": ("cli", "a report is tested by the command that prints it"),
    "deployment": ("deployment/database", "a deployment is its rooms together"),
    "migrate/storage": ("cli", "stored files are tested by the commands that move them"),
    "rules/parse": ("rules", "SQL is tested by what it means on both sides"),
}
#: Folders of tests that belong to no room: whole programs, behaviours that cross rooms, and the official tools.
CROSSING = {"behaviour", "browser", "official", "scenarios"}


def rooms(root: Path, pattern: str) -> set[str]:
    """The folders below ``root`` with files of that pattern, as relative paths."""
    return {
        path.parent.relative_to(root).as_posix() for path in root.rglob(pattern) if "node_modules" not in path.parts
    }


def test_the_tests_of_a_room_lie_in_the_folder_of_its_name() -> None:
    # Room by room, and not module by module: a small module is tested through its room's doors, by what they do.
    source = rooms(ROOT / "src/supavex", "__init__.py")
    tests = rooms(ROOT / "tests", "test_*.py")
    assert source - tests == ELSEWHERE.keys() - {"."}
    assert tests - source == CROSSING
    assert [folder for folder, _ in ELSEWHERE.values() if not list((ROOT / "tests" / folder).glob("test_*.py"))] == []


def test_the_page_of_the_house_names_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    _, _, text = page.partition("## The way of a row")
    there = [path.as_posix() for room in ("src/supavex", "tests/behaviour") for path in (ROOT / room).rglob("*.py")]
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", text)
    assert len(named) > 30
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []


#: Public names with several homes in one room, and why.
ONE_NAME_IN_A_ROOM = {
    "T": "a type variable",
    "command": "each command of the CLI has one",
    "report_lines": "each report of the CLI has its lines",
    "LISTED": "each report lists so many of a kind",
    "integers": "the copy and the proof read integers each in its own way",
    "micros": "the copy and the proof read microseconds each in its own way",
    "value_text": "a value as Convex's messages write it, and as TypeScript does",
    "SECONDS": "each part of a deployment has its own limit",
    "Page": "a page of the dashboard, and one of a query's results",
    "Found": "what the dashboard reads, and what a text search finds",
    "Answer": "of an outgoing request, and of a session's",
    "Arguments": "of a call, of an operation, and of a system function",
    "MAX_BODY_BYTES": "of the server, and of the app's own HTTP actions",
    "answer": "of an operation, and of a call over HTTP",
    "canonical": "a function's path, and a system function's",
    "fail_interrupted": "cron jobs, and jobs of the server",
    "job_documents": "of cron jobs, and of the server's jobs",
    "remove": "of a file, and of a document",
    "write_body": "into the store, and from a request",
    "Condition": "as a chain of calls states it, and as the advice writes it",
    "Source": "of a policy's columns, and of the rows of a query",
}
#: Public names that several rooms have for something of their own, and why.
ONE_NAME_IN_ROOMS = {
    "a term of Convex's and of PostgreSQL's, each for its own thing": """
        Array Catalog Document Expression Field Function Index Reference Row Rows Snapshot Statement Storage Table
        Value interval literal parsed quoted remove""",
    "one rule, which the copy states and the proof states again": "EARLIEST LATEST parent_sql reference_sql",
    "one family of types, in the conversions and in what reads or writes it": "arrays booleans integers micros texts",
    "one verb of the library and what it does": "inspect",
    "a limit, a constant or a count of each room": """
        COMMANDS ENV_FILES KINDS LARGE_BYTES LISTED Limits MAX_BYTES MAX_DEPTH NOBODY OPERATIONS PARSE_SECONDS SECONDS T
        WIDTH""",
    "a plain word, of rooms that have nothing else in common": """
        Address Answer Arguments Asked Attempt Binding Budget Call Choice Failure Filter Guard Handler Kind
        Log Mismatch Module Name NewFile Outcome Place Query Report Rules Sides Source Status Step Usage User Visibility
        Writer Written
        address_of binary call canonical choose condition data_folder described expression held index_for insert joined
        json_text member nearest printed same start type_text validator_text value_text with_rules words""",
}


def public_names(module: Path) -> set[str]:
    """The public names that a module defines at its top."""
    found = set[str]()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def test_a_public_name_has_one_meaning() -> None:
    source = ROOT / "src/supavex"
    homes: dict[str, list[str]] = {}
    for path in sorted(source.rglob("*.py")):
        for name in public_names(path):
            homes.setdefault(name, []).append(path.relative_to(source).parts[0])
    in_a_room = {name for name, rooms in homes.items() if len(set(rooms)) < len(rooms)}
    assert in_a_room == ONE_NAME_IN_A_ROOM.keys(), "give the new one another name, or say here why not"
    in_rooms = {name for name, rooms in homes.items() if len(set(rooms)) > 1}
    reviewed = [name for names in ONE_NAME_IN_ROOMS.values() for name in names.split()]
    assert sorted(in_rooms) == sorted(reviewed), "give the new one another name, or say here why not"


#: Modules that are named like a neighbour and a suffix, and why.
LIKE_A_NEIGHBOUR = {
    "convex/schema_changes": "what a push changes of a schema",
    "convex/schema_json": "Convex's JSON of a schema",
    "deployment/server/session_requests": "the requests of a session",
    "mapping/check_constraints": "PostgreSQL's term; `check` is the command's",
}


def test_no_module_is_named_like_its_neighbour_and_a_suffix() -> None:
    source = ROOT / "src/supavex"
    modules = {path.relative_to(source).with_suffix("").as_posix() for path in source.rglob("*.py")}
    alike = {name for name in modules if any(name.startswith(f"{other}_") for other in modules)}
    assert alike == LIKE_A_NEIGHBOUR.keys()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("supavex", cache_dir=None)
    # A program that is run by its name imports itself, so that what it sends is of the classes that others know.
    arrows = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    assert list(TopologicalSorter(arrows).static_order())


#: Words that make a sentence a riddle, or that another word has replaced. The term stands in their place.
RIDDLES = re.compile(
    r"""\b(?:nobody|whoever|whatever|whichever|whose\ it\ is|own\ business|of\ which\ nobody|what\ becomes\ of
    |what\ (?:is|are|was)\ there|what\ there\ is|what\ it\ comes\ to|can't\ be\ (?:had|told)|says\ so\ of
    |mends?|mended|moments?
    |(?<!there\ )is\ no\ (?:JSON|UTF-8|TOML|SQL|id|key|text|array|object|number|table|file|document)
    |what\ is\ no|goes\ by|good\ and\ all)\b""",
    re.VERBOSE | re.IGNORECASE,
)
#: Uses of these words that are terms.
TERMS = (
    "as nobody and",
    "user ``nobody``",
    "tested: nobody",
    "None: nobody is signed in",
    "caller of a function: nobody",
)


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """The docstrings and comments of a module, each with its line."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_the_prose_of_the_code_has_no_riddles() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in sorted((ROOT / "src/supavex").rglob("*.py"))
        for line, sentence in sentences(path)
        for plain in [functools.reduce(lambda text, term: text.replace(term, ""), TERMS, " ".join(sentence.split()))]
        for match in [RIDDLES.search(plain)]
        if match is not None
    ]
    assert found == [], "say the term: who or what it is"


#: What is larger than the rule says, and why it reads better so.
LARGER = {
    "convex/schema.py": "the schema language is one page: an editor shows it whole",
    "convex/schema.py int64": "each parameter is a rule of a field, by name",
    "convex/schema.py number": "each parameter is a rule of a field, by name",
    "deployment/database/engine.py Engine": "one lock guards all of it",
    "deployment/database/paging.py OpenQuery": "how far one reader is: the parts change together",
    "deployment/database/usage.py Usage": "a number for each of Convex's limits",
    "deployment/functions/outcome.py Outcome": "what the caller, the log and the dashboard are told of one call",
    "deployment/functions/syscalls.py Frame": "what an operation may use of the function that asks for it",
    "deployment/runtime/runner.py Runner": "how far one process is with its run: the parts change together",
    "deployment/server/host.py Host": "the place where the parts of a server meet",
    "mapping/coverage.py _finding": "each parameter is a part of a finding, most by default",
    "mapping/large_values.py file_problem": "each parameter is a reason why a column can't become a file",
    "mapping/plan.py TablePlan": "all that is decided of one table",
    "migrate/copy/results.py TableResult": "a count for each column of the report",
    "migrate/proof/digests/table.py TableDigests": "how both sides of one table become numbers; only read",
    "migrate/proof/findings.py TableProof": "a count for each column of the report",
    "migrate/storage/buckets.py BucketFiles": "a count for each line of the report",
    "migrate/users/report.py UsersReport": "a count for each line of the report",
    "postgres/file_run.py FileRun": "how far one file has run, and what failed in it",
    "usage/finding/queries.py Query": "each field is one clause of a query",
}


def too_large(path: Path) -> Iterator[str]:
    """What of a module is larger than the rule: by its name, or the module's and its own."""
    name = path.relative_to(ROOT / "src/supavex").as_posix()
    tree = ast.parse(path.read_text())
    if len(path.read_text().splitlines()) > 400:
        yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = [each for each in arguments if each.arg not in ("self", "cls")]
            # Click hands a command each of its options by name.
            option = any("click" in ast.unparse(each) for each in node.decorator_list)
            if node.end_lineno - node.lineno >= 80 or (len(named) > 6 and not option):
                yield f"{name} {node.name}"
        if isinstance(node, ast.ClassDef) and len(mutable_fields(node)) > 12:
            yield f"{name} {node.name}"


def mutable_fields(node: ast.ClassDef) -> set[str]:
    """The fields of a class that may change: what ``self`` is given, and those of a dataclass that is not frozen."""
    made = [ast.unparse(each) for each in node.decorator_list]
    if any("frozen=True" in each for each in made):
        return set()
    fields = {
        each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    stored = (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
    own = {each.attr for each in stored if isinstance(each.value, ast.Name) and each.value.id == "self"}
    return (fields if made else set()) | own


def test_nothing_is_larger_than_a_reader_holds() -> None:
    found = {name for path in sorted((ROOT / "src/supavex").rglob("*.py")) for name in too_large(path)}
    assert found - LARGER.keys() == set(), "cut it, or say why it reads better whole"
    assert LARGER.keys() - found == set(), "no longer larger"


def unexplained(path: Path) -> Iterator[str]:
    """The fields of a module's classes of more than five fields that no ``#:`` comment explains."""
    lines = path.read_text().splitlines()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef):
            continue
        made = [ast.unparse(each) for each in (*node.decorator_list, *node.bases)]
        fields = [
            each
            for each in node.body
            if isinstance(each, ast.AnnAssign) and not ast.unparse(each.annotation).startswith("ClassVar")
        ]
        if len(fields) > 5 and any(re.search(r"\b(?:dataclass|NamedTuple|TypedDict|Struct)\b", each) for each in made):
            for each in fields:
                above, own = lines[each.lineno - 2].strip(), lines[each.lineno - 1 : each.end_lineno]
                if not above.startswith("#") and not any("#: " in line for line in own):
                    yield f"{path.relative_to(ROOT)}:{each.lineno}: {node.name}.{ast.unparse(each.target)}"


def test_a_class_of_many_fields_explains_each_at_the_field() -> None:
    found = [line for path in sorted((ROOT / "src/supavex").rglob("*.py")) for line in unexplained(path)]
    assert found == [], "say at the field: the unit, what an empty value means, where it comes from"


def test_no_file_has_a_server_of_its_own_for_importing_the_shared_one() -> None:
    """A fixture that a file imports is another one there: of a session's server, each such file would start its own."""
    shared = ROOT / "tests/databases.py"
    fixtures = {
        node.name
        for node in ast.parse(shared.read_text()).body
        if isinstance(node, ast.FunctionDef) and any("pytest.fixture" in ast.unparse(d) for d in node.decorator_list)
    }
    imported = {
        f"{path.relative_to(ROOT)}: {name.name}"
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "tests.databases"
        for name in node.names
        if name.name in fixtures
    }
    assert "server" in fixtures and imported == set()
