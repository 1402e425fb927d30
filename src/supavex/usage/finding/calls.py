"""Finds an app's uses of Supabase: queries, functions, sign-in, files, realtime channels, and clients."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from supavex.usage.finding.addresses import address_of
from supavex.usage.finding.bindings import Step
from supavex.usage.finding.clients import PACKAGE, Origin, Origins, find_origins
from supavex.usage.finding.queries import OPERATIONS, Query, canonical, read_steps
from supavex.usage.finding.sources import SourceFile, Sources
from supavex.usage.finding.syntax import PARSE_SECONDS, Chain, Syntax, parse
from supavex.usage.finding.values import Value

UseKind = Literal["table", "rpc", "auth", "storage", "realtime", "function", "client"]
#: A file without any of these words is not parsed.
_WORTH = re.compile(
    rb"supabase|\.\s*(?:from_?|table|channel)\s*[.<(?]|\b(?:rpc|auth|storage|functions|realtime|exports)\b"
    rb"|\bexport\s*(?:[*{]|default\b)|/v1\b",
    re.IGNORECASE,
)
#: The most seconds of computing for all files together.
TOTAL_SECONDS = 600
_VARIABLE = re.compile(r"SUPABASE")
#: Other objects with a method ``from``.
_OTHERS = re.compile(
    r"^(\w*Array|Buffer|Object|Set|Map|String|(Async)?Iterator|Observable|knex|kysely|drizzle|qb|sql)$"
)
_EDGE = re.compile(r"(?:^|/)supabase/functions/([^/_][^/]*)/index\.[tj]sx?$")
_CHANNELS = frozenset({"removeChannel", "removeAllChannels", "getChannels", "remove_channel", "remove_all_channels"})


@dataclass(slots=True)
class Use:
    """One call of Supabase, at a line of a file."""

    #: The part of Supabase; ``client`` for the package's import and for a client that is made.
    kind: UseKind
    #: The file, relative to the app's folder.
    file: str
    #: The line, from 1.
    line: int
    #: The table, function, bucket, channel or package; empty if the code computes it.
    name: str
    #: The words for the action.
    what: str
    #: The code in place of a literal name.
    expression: str = ""
    #: The schema that the code names; empty for the default.
    schema: str = ""
    #: The query of a table; None for other uses.
    query: Query | None = None
    #: The table that a realtime channel listens to.
    table: str = ""
    #: Whether the object is known to be Supabase's. Otherwise it only looks like that.
    sure: bool = True

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True, eq=False)
class _Open:
    """A query in a variable, to which later lines may add."""

    use: Use
    scope: int
    branch: int

    @property
    def at(self) -> tuple[int, str]:
        """The identity of the variable in its file."""
        return self.use.line, self.use.name or self.use.expression


def find_uses(sources: Sources) -> list[Use]:
    """All uses, by file and line. Files that take too long to parse are added to the sources' left-out files."""
    files = []
    end = time.thread_time() + TOTAL_SECONDS
    for source in sources.files:
        if not _WORTH.search(source.text):
            continue
        if time.thread_time() > end:
            sources.left_out[source.path] = f"beyond {TOTAL_SECONDS} seconds of parsing in all"
            continue
        syntax = parse(source)
        if syntax is None:
            sources.left_out[source.path] = f"takes longer than {PARSE_SECONDS:g} seconds to parse"
        else:
            files.append(syntax)
    origins = find_origins(files)
    uses = [use for syntax in files for use in _File(syntax, origins).uses()]
    return sorted([*uses, *_edge_functions(sources.files)], key=lambda use: (use.file, use.line))


def _edge_functions(files: Sequence[SourceFile]) -> Iterator[Use]:
    for file in files:
        if found := _EDGE.search(file.path):
            yield Use("function", file.path, 1, found[1], "an edge function's own code")


