"""Calls of the example project's functions: every public one, with what it gives and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.official.clients.interface import Failed
from tests.sides import Side, StepFailed

#: What is changed in the source: a webinar that is still to come, with one place left.
LATER = """
UPDATE webinars SET scheduled_at = '2100-01-01T00:00:00Z', max_registrations = 3
WHERE slug = 'klinik-motivation-letter';
"""
#: A module that the app gets: an action, which the example has none of, and functions that fail.
PROBE = """
import { v } from "convex/values";
import { anyApi } from "convex/server";
import { action, mutation, query } from "./_generated/server";

export const overview = action({
  args: { workspace: v.string() },
  handler: async (ctx, { workspace }): Promise<any> => {
    const articles: any[] = await ctx.runQuery(anyApi.articles.list, { workspace });
    const found: any = await ctx.runQuery(anyApi.workspaces.get, { slug: workspace });
    return { name: found.name, articles: articles.map((article) => article.slug), big: 2n ** 40n };
  },
});
export const fails = query({
  args: {},
  handler: async () => {
    throw new Error("It fails on purpose.");
  },
});
export const unfitting = mutation({
  args: { workspace_id: v.id("workspaces") },
  handler: async (ctx, { workspace_id }) => {
    await ctx.db.insert("ariKnowledgeCategories", { workspace_id, name: 7 } as any);
  },
});
"""


@dataclass(frozen=True)
class Row:
    """The one document of a table with these fields: in arguments its id stands in its place."""

    table: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A call of a public function. ``kind``: query, mutation or action; ``user``: who is signed in; ``fails``: what
    is in its error, where it has to fail."""

    kind: str
    path: str
    args: dict[str, Any] = field(default_factory=dict)
    user: dict[str, str] | None = None
    fails: str = ""


_RINA = {"issuer": "https://clerk.test", "subject": "user_2abcT9mKXvQ4rLwZ8sNpYdHfG1e"}
_EAGLE = {"workspace": "eagle-overseas"}
_NOWHERE = {"workspace": "nowhere"}
_CONVERSATION = {"ari_conversation_id": Row("ariConversations", {"lead_score": 92.0})}
_CLINIC = Row("webinars", {"slug": "klinik-motivation-letter"})
_BUDI = Row("contacts", {"phone": "+6281234567802"})
_AYU = Row("contacts", {"phone": "+6281234567803"})
_THEIRS = Row("contacts", {"phone": "+6285598765405"})
_MONDAY = 1_893_949_200_000  # 2030-01-07, at midnight in Jakarta

CALLS = (
    Call("query", "workspaces:get", {"slug": "jendela-studi"}),
    Call("query", "workspaces:get", {"slug": "nowhere"}),
    Call("query", "articles:list", _EAGLE),
    Call("query", "articles:list", _NOWHERE, fails="WorkspaceNotFound"),
    Call("query", "articles:list", {}, fails="ArgumentValidationError"),
    Call("query", "articles:list", {**_EAGLE, "more": 1}, fails="ArgumentValidationError"),
    Call("query", "articles:get", {**_EAGLE, "slug": "panduan-s2-jerman"}),
    Call("query", "articles:get", {**_EAGLE, "slug": "draf-1"}),
    Call("query", "slots:free", {**_EAGLE, "date": "2030-01-07", "now": _MONDAY}),
    Call("query", "slots:free", {**_EAGLE, "date": "soon", "now": 0}, fails="InvalidDate"),
    Call("query", "ari:destinations", {**_EAGLE, "country": "Jerman"}),
    Call("query", "ari:destinations", {**_NOWHERE, "country": "Jerman"}, fails="WorkspaceNotFound"),
    Call("query", "ari:comparison", _EAGLE, user=_RINA),
    Call("query", "ari:comparison", _EAGLE, fails="Unauthenticated"),
    Call("query", "leads:list", _EAGLE, user=_RINA),
    Call("query", "leads:list", _EAGLE, fails="Unauthenticated"),
    Call("query", "leads:get", _CONVERSATION, user=_RINA),
    Call("query", "leads:get", _CONVERSATION, fails="Unauthenticated"),
    Call("query", "leads:get", {"ari_conversation_id": _BUDI}, user=_RINA, fails="ArgumentValidationError"),
    Call("query", "appointments:mine", {"from": 0}, user=_RINA),
    Call("query", "appointments:mine", {"from": 0}, fails="Unauthenticated"),
    Call("query", "payments:list", _CONVERSATION),
    Call("query", "payments:list", {"ari_conversation_id": "no-id"}, fails="ArgumentValidationError"),
    Call("query", "webinars:list", {**_EAGLE, "from": 0}),
    Call("mutation", "webinars:register", {"webinar_id": _CLINIC, "contact_id": _THEIRS}, fails="ContactNotFound"),
    Call("mutation", "webinars:register", {"webinar_id": _CLINIC, "contact_id": _BUDI}),
    Call("mutation", "webinars:register", {"webinar_id": _CLINIC, "contact_id": _BUDI}, fails="AlreadyRegistered"),
    Call("mutation", "webinars:register", {"webinar_id": _CLINIC, "contact_id": _AYU}, fails="WebinarFull"),
    Call("query", "probe:fails", fails="on purpose"),
    Call("mutation", "probe:unfitting", {"workspace_id": Row("workspaces", {"slug": "jendela-studi"})}, fails="schema"),
    Call("action", "probe:overview", _EAGLE),
    Call("action", "probe:overview", _NOWHERE, fails="WorkspaceNotFound"),
    # Internal functions and such that are not there look alike to a client.
    Call("mutation", "payments:expire", _CONVERSATION, fails="Could not find public function"),
    Call("query", "articles:nothing", fails="Could not find public function"),
)

