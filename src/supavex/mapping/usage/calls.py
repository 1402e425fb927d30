"""What of an app calls Supabase: queries, functions, sign-in, files, live channels, and the clients themselves."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from supavex.mapping.usage.clients import PACKAGE, Names, find_clients
from supavex.mapping.usage.queries import OPERATIONS, Query, canonical, read_steps
from supavex.mapping.usage.sources import SourceFile, Sources
from supavex.mapping.usage.syntax import PARSE_SECONDS, Chain, Step, Syntax, parse
from supavex.mapping.usage.values import Value

UseKind = Literal["table", "rpc", "auth", "storage", "realtime", "function", "client"]
#: A file with none of these words has nothing to parse for.
_WORTH = re.compile(
    rb"supabase|\.\s*(?:from_?|table|rpc|auth|storage|functions|channel)\s*[.<(?]|\bexport\s*[*{]", re.IGNORECASE
)
#: Seconds of computing that all files together may cost.
TOTAL_SECONDS = 600
_VARIABLE = re.compile(r"SUPABASE")
#: What has a ``from`` of its own.
_OTHERS = re.compile(
    r"^(\w*Array|Buffer|Object|Set|Map|String|(Async)?Iterator|Observable|knex|kysely|drizzle|qb|sql)$"
)
_EDGE = re.compile(r"(?:^|/)supabase/functions/([^/_][^/]*)/index\.[tj]sx?$")
_MAKES = re.compile(r"a?create|SupabaseClient$|useSupabaseClient$|serverSupabase")
_CHANNELS = frozenset({"removeChannel", "removeAllChannels", "getChannels", "remove_channel", "remove_all_channels"})


@dataclass(slots=True)
class Use:
    """One call of Supabase, at a line of a file.

    ``name`` is the table, function, bucket, channel or package; empty where the code does not say it, and then
    ``expression`` is what stands there. ``what`` says what is done. A live channel has the ``table`` it listens to.
    """

    kind: UseKind
    file: str
    line: int
    name: str
    what: str
    expression: str = ""
    schema: str = ""
    query: Query | None = None
    table: str = ""

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class _Open:
    """A query that a variable holds, to which later lines may add."""

    use: Use
    steps: tuple[Step, ...]
    branch: int


def find_uses(sources: Sources) -> list[Use]:
    """All uses, by file and line. Files whose reading takes too long are added to those that were left out."""
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
    clients = find_clients(files)
    uses = [use for syntax in files for use in _File(syntax, clients[syntax.file.path]).uses()]
    return sorted([*uses, *_edge_functions(sources.files)], key=lambda use: (use.file, use.line))


def _edge_functions(files: Sequence[SourceFile]) -> Iterator[Use]:
    for file in files:
        if found := _EDGE.search(file.path):
            yield Use("function", file.path, 1, found[1], "an edge function's own code")


@dataclass(slots=True)
class _File:
    syntax: Syntax
    names: Names
    open: dict[tuple[int, str], _Open] = field(default_factory=dict)

    def uses(self) -> Iterator[Use]:
        path = self.syntax.file.path
        for imported in self.syntax.imports:
            if PACKAGE.search(imported.module):
                yield Use("client", path, imported.line, imported.module, "import")
        for chain in self.syntax.chains:
            yield from self._chain(chain)

    def _use(self, kind: UseKind, line: int, name: str, what: str) -> Use:
        return Use(kind, self.syntax.file.path, line, name, what)

    def _chain(self, chain: Chain) -> Iterator[Use]:
        steps = chain.steps
        yield from self._clients(steps)
        held = self.open.get((chain.scope, steps[0].name)) if len(steps) > 1 and not steps[0].called else None
        if held is not None:
            yield from self._more(chain, held)
            return
        for at, step in enumerate(steps):
            name = canonical(step.name)
            if name in ("from", "table") and step.called:
                yield from self._from(chain, at)
                return
            if name == "rpc" and step.called and self._sure(steps[:at]):
                yield self._rpc(step)
                return
            if name == "auth" and not step.called and self._sure(steps[:at]):
                rest = _path(steps[at + 1 :])
                if rest:
                    yield self._use("auth", step.line, "auth." + rest, "call")
                    return
            if name == "channel" and step.called and self._sure_channel(steps, at):
                yield from self._channel(chain, at)
                return
            if step.name in _CHANNELS and step.called and self._sure(steps[:at]):
                yield self._use("realtime", step.line, "", step.name)
                return
            if name == "invoke" and step.called and at and steps[at - 1].name == "functions":
                yield self._named("function", step, "invoke")
                return

    def _sure(self, receiver: Sequence[Step]) -> bool:
        return self.names.is_client(receiver)

    def _named(self, kind: UseKind, step: Step, what: str) -> Use:
        first = self.syntax.resolved(step.arguments[0]) if step.arguments else None
        use = self._use(kind, step.line, first.text if first is not None and first.kind == "text" else "", what)
        if not use.name:
            use.expression = first.source if first is not None else "nothing"
        return use

    def _from(self, chain: Chain, at: int) -> Iterator[Use]:
        steps = chain.steps
        step, rest = steps[at], steps[at + 1 :]
        if at and steps[at - 1].name == "storage" and not steps[at - 1].called:
            yield self._named("storage", step, _path(rest) or "open")
            return
        receiver = steps[:at]
        schema = next((self._text(s) for s in receiver if s.called and s.name == "schema"), "")
        # A client that nothing tells as one is known by what follows: from("…").select(…).
        shaped = bool(rest) and rest[0].called and rest[0].name in OPERATIONS and not self._is_other(receiver)
        if not receiver or not (self._sure(receiver) or shaped):
            return
        if self._is_other(receiver) or (step.name == "table" and not self._sure(receiver)):
            return
        use = self._named("table", step, "")
        use.schema = schema
        use.query = Query()
        read_steps(use.query, self._resolved(rest))
        use.what = use.query.described()
        if len(chain.names) == 1 and not _ended(rest):
            self.open[chain.scope, chain.names[0]] = _Open(use, rest, chain.branch)
            if not use.query.operation:
                return  # each line that goes on from here is a query of its own
        yield use

    def _more(self, chain: Chain, held: _Open) -> Iterator[Use]:
        """What a later line adds to a query that a variable holds."""
        rest = self._resolved(chain.steps[1:])
        if held.use.query is not None and held.use.query.operation:
            read_steps(held.use.query, rest, maybe=chain.branch != held.branch)
            held.use.what = held.use.query.described()
            return
        if rest[0].name in OPERATIONS:
            use = self._use("table", rest[0].line, held.use.name, "")
            use.expression, use.schema, use.query = held.use.expression, held.use.schema, Query()
            read_steps(use.query, rest)
            use.what = use.query.described()
            yield use

    def _resolved(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps, with column names that are constants of the file in their place."""
        found = []
        for step in steps:
            arguments = step.arguments
            if arguments:
                arguments = (self.syntax.resolved(arguments[0]), *arguments[1:])
            found.append(Step(step.name, arguments, step.line))
        return tuple(found)

    def _is_other(self, receiver: Sequence[Step]) -> bool:
        last = receiver[-1] if receiver else None
        return last is None or bool(_OTHERS.match(last.name)) or (len(receiver) == 1 and last.name in self.names.others)

    def _text(self, step: Step) -> str:
        value = self.syntax.resolved(step.arguments[0]) if step.arguments else None
        return value.text if value is not None else ""

    def _rpc(self, step: Step) -> Use:
        arguments = step.arguments[1] if step.arguments and len(step.arguments) > 1 else None
        names = ", ".join(name for name, _ in arguments.fields) if arguments is not None else ""
        return self._named("rpc", step, f"call with {names}" if names else "call")

    def _sure_channel(self, steps: Sequence[Step], at: int) -> bool:
        return self._sure(steps[:at]) or any(_event(step) == "postgres_changes" for step in steps[at + 1 :])

    def _channel(self, chain: Chain, at: int) -> Iterator[Use]:
        name = self._named("realtime", chain.steps[at], "")
        listened = [step for step in chain.steps[at + 1 :] if _event(step)]
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

    def _clients(self, steps: Sequence[Step]) -> Iterator[Use]:
        for at, step in enumerate(steps):
            if step.called and at == 0 and _MAKES.match(step.name) and self._is_package(step.name):
                yield self._use("client", step.line, step.name, "make a client")
            elif step.called and at == 0 and step.name in ("require", "import") and PACKAGE.search(self._text(step)):
                yield self._use("client", step.line, self._text(step), "import")
            elif step.called and step.name in ("get", "getenv") and _VARIABLE.search(self._text(step)):
                yield self._use("client", step.line, self._text(step), "environment variable")
            elif not step.called and at and steps[at - 1].name in ("env", "environ") and _VARIABLE.search(step.name):
                yield self._use("client", step.line, step.name, "environment variable")

    def _is_package(self, local: str) -> bool:
        return any(PACKAGE.search(i.module) and local in i.names.values() for i in self.syntax.imports)


def _ended(steps: Sequence[Step]) -> bool:
    """Whether a chain is awaited for its rows, as far as its last steps tell."""
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
    """What ``.on("postgres_changes", …)`` listens to; supabase-py has a method for each."""
    if step.called and step.name == "on" and step.arguments:
        return step.arguments[0].text
    if step.called and step.name.startswith("on_"):
        return step.name.removeprefix("on_")
    return ""


def _field(syntax: Syntax, options: Value, name: str) -> str:
    value = options.field(name)
    value = syntax.resolved(value) if value is not None else None
    return value.text if value is not None and value.kind == "text" else ""
