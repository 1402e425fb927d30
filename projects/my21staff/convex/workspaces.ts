import { v } from "convex/values";
import { query, type QueryCtx } from "./_generated/server";
import type { Doc } from "./_generated/dataModel";
import { refusal } from "./errors";

/** A workspace by the slug of its website. */
export const get = query({
  args: { slug: v.string() },
  returns: v.union(v.null(), v.object({ _id: v.id("workspaces"), name: v.string(), slug: v.string() })),
  handler: async (ctx, { slug }) => {
    const found = await bySlug(ctx, slug);
    return found && { _id: found._id, name: found.name, slug: found.slug };
  },
});

/** The workspace with that slug, or null. */
export async function bySlug(ctx: QueryCtx, slug: string): Promise<Doc<"workspaces"> | null> {
  return await ctx.db
    .query("workspaces")
    .withIndex("by_slug", (q) => q.eq("slug", slug))
    .unique();
}

/** The workspace with that slug. Throws where there is none. */
export async function workspaceOf(ctx: QueryCtx, slug: string): Promise<Doc<"workspaces">> {
  const found = await bySlug(ctx, slug);
  if (found === null) throw refusal("WorkspaceNotFound", `There is no workspace ${slug}.`);
  return found;
}

/** Lets pass who is signed in; the subject is a Clerk user id. */
export async function signedIn(ctx: QueryCtx): Promise<string> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) throw refusal("Unauthenticated", "Sign in first.");
  return identity.subject;
}
