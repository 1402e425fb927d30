import { v } from "convex/values";
import { mutation, query } from "./_generated/server";

export const add = mutation({
  args: { rows: v.array(v.any()) },
  handler: async (ctx, { rows }) => {
    const ids = [];
    for (const row of rows) ids.push(await ctx.db.insert("rows", row));
    return ids;
  },
});

export const get = query({ handler: async (ctx, { id }: any) => await ctx.db.get(id) });
export const getNamed = query({ handler: async (ctx, { table, id }: any) => await ctx.db.get(table, id) });
export const normalize = query({ handler: async (ctx, { table, id }: any) => ctx.db.normalizeId(table, id) });

/** `rows` by a filter on `a`, written as nested lists: ["eq", "a", 1], ["and", …, …]; "a" and "b" are the fields. */
export const filtered = query({
  handler: async (ctx, { filter }: any) =>
    (
      await ctx.db
        .query("rows")
        .filter((q: any) => {
          const built = (part: any): any => {
            if (part === "a" || part === "b") return q.field(part);
            if (part === "undefined") return undefined;
            return Array.isArray(part) ? q[part[0]](...part.slice(1).map(built)) : part;
          };
          return built(filter);
        })
        .collect()
    ).map((row) => row.n),
});

/** A range is a list of [method, field, value]. */
export const ranged = query({
  handler: async (ctx, { table, index, range, order, take }: any) => {
    const found = ctx.db
      .query(table ?? "rows")
      .withIndex(index, (q: any) => range.reduce((r: any, [m, f, x]: any) => r[m](f, x === "undefined" ? undefined : x), q))
      .order(order ?? "asc");
    return (await (take === undefined ? found.collect() : found.take(take))).map((row: any) => row.n ?? row.name);
  },
});

export const all = query({ handler: async (ctx, { table }: any) => await ctx.db.query(table).collect() });
export const newest = query({ handler: async (ctx) => (await ctx.db.query("rows").order("desc").collect()).map((r) => r.n) });
export const first = query({ handler: async (ctx, { table }: any) => await ctx.db.query(table).first() });
export const unique = query({
  handler: async (ctx, { n }: any) => (await ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", n)).unique())?.n ?? null,
});
export const taken = query({ handler: async (ctx, { count }: any) => (await ctx.db.query("rows").take(count)).map((r) => r.n) });
export const count = query({ handler: async (ctx, { table }: any) => await (ctx.db.query(table) as any).count() });

/** Reads until a row's `n` is `last`. */
export const until = query({
  handler: async (ctx, { last }: any) => {
    const seen = [];
    for await (const row of ctx.db.query("rows").withIndex("by_n")) {
      seen.push(row.n);
      if (row.n === last) break;
    }
    return seen;
  },
});
export const interleaved = query({
  handler: async (ctx) => {
    const up = ctx.db.query("rows").withIndex("by_n")[Symbol.asyncIterator]();
    const down = ctx.db.query("rows").withIndex("by_n").order("desc")[Symbol.asyncIterator]();
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push((await up.next()).value.n, (await down.next()).value.n);
    return seen;
  },
});
export const together = query({
  handler: async (ctx, { ids }: any) => (await Promise.all(ids.map((id: any) => ctx.db.get(id)))).map((row: any) => row?.n),
});
export const filterThenTake = query({
  handler: async (ctx, { least, count }: any) =>
    (await ctx.db.query("rows").withIndex("by_n").filter((q) => q.gte(q.field("n"), least)).take(count)).map((r) => r.n),
});
export const twice = query({
  handler: async (ctx) => {
    const found = ctx.db.query("rows").order("asc");
    await found.first();
    return await found.collect();
  },
});
export const system = query({
  handler: async (ctx, { table }: any) => await ctx.db.system.query(table).collect(),
});
export const systemGet = query({ handler: async (ctx, { id }: any) => await ctx.db.system.get(id) });
