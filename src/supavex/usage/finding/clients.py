"""Finds the expressions that are Supabase clients, by following each to the origin of its names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from supavex.usage.finding.bindings import Binding, Step
from supavex.usage.finding.chains import PASSING
from supavex.usage.finding.syntax import Syntax

#: Supabase's modules, and modules that wrap its client: @supabase/ssr, jsr:@supabase/…, a URL of it, Python's.
PACKAGE = re.compile(
    r"(^|[/:])@supabase/|^supabase(\.|$)|^ra-supabase|^@nuxtjs/supabase|^#supabase/|^supabase_|^supafunc"
)
_NAMED = re.compile(r"supabase|^supa$|^sb(Client|Admin|Server)?$", re.IGNORECASE)
_MAKER = re.compile(
    r"^(a?create_client|create_async_client|create(Browser|Server)Client"
    r"|create\w{1,40}?(Component|Handler|Middleware|Action|Pages)\w{0,40}Client)$"
)
#: Names in Supabase's packages of functions that create a client, or a part of one.
_PACKAGE_MAKER = re.compile(r"^a?create\w*|\w*Client$")
_ALONE = {
    "StorageClient": "storage", "FunctionsClient": "functions", "AuthClient": "auth", "GoTrueClient": "auth",
    "GoTrueAdminApi": "auth", "RealtimeClient": "realtime",
}  # fmt: skip
#: Other libraries with similar queries. Their results are not Supabase's.
_DATABASES = re.compile(
    r"^(npm:|node:)?(knex|kysely|drizzle-orm|@mikro-orm|typeorm|objection|bookshelf|sequelize|mongodb|mongoose|prisma"
    r"|@prisma|pg|pg-promise|postgres|mysql2?|mariadb|better-sqlite3|sqlite3?|ioredis|redis|firebase(-admin)?|@firebase"
    r"|convex|@azure|@google-cloud|@aws-sdk|aws-sdk|rxjs|lodash|buffer|arquero|sqlalchemy|peewee|pyspark|django"
    r"|databases|tortoise|pypika|ibis|polars|pandas|duckdb)([/.@]|$)"
)
_TYPE = re.compile(r"\bSupabaseClient\b|\b(Async)?Client\b")
_MAKER_TYPE = re.compile(r"=>\s*(.+)$", re.S)
#: Members of a client through which calls go.
PARTS = frozenset({"auth", "storage", "functions", "realtime", "rpc", "from", "from_", "table", "channel", "schema"})
#: Names of members that hold a client: of a box, or of an object that wraps a client.
_HELD = frozenset({"client", "admin", "db", "current", "value", "0"})
#: Parts that have parts: ``auth.admin``.
_DEEP = ("auth", "storage", "functions", "realtime")
_DEEPEST = 3
_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an expression. ``what`` is the name of a package's function, of a part, or of a module.

    ``box``: a client is taken out of it by a hook. ``own``: the value is made in this place. ``other``: it comes from
    another library. ``foreign``: it comes from a library that may return its argument. ``unknown``: the code does not
    show it.
    """

    kind: Literal[
        "client", "maker", "part", "package", "module", "box", "function", "own", "other", "foreign", "unknown"
    ]
    what: str = ""
    function: int = 0
    path: str = ""

    @property
    def is_other(self) -> bool:
        """Whether the value is certainly not Supabase's."""
        return self.kind in ("other", "own", "foreign", "module")


_UNKNOWN = Origin("unknown")
_CLIENT = Origin("client")
#: Of several possible origins of a name, the first in this order counts.
_ORDER = ("client", "maker", "part", "package", "box", "module", "function", "unknown", "own", "foreign", "other")


