import { internal } from "./_generated/api";
import { action, internalQuery, mutation, query } from "./_generated/server";

export const who = query({ handler: async (ctx) => await ctx.auth.getUserIdentity() });
export const whoWrites = mutation({ handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null });
export const inner = internalQuery({ handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null });
export const whoActs = action({
  handler: async (ctx): Promise<any> => [
    (await ctx.auth.getUserIdentity())?.subject ?? null,
    await ctx.runQuery(internal.people.inner, {}),
  ],
});
export const asks = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(internal.people.inner, {}) });
