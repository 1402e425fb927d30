"""The replacement for each use of Supabase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from supavex.usage.advice.code import Snippet
from supavex.usage.advice.snippets import write
from supavex.usage.advice.tables import Sides, TableSide
from supavex.usage.finding.calls import Use
from supavex.usage.finding.functions import ConvexFunction
from supavex.usage.finding.queries import Query, canonical

_AUTH = {
    "signUp": 'the sign-up of Clerk or Convex Auth (its signIn with flow: "signUp")',
    "signOut": "signOut of Clerk's useClerk or Convex Auth's useAuthActions",
    "getUser": "ctx.auth.getUserIdentity() in functions; useConvexAuth() in components",
    "getSession": "ctx.auth.getUserIdentity() in functions; useConvexAuth() in components",
    "onAuthStateChange": "useConvexAuth(): components render again when it changes",
    "exchangeCodeForSession": "nothing: the provider's own callback does it",
    "admin": "the provider's own server API (Clerk's backend SDK), in an action",
}
_STORAGE = {
    "upload": "ctx.storage.generateUploadUrl() in a mutation, POST the file to it, keep the storageId in a document",
    "download": "fetch of ctx.storage.getUrl(storageId); ctx.storage.get(storageId) in an action",
    "getPublicUrl": "ctx.storage.getUrl(storageId) in a query",
    "createSignedUrl": "ctx.storage.getUrl(storageId) in a query that checks who asks (its URLs don't expire)",
    "remove": "ctx.storage.delete(storageId) in a mutation",
    "list": "a query of the table that holds the storageIds",
}
_OTHER_STORAGE = "Convex file storage (ctx.storage), with a table that keeps storageId, name and owner"


@dataclass(slots=True)
class Advice:
    """The advice for one use."""

    #: The use of Supabase.
    use: Use
    #: The words for the replacement.
    convex: str = ""
    #: The index that serves the use.
    index: str = ""
    #: The line of schema.py that adds a better index.
    add_index: str = ""
    #: The indexes that the added one makes unnecessary.
    replaces: tuple[str, ...] = ()
    #: The replacement as code; None if there is only advice in words.
    snippet: Snippet | None = None
    #: The app's own functions that do something similar already.
    functions: tuple[str, ...] = ()
    #: The builder of convex/rules.ts that enforces the table's policies; empty if there is none.
    builder: str = ""
    #: Differences that the reader has to know, each a sentence.
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``usage --json`` for one use."""
        use, snippet = self.use, self.snippet
        return {
            "file": use.file,
            "line": use.line,
            "kind": use.kind,
            "sure": use.sure,
            "name": use.name or None,
            "expression": use.expression,
            "operation": use.query.operation if use.query is not None else "",
            "what": use.what,
            "convex": self.convex,
            "index": self.index,
            "add_index": self.add_index,
            "replaces": list(self.replaces),
            "functions": list(self.functions),
            "builder": self.builder,
            "instead": None
            if snippet is None
            else {
                "kind": snippet.kind,
                "args": snippet.args,
                "body": list(snippet.body),
                "imports": list(snippet.imports),
                "function": snippet.function(),
            },
            "notes": self.notes,
        }


def advise(use: Use, sides: Sides, functions: Sequence[ConvexFunction]) -> Advice:
    """The replacement for ``use``."""
    advice = Advice(use)
    if use.kind == "table":
        _table(advice, sides, functions)
    elif use.kind == "rpc":
        advice.notes.append(_rpc(use, sides))
    elif use.kind == "auth":
        word = canonical(use.name.split(".")[1]) if "." in use.name else ""
        instead = _AUTH.get(word, "signIn of Clerk or Convex Auth" if word.startswith("signIn") else "")
        advice.notes.append(instead or "Clerk's or Convex Auth's own")
    elif use.kind == "storage":
        advice.notes.append(_STORAGE.get(canonical(use.what), _OTHER_STORAGE))
    elif use.kind == "realtime":
        _realtime(advice, sides)
    elif use.kind == "function":
        advice.notes.append(
            "an action, or an HTTP action in convex/http.ts where others call it; its queries move with it"
            if use.what != "invoke"
            else "useAction(api.…), or ctx.scheduler from a mutation, once the edge function is an action"
        )
    else:
        advice.notes.append(_client(use))
    return advice


