import { v } from "convex/values";
import { query } from "./_generated/server";
import type { Doc } from "./_generated/dataModel";
import { workspaceOf } from "./workspaces";

const summary = {
  slug: v.string(),
  title: v.string(),
  excerpt: v.union(v.string(), v.null()),
  cover_image_url: v.union(v.string(), v.null()),
  published_at: v.number(),
};

/** Whether visitors may read it now. */
function isPublished(article: Doc<"articles">): article is Doc<"articles"> & { published_at: number } {
  return article.status === "published" && article.published_at !== undefined;
}

function summaryOf(article: Doc<"articles"> & { published_at: number }) {
  return {
    slug: article.slug,
    title: article.title,
    excerpt: article.excerpt ?? null,
    cover_image_url: article.cover_image_url ?? null,
    published_at: article.published_at,
  };
}

/** The published articles of a workspace, the newest first. */
export const list = query({
  args: { workspace: v.string() },
  returns: v.array(v.object(summary)),
  handler: async (ctx, args) => {
    const workspace = await workspaceOf(ctx, args.workspace);
    const articles = await ctx.db
      .query("articles")
      .withIndex("by_workspace", (q) => q.eq("workspace_id", workspace._id))
      .collect();
    return articles
      .filter(isPublished)
      .sort((a, b) => b.published_at - a.published_at)
      .map(summaryOf);
  },
});

/** One published article with its content; null for a draft, too. */
export const get = query({
  args: { workspace: v.string(), slug: v.string() },
  returns: v.union(v.null(), v.object({ ...summary, content: v.string() })),
  handler: async (ctx, args) => {
    const workspace = await workspaceOf(ctx, args.workspace);
    const article = await ctx.db
      .query("articles")
      .withIndex("by_workspace_slug", (q) => q.eq("workspace_id", workspace._id).eq("slug", args.slug))
      .unique();
    if (article === null || !isPublished(article)) return null;
    return { ...summaryOf(article), content: article.content ?? "" };
  },
});
