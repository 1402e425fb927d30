"""Which names of an app's files are Supabase clients: made, typed, returned by a function, or imported from a file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from supavex.mapping.usage.syntax import Import, Step, Syntax

#: Modules that Supabase publishes, or that wrap its client: @supabase/ssr, jsr:@supabase/…, a URL of it, Python's.
PACKAGE = re.compile(
    r"(^|[/:])@supabase/|^supabase(\.|$)|^ra-supabase|^@nuxtjs/supabase|^#supabase/|^supabase_|^supafunc"
)
_NAMED = re.compile(r"supabase|^supa$|^sb(Client|Admin|Server)?$", re.IGNORECASE)
_MAKER = re.compile(
    r"^(a?create_client|create_async_client|create(Browser|Server)Client"
    r"|create\w{1,40}?(Component|Handler|Middleware|Action|Pages)\w{0,40}Client)$"
)
_TYPE = re.compile(r"\bSupabaseClient\b|\b(Async)?Client\b")
_ROUNDS = 6


@dataclass(slots=True)
class Names:
    """Of one file: names that are clients, functions that return one, names that come from other packages."""

    clients: set[str] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def is_client(self, steps: Sequence[Step]) -> bool:
        """Whether the chain ``steps`` gives a client."""
        steps = [step for step in steps if not (step.called and step.name == "schema")]
        if not steps:
            return False
        last = steps[-1]
        if last.name in self.others and len(steps) == 1:
            return False
        if last.called:
            # On its own, or a method of something: useSupabase(), this.getSupabaseClient(), server.createClient().
            return last.name in self.makers or bool(_MAKER.match(last.name)) or bool(_NAMED.search(last.name))
        return last.name in self.clients or bool(_NAMED.search(last.name))


def find_clients(files: Sequence[Syntax]) -> dict[str, Names]:
    """The names of each file, by its path: followed through assignments, returns and imports."""
    names = {syntax.file.path: _own(syntax) for syntax in files}
    modules: dict[str, list[str]] = {}
    for syntax in files:
        modules.setdefault(posixpath.basename(syntax.file.module), []).append(syntax.file.path)
    by_path = {syntax.file.path: syntax for syntax in files}
    links = [
        (syntax.file.path, imported, targets)
        for syntax in files
        for imported in syntax.imports
        if (targets := _targets(syntax, imported, modules, by_path))
    ]
    for _ in range(_ROUNDS):
        before = sum(len(found.clients) + len(found.makers) for found in names.values())
        for syntax in files:
            _follow(syntax, names[syntax.file.path])
        for path, imported, targets in links:
            _bring(names[path], imported, [names[target] for target in targets])
        if sum(len(found.clients) + len(found.makers) for found in names.values()) == before:
            break
    return names


def _own(syntax: Syntax) -> Names:
    names = Names()
    for imported in syntax.imports:
        if PACKAGE.search(imported.module):
            names.makers |= {local for name, local in imported.names.items() if re.match("a?create|use|server", name)}
            names.makers |= {local for name, local in imported.names.items() if name == "SupabaseClient"}
        elif not _is_local(imported.module):
            names.others |= set(imported.names.values())
    python = syntax.file.language == "python"
    from_package = any(PACKAGE.search(imported.module) for imported in syntax.imports)
    for name, type_ in syntax.typed.items():
        found = _TYPE.search(type_)
        if found and ("Supabase" in found[0] or (python and from_package)):
            names.clients.add(name)
    return names


def _is_local(module: str) -> bool:
    return module.startswith((".", "@/", "~", "$", "#", "src/")) or "/" in module.removeprefix("@")[1:]


def _follow(syntax: Syntax, names: Names) -> None:
    for chain in syntax.chains:
        if (chain.names or chain.returned_by) and names.is_client(chain.steps):
            names.clients |= set(chain.names)
            names.makers |= {chain.returned_by} - {""}


def _targets(
    syntax: Syntax, imported: Import, modules: Mapping[str, list[str]], by_path: Mapping[str, Syntax]
) -> list[str]:
    """The files that an import may mean; aliases such as ``@/`` are not known, so the end of the path decides."""
    module = imported.module
    if syntax.file.language == "python":
        wanted = module.strip(".").replace(".", "/")
    elif module.startswith("."):
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(syntax.file.path), module))
    elif _is_local(module):
        wanted = re.sub(r"^[@~$#]?\w*/", "", module) if module[0] in "@~$#" else module
    else:
        return []
    wanted = re.sub(r"(\.(js|ts|tsx|jsx|mjs))$", "", wanted)
    wanted = re.sub(r"/index$", "", wanted)
    found = []
    for path in modules.get(posixpath.basename(wanted), []):
        own = by_path[path].file.module
        if own == wanted or (not module.startswith(".") and own.endswith(f"/{wanted}")):
            found.append(path)
    return found


def _bring(names: Names, imported: Import, exporters: Sequence[Names]) -> None:
    for exporter in exporters:
        if imported.names.get("*") == "*":
            names.clients |= exporter.clients
            names.makers |= exporter.makers
        for name, local in imported.names.items():
            if name in exporter.clients:
                names.clients.add(local)
            if name in exporter.makers:
                names.makers.add(local)