@dataclass(slots=True)
class Origins:
    """The files of an app, and the origins of their names."""

    files: Mapping[str, Syntax]
    modules: dict[str, list[str]] = field(default_factory=dict)
    found: dict[tuple[str, int, str], Origin] = field(default_factory=dict)
    targets: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def walk(self, path: str, steps: Sequence[Step], scope: int, depth: int = 0) -> list[tuple[Origin, Origin]]:
        """For each step: the origin of its object, and the origin of the result if it is called."""
        walked: list[tuple[Origin, Origin]] = []
        for at, step in enumerate(steps):
            plain = self._member(path, walked[-1][1], step, depth) if at else self._first(path, step, scope, depth)
            walked.append((plain, self._called(path, plain, step, scope, depth) if step.called else plain))
        return walked

    def of(self, path: str, steps: Sequence[Step], scope: int, depth: int = 0) -> Origin:
        """The origin of the chain's result."""
        return self.walk(path, steps, scope, depth)[-1][1] if steps else _UNKNOWN

    # The origin of one step

    def _first(self, path: str, step: Step, scope: int, depth: int) -> Origin:
        if step.name in ("require", "import") and step.called:
            return _UNKNOWN
        found = _UNKNOWN
        declared = self.files[path].bindings.scope_of(scope, step.name)
        if declared is not None:
            found = self._named(path, declared, step.name, depth)
        return _by_name(found, step)

    def _member(self, path: str, base: Origin, step: Step, depth: int) -> Origin:
        name, found = step.name, _UNKNOWN
        if base.kind == "client":
            if name in PARTS:
                return Origin("part", name)
            return _CLIENT if name in _HELD or _NAMED.search(name) else _UNKNOWN
        if base.kind == "package":
            return _of_package(name) if PACKAGE.search(base.what) else _of_wrapper(name)
        if base.kind == "module":
            found = self._export(path, base.what, name, depth)
            return found if found.kind != "unknown" else _by_name(self._held(path, name, depth), step)
        if base.kind == "part" and name == "bind":
            return base
        if base.kind == "part" and base.what.partition(".")[0] in _DEEP and base.what.count(".") < _DEEPEST:
            return Origin("part", f"{base.what}.{name}")
        if base.kind in ("part", "box", "other", "maker"):
            return base if base.kind in ("box", "other") else _UNKNOWN
        if base.kind == "foreign":
            return base if not step.called else _by_name(_UNKNOWN, step)
        found = self._held(path, name, depth)
        if found.kind == "unknown" and base.kind == "own" and step.called and name in PARTS:
            return Origin("own")
        return _by_name(found, step)

    def _called(self, path: str, plain: Origin, step: Step, scope: int, depth: int) -> Origin:
        if step.name in ("require", "import") and step.arguments:
            return self._required(path, step.arguments[0].text, depth)
        if plain.kind == "maker":
            return Origin("part", _ALONE[plain.what]) if plain.what in _ALONE else _CLIENT
        if plain.kind == "part":
            return plain if step.name == "bind" else _CLIENT if plain.what == "schema" else _UNKNOWN
        if plain.kind in ("client", "other"):
            return plain
        if plain.kind == "function":
            found = self._returned(plain.path, plain.function, depth)
            return (
                _called_by_name(step)
                if found.kind in ("unknown", "foreign")
                else _UNKNOWN
                if found.kind == "own"
                else found
            )
        if _is_client(self._type(path, step.types, depth)):
            return Origin("box") if step.name == "createContext" else _CLIENT
        if step.name in PASSING:
            given = self._given(path, step, scope, depth)
            if given.kind == "box":
                return _CLIENT
            if given.kind in ("function", "maker") and step.name not in ("cache", "memoize", "once", "useCallback"):
                given = self._called(path, given, Step("", (), step.line), scope, depth + 1)
            if given.kind != "unknown":
                return Origin("box") if given.kind == "client" and step.name == "createContext" else given
        return _called_by_name(step)

    def _given(self, path: str, step: Step, scope: int, depth: int) -> Origin:
        if step.callback:
            return Origin("function", "", step.callback, path)
        return self.of(path, step.first, scope, depth + 1) if step.first and depth < _DEPTH else _UNKNOWN

    # Names, functions, modules and types

    def _named(self, path: str, scope: int, name: str, depth: int) -> Origin:
        bindings = self.files[path].bindings.names
        return self._once((path, scope, name), depth, lambda: self._bound(path, bindings[scope, name], depth + 1))

    def _once(self, at: tuple[str, int, str], depth: int, find: Callable[[], Origin]) -> Origin:
        """The result of ``find``, computed once."""
        if at not in self.found:
            if depth > _DEPTH:
                return _UNKNOWN
            self.found[at] = _UNKNOWN  # While the search runs, a recursive definition adds nothing.
            self.found[at] = find()
        return self.found[at]

    def _bound(self, path: str, bindings: Sequence[Binding], depth: int) -> Origin:
        """The best origin among the values of a name."""
        if depth > _DEPTH:
            return _UNKNOWN
        return _best([self._of_binding(path, one, depth) for one in bindings])

    def _of_binding(self, path: str, one: Binding, depth: int) -> Origin:
        found = Origin("own") if one.own else _UNKNOWN
        if one.module:
            found = self._module(path, one.module)
        elif one.function:
            found = (
                self._returned(path, one.function, depth) if one.getter else Origin("function", "", one.function, path)
            )
        elif one.type:
            found = self._type(path, one.type, depth)
        elif one.steps:
            found = self.of(path, one.steps, one.scope, depth)
        for name in one.path:
            found = self._member(path, found, Step(name, None, 0), depth)
        return found

    def _returned(self, path: str, function: int, depth: int) -> Origin:
        returns = self.files[path].bindings.returns
        return self._once((path, function, "()"), depth, lambda: self._bound(path, returns[function], depth + 1))

    def _held(self, path: str, name: str, depth: int) -> Origin:
        """The origin of fields of that name, in the file or in a file that it imports."""

        def find() -> Origin:
            near = [other for one in self.files[path].imports for other in self._targets(path, one.module)]
            members = [(other, self.files[other].bindings.members) for other in dict.fromkeys([path, *near])]
            return _best([self._bound(other, own[name], depth + 1) for other, own in members if name in own])

        return self._once((path, -1, name), depth, find)

    def _module(self, path: str, module: str) -> Origin:
        if PACKAGE.search(module):
            return Origin("package", module)
        if self._targets(path, module):
            return Origin("module", module)
        if _DATABASES.search(module):
            return Origin("other")
        if _NAMED.search(module):
            return Origin("package", module)  # The file is missing, or is a package that wraps Supabase's.
        return _UNKNOWN if _is_local(module) else Origin("foreign")

    def _required(self, path: str, module: str, depth: int) -> Origin:
        """The origin of ``require``: the module's ``exports``, or its names."""
        whole = self._export(path, module, "=", depth)
        return whole if whole.kind in ("client", "maker", "part", "function") else self._module(path, module)

    def _export(self, path: str, module: str, name: str, depth: int) -> Origin:
        """The origin of the export ``name`` in the files that ``module`` may mean."""
        return _best(
            [
                self._once((target, -2, name), depth, lambda target=target: self._exported(target, name, depth + 1))  # type: ignore[misc]
                for target in self._targets(path, module)
            ]
        )

    def _exported(self, path: str, name: str, depth: int) -> Origin:
        bindings = self.files[path].bindings
        if name in bindings.exports:
            return self._bound(path, bindings.exports[name], depth)
        if (0, name) in bindings.names:
            return self._named(path, 0, name, depth)
        if name == "default" and "=" in bindings.exports:
            return self._bound(path, bindings.exports["="], depth)
        passed = [one.module for one in bindings.exports["*"]] if "*" in bindings.exports else []
        origins = [self._export(path, module, name, depth) for module in passed if not PACKAGE.search(module)]
        origins += [_of_package(name) for module in passed if PACKAGE.search(module)]
        return _best(origins)

    def _type(self, path: str, text: str, depth: int) -> Origin:
        """The origin of a value of that type."""
        return self._once((path, -3, text), depth, lambda: self._of_type(path, text, depth)) if text else _UNKNOWN

    def _of_type(self, path: str, text: str, depth: int) -> Origin:
        if function := _MAKER_TYPE.search(text):
            return Origin("maker") if _is_client(self._type(path, function[1], depth + 1)) else _UNKNOWN
        if "{" in text:
            return _UNKNOWN
        syntax = self.files[path]
        named = _TYPE.search(text)
        if named and ("Supabase" in named[0] or (syntax.file.language == "python" and _imports_package(syntax))):
            return _CLIENT
        if value := re.search(r"\btypeof\s+([\w$]+)", text):
            found = self.of(path, (Step(value[1], () if "ReturnType" in text else None, 0),), 0, depth + 1)
            return found if found.kind in ("client", "other") else _UNKNOWN
        for name in dict.fromkeys(re.findall(r"[A-Za-z_$][\w$]*", text)[:10]):
            if name in syntax.bindings.types:
                found = self._type(path, syntax.bindings.types[name], depth + 1)
            else:
                found = self._type_of_import(path, name, depth)
            if found.kind in ("client", "maker", "other"):
                return found
        return _UNKNOWN

    def _type_of_import(self, path: str, name: str, depth: int) -> Origin:
        for binding in self.files[path].bindings.names.get((0, name), ()):
            if not binding.module:
                continue
            if _DATABASES.search(binding.module):
                return Origin("other")
            own = binding.path[0] if binding.path else name
            if own == "SupabaseClient" and PACKAGE.search(binding.module):
                return _CLIENT
            for target in self._targets(path, binding.module):
                if own in self.files[target].bindings.types:
                    return self._type(target, self.files[target].bindings.types[own], depth + 1)
        return _UNKNOWN

    def _targets(self, path: str, module: str) -> list[str]:
        at = (path, module)
        if at not in self.targets:
            self.targets[at] = _targets(self.files[path], module, self.modules, self.files)
        return self.targets[at]