def _table(advice: Advice, sides: Sides, functions: Sequence[ConvexFunction]) -> None:
    use = advice.use
    if sides.schema is None:
        return
    if not use.name:
        advice.notes.append("table not known here: one function for each table that it may be.")
        return
    side = sides.table(use.name, use.schema)
    advice.convex = side.target
    if side.definition is None or use.query is None:
        unknown = [] if side.definition is None else ["what is done with it is not known here."]
        advice.notes += [*table_notes(side)[:1], *unknown]
        return
    written = write(sides, side, use.query)
    advice.snippet, advice.notes = written.snippet, written.notes
    if not use.query.operation:
        advice.notes.append("what is done with it is not known here.")
    choice = written.choice
    if written.search is not None:
        advice.index = written.search.name
    elif choice is not None:
        advice.index = choice.index.name if choice.index is not None else ""
        if choice.add is not None:
            fields = ", ".join(f'"{name}"' for name in choice.add[1])
            advice.add_index = f'.index("{choice.add[0]}", [{fields}])'
            advice.replaces = choice.replaces
    if written.add_search:
        advice.add_index = written.add_search
        advice.replaces = ()
    writing = use.query.operation not in ("select", "")
    if side.plan is not None and side.plan.source.row_security:
        advice.builder = "mutation" if writing else "query"
        advice.notes += _filtered(side, use.query)
    serving = [f for f in functions if f.serves(side.target, writing=writing)]
    same = [f for f in serving if advice.index in f.indexes]
    serving = sorted(same if same and not writing else serving, key=lambda f: f.name)
    advice.functions = tuple(f.name for f in serving)


def _filtered(side: TableSide, query: Query) -> list[str]:
    """Whether a query relies on a policy to select rows: none of its filters names a column of the policy."""
    if side.plan is None or query.operation != "select":
        return []
    columns = {column.name for column in side.plan.source.columns}
    asked = {one.column for one in query.filters}
    reading = [p for p in side.plan.source.policies if p.command in ("ALL", "SELECT") and p.permissive and p.using]
    for policy in reading:
        named = columns & set(re.findall(r"\w+", re.sub(r"'[^']*'", "", policy.using or "")))
        if not named or asked & named:
            return []
    names = ", ".join(policy.name for policy in reading)
    return [f"it filters by no column that its policies read ({names}): they chose the rows."] if names else []


def table_notes(side: TableSide) -> list[str]:
    """Notes about the whole table."""
    if side.status == "skipped":
        return [f"left behind: {side.reason}"]
    if side.status == "missing":
        return ["it has no Convex table: `supavex scaffold` writes one."]
    if side.status == "view":
        return [f"a {side.reason}: write a query function that reads the tables behind it."]
    if side.status == "unknown":
        return ["the source has no table of that name."]
    if side.plan is not None and side.plan.source.policies:
        return ["its policies checked who asks: each function checks ctx.auth.getUserIdentity()."]
    return []


def _rpc(use: Use, sides: Sides) -> str:
    if not use.name:
        return "function not known here"
    known = sides.plan is not None and any(
        other.kind in ("function", "procedure", "aggregate") and _bare(other.name) == use.name
        for other in sides.plan.catalog.others
    )
    what = "a query, mutation or action that does what its body does"
    return (
        f"{what} (it is in the migrations)"
        if known
        else f"{what} (the source has no such function)"
        if (sides.plan is not None)
        else what
    )


def _bare(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2]


def _realtime(advice: Advice, sides: Sides) -> None:
    use = advice.use
    if use.what.startswith("postgres_changes"):
        side = sides.table(use.table, use.schema) if use.table else None
        advice.convex = side.target if side is not None else ""
        of = f" of a query of {advice.convex}" if advice.convex else ""
        advice.notes.append(f"nothing: useQuery{of} is live by itself")
    elif use.what == "presence":
        advice.notes.append("the presence component, or a table that each client updates")
    elif use.what == "broadcast":
        advice.notes.append("a document that a mutation writes: useQuery is live by itself")
    else:
        advice.notes.append("nothing: useQuery is live by itself, and ends with its component")


def _client(use: Use) -> str:
    if use.what == "environment variable":
        return "NEXT_PUBLIC_CONVEX_URL (VITE_CONVEX_URL, …), and in functions `npx convex env set`"
    if use.what == "make a client":
        return "ConvexReactClient in a ConvexProvider; on a server fetchQuery of convex/nextjs or ConvexHttpClient"
    return "convex/react, convex/nextjs, convex/browser; from Python the package convex"