_SIGNED = dict.fromkeys(("order_id", "status_code", "gross_amount", "transaction_id", "transaction_status"), "1")
#: Paths below the deployment's address, and what is posted there (None: GET).
HTTP_REQUESTS: tuple[tuple[str, dict[str, str] | None], ...] = (
    ("/http/midtrans/callback", {}),
    ("/http/midtrans/callback", {**_SIGNED, "signature_key": "somebody else's"}),
    ("/http/midtrans/callback", None),
    ("/http/nothing", None),
)

_CATEGORY = {"workspace_id": Row("workspaces", {"slug": "jendela-studi"}), "name": "Visa", "display_order": 9}
#: Documents that `convex import` gets, by what is to become of them.
IMPORTED = {
    "fitting": {**_CATEGORY, "created_at": 1, "updated_at": 1},
    "unfitting": {**_CATEGORY, "created_at": "once", "updated_at": 1},
}


def called(side: Side, call: Call) -> str:
    """What came of one call. By the official Python client, but as a user by HTTP, as `convex run --identity` does."""
    args = resolved(side, call.args)
    outcome: dict[str, Any]
    if call.user is None:
        try:
            outcome = {"value": side.client.ask(call.kind, path=call.path, args=args).result()}
        except Failed as failed:
            outcome = {"error": failed.message, "data": failed.data}
    else:
        status, text = side.ask(f"/api/{call.kind}", {"path": call.path, "args": args, "format": "json"}, call.user)
        answer = json.loads(text) if text.startswith("{") else {"errorMessage": text}
        said = {"error": answer.get("errorMessage"), "data": answer.get("errorData"), "status": status}
        outcome = {"value": answer["value"]} if answer.get("status") == "success" else said
    line = f"{call.path} {json.dumps(args, sort_keys=True)}: {json.dumps(outcome, sort_keys=True, ensure_ascii=False)}"
    if ("error" in outcome) != bool(call.fails) or call.fails not in line:
        raise StepFailed(line)
    return line


def resolved(side: Side, args: dict[str, Any]) -> dict[str, Any]:
    """``args`` with the id of each row that it names."""
    return {name: id_of(side, value) if isinstance(value, Row) else value for name, value in args.items()}


def id_of(side: Side, row: Row) -> str:
    """The id that the document of a row has at this deployment."""
    held = side.documents.get(row.table, [])
    found = [str(d["_id"]) for d in held if all(d.get(name) == value for name, value in row.fields.items())]
    if len(found) != 1:
        raise StepFailed(f"{len(found)} documents of {row.table} have {row.fields}")
    return found[0]
