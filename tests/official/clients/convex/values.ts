import { v } from "convex/values";
import { api } from "./_generated/api";
import { action, mutation, query } from "./_generated/server";

export const echo = query({ args: { value: v.any() }, handler: async (_, { value }) => value });

/** Puts a value into a document; what the document gives back. */
export const keep = mutation({
  args: { value: v.any() },
  handler: async (ctx, { value }) => (await ctx.db.get(await ctx.db.insert("kept", { value })))!.value,
});

export const through = action({
  args: { value: v.any() },
  handler: async (ctx, { value }): Promise<any> => ctx.runMutation(api.values.keep, { value }),
});

export const big = query({
  args: { characters: v.number() },
  handler: async (_, { characters }) => "é€😀".repeat(characters / 4),
});

export const wants = query({ args: { n: v.number() }, handler: async (_, { n }) => n });
