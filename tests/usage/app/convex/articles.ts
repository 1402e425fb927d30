import { v } from "convex/values";
import { mutation, query } from "./_generated/server";

export const bySlug = query({
  args: { workspace: v.id("workspaces"), slug: v.string() },
  handler: async (ctx, args) =>
    await ctx.db
      .query("articles")
      .withIndex("by_workspace_slug", (q) => q.eq("workspace_id", args.workspace).eq("slug", args.slug))
      .unique(),
});

export const list = query({ handler: async (ctx) => await ctx.db.query("articles").take(10) });

export const publish = mutation({
  args: { id: v.id("articles") },
  handler: async (ctx, args) => {
    await ctx.db.patch(args.id, { status: "published" });
  },
});
