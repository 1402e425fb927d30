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

/** Those of some ids that the caller may see. */
export const among = query({
  args: { ids: v.array(v.string()) },
  handler: async (ctx, { ids }) => {
    const found = await Promise.all(ids.map((id) => ctx.db.get(id as never)));
    return ids.filter((_, at) => found[at] !== null);
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
    command: v.union(v.literal("insert"), v.literal("update"), v.literal("delete")),
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
    else await ctx.db.delete(id as never);
    const after = tables.length > 0 ? await ctx.runQuery(anyApi.supavexProof!.state! as never, { tables } as never) : {};
    throw new ConvexError({ code: "taken", after } as never);
  },
});
