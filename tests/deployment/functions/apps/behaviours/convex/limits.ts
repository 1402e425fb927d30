import { internal } from "./_generated/api";
import { internalMutation, mutation, query } from "./_generated/server";

export const fill = mutation({
  handler: async (ctx, { count, size }: any) => {
    const b = "x".repeat(size ?? 0);
    for (let n = 0; n < count; n++) await ctx.db.insert("rows", size ? { n, b } : { n });
  },
});
export const readAll = query({ handler: async (ctx) => (await ctx.db.query("rows").collect()).length });
export const readSome = query({ handler: async (ctx, { count }: any) => (await ctx.db.query("rows").take(count)).length });
export const filteredOut = query({
  handler: async (ctx) => (await ctx.db.query("rows").filter((q) => q.eq(q.field("n"), -1)).collect()).length,
});
export const queries = query({
  handler: async (ctx, { count }: any) => {
    for (let n = 0; n < count; n++) await ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", n)).first();
  },
});
export const same = query({
  handler: async (ctx, { count }: any) => {
    for (let n = 0; n < count; n++) await ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", 1)).collect();
  },
});
export const write = mutation({
  handler: async (ctx, { count }: any) => {
    const id = await ctx.db.insert("rows", { n: 0 });
    for (let n = 1; n < count; n++) await ctx.db.patch(id, { n });
  },
});
export const writeBytes = mutation({
  handler: async (ctx, { count, size }: any) => {
    const b = "x".repeat(size);
    for (let n = 0; n < count; n++) await ctx.db.insert("rows", { n, b });
  },
});
export const nothing = internalMutation({ handler: async () => {} });
export const schedule = mutation({
  handler: async (ctx, { count, size }: any) => {
    const text = "x".repeat(size ?? 0);
    for (let n = 0; n < count; n++) await ctx.scheduler.runAfter(60_000, internal.limits.nothing, { text } as any);
  },
});
export const page = query({
  handler: async (ctx, { numItems }: any) => (await ctx.db.query("rows").paginate({ cursor: null, numItems })).page.length,
});
export const give = query({ handler: async (ctx, { bytes }: any) => "x".repeat(bytes) });
export const take = query({ handler: async (ctx, { text }: any) => text.length });
export const bigDocument = mutation({ handler: async (ctx, { bytes }: any) => await ctx.db.insert("rows", { n: 1, a: "x".repeat(bytes) }) });
export const operators = query({
  handler: async (ctx, { count }: any) => {
    let found: any = ctx.db.query("rows");
    for (let i = 0; i < count; i++) found = found.filter((q: any) => q.eq(q.field("n"), 1));
    return (await found.collect()).length;
  },
});
export const caughtAtTheLimit = mutation({
  handler: async (ctx, { count }: any) => {
    const id = await ctx.db.insert("rows", { n: 0 });
    try {
      for (let n = 1; n <= count; n++) await ctx.db.patch(id, { n });
    } catch (error: any) {
      return error.message;
    }
  },
});
export const asking = query({
  handler: async (ctx) => {
    for (;;) await ctx.auth.getUserIdentity();
  },
});
