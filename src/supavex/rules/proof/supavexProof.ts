// Written for `supavex verify --rules`, into a copy of the app that is thrown away.
import { anyApi } from "convex/server";
import { ConvexError, v } from "convex/values";
import { internalQuery } from "./_generated/server";
import * as rules from "./rules";
import { mutation, query } from "./rules";

/** One page of the ids of the documents that the caller may see. */
export const page = query({
  args: { table: v.string(), cursor: v.union(v.string(), v.null()) },
  handler: async (ctx, { table, cursor }) => {
    const found = await ctx.db.query(table as never).paginate({ cursor, numItems: 500 });
    const ids = (found.page as { _id: string }[]).map((row) => row._id);
    return { ids, isDone: found.isDone, cursor: found.continueCursor };
  },
});

/** Those of some ids that the caller may see. Throws if the two forms of `get` differ. */
export const among = query({
  args: { table: v.string(), ids: v.array(v.string()) },
  handler: async (ctx, { table, ids }) => {
    const get = ctx.db.get as unknown as (...args: string[]) => Promise<unknown>;
    const found = await Promise.all(ids.map(async (id) => [await get(id), await get(table, id)]));
    const apart = ids.find((_, at) => (found[at]![0] === null) !== (found[at]![1] === null));
    if (apart !== undefined) throw new Error(`get(id) and get(table, id) differ for ${apart} of ${table}`);
    return ids.filter((_, at) => found[at]![0] !== null);
  },
});

/** The ids of a small table's documents that the caller may see, by each way of `query` to them. */
export const everyWay = query({
  args: { table: v.string() },
  handler: async (ctx, { table }) => {
    type Rows = { _id: string }[];
    const all = () => ctx.db.query(table as never);
    const iterated: Rows = [];
    for await (const row of all()) iterated.push(row);
    const found: Record<string, Rows> = {
      collect: await all().collect(),
      "for await": iterated,
      take: await all().take(10_000),
      order: await all().order("desc").collect(),
      filter: await all().filter((q) => q.eq(true, true)).collect(),
      withIndex: await all().withIndex("by_creation_time").collect(),
      fullTableScan: await all().fullTableScan().collect(),
    };
    const first: { _id: string } | null = await all().first();
    const firsts = found.collect!.slice(0, 1);
    if (JSON.stringify(first && first._id) !== JSON.stringify(firsts[0]?._id ?? null)) found.first = first ? [first] : [];
    return Object.fromEntries(Object.entries(found).map(([way, rows]) => [way, rows.map((row) => row._id)]));
  },
});

/** The ids of the documents that the caller may see, by the way that rules.ts exports for them; null: by none. */
export const byIndex = query({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    const found = (rules as unknown as Record<string, unknown>)[name];
    if (typeof found !== "function") return null;
    return ((await found(ctx)) as { _id: string }[]).map((row) => row._id);
  },
});

/** All documents of tables. */
export const state = internalQuery({
  args: { tables: v.array(v.string()) },
  handler: async (ctx, { tables }) =>
    Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await ctx.db.query(table as never).collect()]))),
});

/** Tries to write as the caller, says what the tables hold then, and takes all of it back by throwing. */
export const attempt = mutation({
  args: {
    command: v.union(v.literal("insert"), v.literal("update"), v.literal("replace"), v.literal("delete")),
    table: v.string(),
    id: v.optional(v.string()),
    fields: v.optional(v.any()),
    absent: v.optional(v.array(v.string())),
    tables: v.array(v.string()),
  },
  handler: async (ctx, { command, table, id, fields, absent, tables }) => {
    const cleared = Object.fromEntries((absent ?? []).map((name) => [name, undefined]));
    if (command === "insert") await ctx.db.insert(table as never, fields as never);
    else if (command === "update") await ctx.db.patch(id as never, { ...fields, ...cleared } as never);
    else if (command === "replace") {
      const row = { ...((await ctx.db.get(id as never)) as Record<string, unknown> | null) };
      delete row._id;
      delete row._creationTime;
      await ctx.db.replace(id as never, { ...row, ...fields, ...cleared } as never);
    } else await ctx.db.delete(id as never);
    const after = tables.length > 0 ? await ctx.runQuery(anyApi.supavexProof!.state! as never, { tables } as never) : {};
    throw new ConvexError({ code: "taken", after } as never);
  },
});