def find_origins(files: Sequence[Syntax]) -> Origins:
    """The origins of the names of ``files``."""
    origins = Origins({syntax.file.path: syntax for syntax in files})
    for syntax in files:
        origins.modules.setdefault(posixpath.basename(syntax.file.module), []).append(syntax.file.path)
    return origins


def _best(origins: Sequence[Origin]) -> Origin:
    return min(origins, key=lambda one: _ORDER.index(one.kind), default=_UNKNOWN)


def _by_name(found: Origin, step: Step) -> Origin:
    """The origin of a name by the name alone: useSupabase, this.supabase, server.createServerClient."""
    if found.kind not in ("unknown", "foreign"):
        return found
    if step.called:
        return Origin("maker") if _called_by_name(step).kind == "client" else found
    return _CLIENT if _NAMED.search(step.name) else found


def _called_by_name(step: Step) -> Origin:
    return _CLIENT if _MAKER.match(step.name) or _NAMED.search(step.name) else _UNKNOWN


def _of_package(name: str) -> Origin:
    if name in ("default", "*"):
        return Origin("package", "supabase")
    return Origin("maker", name) if name in _ALONE or _PACKAGE_MAKER.match(name) else Origin("foreign")


def _of_wrapper(name: str) -> Origin:
    """The origin of a missing module whose name contains Supabase's."""
    return _CLIENT if name == "default" else Origin("maker") if _PACKAGE_MAKER.match(name) else _UNKNOWN


