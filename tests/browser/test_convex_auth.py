"""A page with Convex Auth in Chromium: users sign up, sign in and out, and see what others write as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.official.auth_app import AUTH, auth_variables
from tests.official.clients import browser as clients
from tests.official.node import missing
from tests.official.served import served_app, set_variables

PAGE = Path(clients.__file__).with_name("auth_page.jsx")
APP = {
    **AUTH,
    "schema.ts": """
import { authTables } from "@convex-dev/auth/server";
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({ ...authTables, messages: defineTable({ author: v.id("users"), text: v.string() }) });
""",
    "messages.ts": """
import { getAuthUserId } from "@convex-dev/auth/server";
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";
const user = async (ctx: any): Promise<any> => {
  const id = await getAuthUserId(ctx);
  if (id === null) throw new Error("Nobody has signed in");
  return await ctx.db.get(id);
};
export const me = query({ handler: async (ctx): Promise<any> => (await user(ctx)).email });
export const list = query({
  handler: async (ctx) => {
    await user(ctx);
    const found = await ctx.db.query("messages").collect();
    return await Promise.all(
      found.map(async (one: any) => ({ ...one, author: ((await ctx.db.get(one.author)) as any).email })),
    );
  },
});
export const send = mutation({
  handler: async (ctx, { text }: any) => {
    await ctx.db.insert("messages", { author: (await user(ctx))._id, text });
  },
});
""",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, with the deployment that it talks to."""
    problem = missing()
    assert problem is None, problem
    with served_app(**APP) as app, clients.page_server(tmp_path_factory.mktemp("page"), PAGE) as page:
        set_variables(app, auth_variables())
        app.push()
        yield f"{page}?url={app.served.url}"


def sign(page: Page, name: str, password: str, *, up: bool) -> None:
    """Fills in the form, and sends it."""
    if up:
        page.get_by_role("button", name="Sign up instead").click()
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign up" if up else "Sign in", exact=True).click()


def test_sign_up_sign_in_and_live_updates(window: Open, address: str) -> None:
    ada, bob = window(), window()
    for page, name in ((ada, "ada"), (bob, "bob")):
        page.goto(address)
        sign(page, name, f"the password of {name}", up=True)
        expect(page.get_by_role("heading")).to_have_text(f"{name}@example.com")
    # Without a reload: one writes, the other reads.
    for page, other, text in ((ada, bob, "first"), (bob, ada, "second")):
        page.get_by_label("Message").fill(text)
        page.get_by_role("button", name="Send").click()
        expect(other.get_by_role("listitem").filter(has_text=text)).to_have_count(1)
    shown = ["ada@example.com: first", "bob@example.com: second"]
    expect(ada.get_by_role("listitem")).to_have_text(shown)
    # The session outlives the page.
    ada.reload()
    expect(ada.get_by_role("listitem")).to_have_text(shown)
    ada.get_by_role("button", name="Sign out").click()
    expect(ada.get_by_label("Password")).to_be_visible()
    sign(ada, "ada", "another password", up=False)
    expect(ada.get_by_role("alert")).to_be_visible()
    sign(ada, "ada", "the password of ada", up=False)
    expect(ada.get_by_role("heading")).to_have_text("ada@example.com")
    expect(ada.get_by_role("listitem")).to_have_text(shown)
