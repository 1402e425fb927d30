import { paginationOptsValidator } from "convex/server";
import { ConvexError, v } from "convex/values";
import { internalMutation, mutation, query } from "./_generated/server";

/** The texts of a list; a line in the log for every run. */
export const list = query({
  args: { list: v.string() },
  handler: async (ctx, { list }) => {
    console.log("ran", list);
    const items = await ctx.db.query("items").withIndex("by_list", (q) => q.eq("list", list)).collect();
    return items.map((item) => item.text);
  },
});

/** The texts of a list that a search finds; a line in the log for every run. */
export const find = query({
  args: { list: v.string(), text: v.string() },
  handler: async (ctx, { list, text }) => {
    console.log("found", list);
    const found = await ctx.db
      .query("items")
      .withSearchIndex("by_text", (q) => q.search("text", text).eq("list", list))
      .take(10);
    return found.map((item) => item.text).sort();
  },
});

export const page = query({
  args: { list: v.string(), paginationOpts: paginationOptsValidator },
  handler: async (ctx, { list, paginationOpts }) => {
    const found = await ctx.db
      .query("items")
      .withIndex("by_list", (q) => q.eq("list", list))
      .paginate(paginationOpts);
    return { ...found, page: found.page.map((item) => item.text) };
  },
});

/** Fails while the list holds the text "bad". */
export const picky = query({
  args: { list: v.string(), plain: v.optional(v.boolean()) },
  handler: async (ctx, { list, plain }) => {
    const items = await ctx.db.query("items").withIndex("by_list", (q) => q.eq("list", list)).collect();
    if (items.some((item) => item.text === "bad")) {
      if (plain) throw new Error("a plain error");
      throw new ConvexError({ list, code: 7n, of: [items.length] });
    }
    return items.length;
  },
});

export const add = mutation({
  args: { list: v.string(), text: v.string(), place: v.optional(v.number()) },
  handler: async (ctx, { list, text, place }) => {
    const last = await ctx.db.query("items").withIndex("by_list", (q) => q.eq("list", list)).order("desc").first();
    await ctx.db.insert("items", { list, text, place: place ?? (last?.place ?? 0) + 1 });
    return text;
  },
});

export const addMany = mutation({
  args: { list: v.string(), count: v.number() },
  handler: async (ctx, { list, count }) => {
    for (let n = 1; n <= count; n++) await ctx.db.insert("items", { list, text: `${n}`, place: n });
  },
});

export const removeText = mutation({
  args: { list: v.string(), text: v.string() },
  handler: async (ctx, { list, text }) => {
    for await (const item of ctx.db.query("items").withIndex("by_list", (q) => q.eq("list", list))) {
      if (item.text === text) await ctx.db.delete(item._id);
    }
  },
});

/** Writes, and fails: nothing of it stays. */
export const refuse = mutation({
  args: { list: v.string() },
  handler: async (ctx, { list }) => {
    await ctx.db.insert("items", { list, text: "lost", place: 0 });
    throw new ConvexError("refused");
  },
});

export const hidden = internalMutation({ args: {}, handler: async () => "seen" });