def _is_client(found: Origin) -> bool:
    return found.kind == "client"


def _imports_package(syntax: Syntax) -> bool:
    return any(PACKAGE.search(imported.module) for imported in syntax.imports)


def _is_local(module: str) -> bool:
    return module.startswith((".", "@/", "~", "$", "#", "src/")) or "/" in module.removeprefix("@")[1:]


def _targets(syntax: Syntax, module: str, modules: Mapping[str, list[str]], by_path: Mapping[str, Syntax]) -> list[str]:
    """The files that an import may mean. Aliases such as ``@/`` are unknown, so the end of the path decides."""
    if syntax.file.language == "python":
        wanted = module.strip(".").replace(".", "/")
    elif module.startswith("."):
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(syntax.file.path), module))
    elif _is_local(module):
        wanted = re.sub(r"^[@~$#]?\w*/", "", module) if module[0] in "@~$#" else module
    else:
        return []
    wanted = re.sub(r"(\.(js|ts|tsx|jsx|mjs|cjs|vue|svelte))$", "", wanted)
    wanted = re.sub(r"/index$", "", wanted)
    found = []
    for path in modules.get(posixpath.basename(wanted), []):
        own = by_path[path].file.module
        if own == wanted or (not module.startswith(".") and own.endswith(f"/{wanted}")):
            found.append(path)
    return found