@dataclass(slots=True)
class _File:
    #: The file's syntax.
    syntax: Syntax
    #: The origins of the clients in all files.
    origins: Origins
    #: Queries in variables, by the function that declares the variable and by its name.
    open: dict[tuple[int, str], _Open] = field(default_factory=dict)
    #: Those of ``open`` that only name their table, found by the first of two passes.
    tables: dict[tuple[int, str], _Open] = field(default_factory=dict)
    #: The same queries in the order of the file.
    bare: list[_Open] = field(default_factory=list)
    #: Identities of bare queries that a later line extends. Each such line is a use of its own.
    further: set[tuple[int, str]] = field(default_factory=set)

    def uses(self) -> Iterator[Use]:
        path = self.syntax.file.path
        for imported in self.syntax.imports:
            if PACKAGE.search(imported.module):
                yield Use("client", path, imported.line, imported.module, "import")
        for line, text in self.syntax.addresses:
            if (at := address_of(text)) is not None:
                yield Use(at.kind, path, line, at.name, at.what, at.expression, sure=at.sure)
        found = [use for chain in self.syntax.chains for use in self._chain(chain)]
        self.tables = {at: held for at, held in self.open.items() if held in self.bare}
        if self.tables:
            # A function may be above the variable whose query it extends.
            self.open, self.bare = {}, []
            found = [use for chain in self.syntax.chains for use in self._chain(chain)]
        self._say_passed()
        yield from found
        # A query that is exported or passed on may be extended in unseen code.
        yield from (held.use for held in self.bare if held.at not in self.further)

    def _say_passed(self) -> None:
        """Notes for each query in a variable that a function gets it as an argument and may add to it."""
        passed = {(self._declared(scope, name), name) for scope, name in self.syntax.passed}
        for at in passed & self.open.keys():
            use = self.open[at].use
            if use.query is not None and use.query.operation in ("select", "update", "delete"):
                use.query.others.append("a function that is given it")
                use.what = use.query.described()

    def _use(self, kind: UseKind, line: int, name: str, what: str) -> Use:
        return Use(kind, self.syntax.file.path, line, name, what)

    def _chain(self, chain: Chain) -> Iterator[Use]:
        steps = chain.steps
        walked = self.origins.walk(self.syntax.file.path, steps, chain.scope)
        yield from self._clients(steps, walked)
        held = self._held(chain)
        if held is not None:
            yield from self._more(chain, held)
            return
        steps, walked = _spelled_out(steps, walked)
        for at, step in enumerate(steps):
            name = canonical(step.name)
            sure = at > 0 and walked[at - 1][1].kind == "client"
            if name in ("from", "table") and step.called:
                yield from self._from(chain, steps, at, walked)
                return
            if name == "rpc" and step.called and sure:
                yield self._rpc(step)
                return
            if name == "auth" and not step.called and sure:
                rest = _path(steps[at + 1 :])
                if rest:
                    yield self._use("auth", step.line, "auth." + rest, "call")
                    return
            if (
                name == "channel"
                and step.called
                and (sure or any(_event(one) == "postgres_changes" for one in steps[at + 1 :]))
            ):
                yield from self._channel(steps, at)
                return
            if step.called and sure and step.name in _CHANNELS:
                yield self._use("realtime", step.line, "", step.name)
                return
            if name == "realtime" and not step.called and sure and steps[at + 1 :]:
                yield self._use("realtime", step.line, "", _path(steps[at:]))
                return
            if name == "invoke" and step.called and at and steps[at - 1].name == "functions":
                yield from self._part(self._named("function", step, "invoke"), walked[at - 1][0])
                return

    def _part(self, use: Use, part: Origin) -> Iterator[Use]:
        """A use of a part of a client, unless it is certainly not Supabase's."""
        if not part.is_other:
            use.sure = part.kind == "part"
            yield use

    def _held(self, chain: Chain) -> _Open | None:
        """The query in the variable with which a chain begins."""
        name = chain.steps[0].name
        if len(chain.steps) < 2 or chain.steps[0].called:
            return None
        scope = self._declared(chain.scope, name)
        return self.open.get((scope, name)) or self.tables.get((scope, name))

    def _declared(self, scope: int, name: str) -> int:
        found = self.syntax.bindings.scope_of(scope, name)
        return scope if found is None else found

    def _named(self, kind: UseKind, step: Step, what: str) -> Use:
        first = self.syntax.resolved(step.arguments[0]) if step.arguments else None
        use = self._use(kind, step.line, first.text if first is not None and first.kind == "text" else "", what)
        if not use.name:
            use.expression = first.source if first is not None else "nothing"
        return use

    def _from(
        self, chain: Chain, steps: Sequence[Step], at: int, walked: Sequence[tuple[Origin, Origin]]
    ) -> Iterator[Use]:
        step, rest = steps[at], tuple(steps[at + 1 :])
        if at and steps[at - 1].name == "storage" and not steps[at - 1].called:
            yield from self._part(self._named("storage", step, _path(rest) or "open"), walked[at - 1][0])
            return
        if not at:
            return
        receiver, origin = steps[:at], walked[at - 1][1]
        schema = next((self._text(s) for s in receiver if s.called and s.name == "schema"), "")
        # A client of unknown origin is recognized by the calls: from("…").select(…).
        shaped = bool(rest) and rest[0].called and rest[0].name in OPERATIONS and step.name != "table"
        if origin.kind != "client" and (not shaped or origin.is_other or _OTHERS.match(receiver[-1].name)):
            return
        use = self._named("table", step, "")
        use.schema, use.sure = schema, origin.kind == "client"
        use.query = Query()
        read_steps(use.query, self._resolved(rest))
        use.what = use.query.described()
        self._keep(chain, use, rest)
        if len(chain.names) == 1 and not use.query.operation and not _ended(rest):
            return  # Each later line that extends it is a query.
        yield use

    def _keep(self, chain: Chain, use: Use, rest: Sequence[Step]) -> None:
        """Records a query in a variable."""
        if len(chain.names) == 1 and not _ended(rest):
            scope = self._declared(chain.scope, chain.names[0])
            held = self.open[scope, chain.names[0]] = _Open(use, chain.scope, chain.branch)
            if use.query is not None and not use.query.operation:
                self.bare.append(held)

    def _more(self, chain: Chain, held: _Open) -> Iterator[Use]:
        """Adds a later line to a query in a variable."""
        rest = self._resolved(chain.steps[1:])
        assert held.use.query is not None
        if not held.use.query.operation:
            if rest[0].name in OPERATIONS and rest[0].called:
                self.further.add(held.at)
                use = replace(held.use, line=rest[0].line, query=Query())
                yield from self._further(chain, use, rest)
            return
        elsewhere = chain.scope != held.scope
        if elsewhere and chain.names != (chain.steps[0].name,):
            # Another function extends it, perhaps several times, so the result is a separate query.
            known = held.use.query
            query = replace(known, filters=[*known.filters], order=[*known.order], others=[*known.others])
            use = replace(held.use, line=rest[0].line, query=query)
            before = known.described()
            yield from (one for one in self._further(chain, use, rest) if one.what != before)
            return
        read_steps(held.use.query, rest, maybe=elsewhere or chain.branch != held.branch)
        held.use.what = held.use.query.described()

    def _further(self, chain: Chain, use: Use, rest: tuple[Step, ...]) -> Iterator[Use]:
        assert use.query is not None
        read_steps(use.query, rest)
        use.what = use.query.described()
        self._keep(chain, use, rest)
        yield use

    def _resolved(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps with the values of constants in place of column names."""
        found = []
        for step in steps:
            arguments = step.arguments
            if arguments:
                arguments = (self.syntax.resolved(arguments[0]), *arguments[1:])
            found.append(Step(step.name, arguments, step.line))
        return tuple(found)

    def _text(self, step: Step) -> str:
        value = self.syntax.resolved(step.arguments[0]) if step.arguments else None
        return value.text if value is not None else ""

    def _rpc(self, step: Step) -> Use:
        arguments = step.arguments[1] if step.arguments and len(step.arguments) > 1 else None
        names = ", ".join(name for name, _ in arguments.fields) if arguments is not None else ""
        return self._named("rpc", step, f"call with {names}" if names else "call")

    def _channel(self, steps: Sequence[Step], at: int) -> Iterator[Use]:
        name = self._named("realtime", steps[at], "")
        listened = [step for step in steps[at + 1 :] if _event(step)]
        for step in listened:
            options = step.arguments[-1] if step.arguments else None
            options = next((a for a in step.arguments or () if a.kind == "object"), options)
            use = self._use("realtime", step.line, name.name or name.expression, _event(step))
            if _event(step) == "postgres_changes" and options is not None:
                use.table = _field(self.syntax, options, "table")
                use.schema = _field(self.syntax, options, "schema")
                event, filter_ = _field(self.syntax, options, "event"), options.field("filter")
                use.what = f"postgres_changes {event or '*'} of {use.table or 'every table'}"
                use.what += f" where {filter_.text or filter_.source}" if filter_ is not None else ""
            yield use
        if not listened:
            name.what = "channel"
            name.name = name.name or name.expression
            yield name

    def _clients(self, steps: Sequence[Step], walked: Sequence[tuple[Origin, Origin]]) -> Iterator[Use]:
        for at, step in enumerate(steps):
            if step.called and walked[at][0].kind == "maker" and walked[at][0].what:
                yield self._use("client", step.line, walked[at][0].what, "make a client")
            elif step.called and at == 0 and step.name in ("require", "import") and PACKAGE.search(self._text(step)):
                yield self._use("client", step.line, self._text(step), "import")
            elif step.called and step.name in ("get", "getenv") and _VARIABLE.search(self._text(step)):
                yield self._use("client", step.line, self._text(step), "environment variable")
            elif not step.called and at and steps[at - 1].name in ("env", "environ") and _VARIABLE.search(step.name):
                yield self._use("client", step.line, step.name, "environment variable")


def _spelled_out(
    steps: Sequence[Step], walked: Sequence[tuple[Origin, Origin]]
) -> tuple[tuple[Step, ...], list[tuple[Origin, Origin]]]:
    """The steps with the full path of a client's part that has its own name: ``client.auth`` for ``auth``."""
    for at, (plain, given) in enumerate(walked):
        before = walked[at - 1][1].kind if at else ""
        part = plain if plain.kind == "part" else given if given.kind == "part" else None
        if part is None or before in ("client", "part"):
            continue
        client = Origin("client")
        names = part.what.split(".")
        parts = [Step("client", None, steps[at].line), *(Step(name, None, steps[at].line) for name in names)]
        origins = [client, *(Origin("part", ".".join(names[: n + 1])) for n in range(len(names)))]
        if part is plain:
            parts[-1] = replace(steps[at], name=names[-1])
        ends = [(one, one) for one in origins]
        ends[-1] = (origins[-1], given)
        return (*parts, *steps[at + 1 :]), [*ends, *walked[at + 1 :]]
    return tuple(steps), list(walked)


def _ended(steps: Sequence[Step]) -> bool:
    """Whether the last steps of a chain show that its rows are awaited."""
    return any(step.name in ("then", "execute", "data", "single", "maybeSingle") for step in steps)


def _path(steps: Sequence[Step]) -> str:
    """The names up to the first call: ``admin.createUser``."""
    names = []
    for step in steps:
        names.append(step.name)
        if step.called:
            break
    return ".".join(names)


def _event(step: Step) -> str:
    """The event of ``.on("postgres_changes", …)``. supabase-py has a method for each event."""
    if step.called and step.name == "on" and step.arguments:
        return step.arguments[0].text
    if step.called and step.name.startswith("on_"):
        return step.name.removeprefix("on_")
    return ""


def _field(syntax: Syntax, options: Value, name: str) -> str:
    value = options.field(name)
    value = syntax.resolved(value) if value is not None else None
    return value.text if value is not None and value.kind == "text" else ""
