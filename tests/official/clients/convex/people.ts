import { ConvexError } from "convex/values";
import { action, mutation, query } from "./_generated/server";

/** Who asks. */
export const me = query({
  args: {},
  handler: async (ctx) => {
    const identity = await ctx.auth.getUserIdentity();
    return identity === null ? null : [identity.subject, identity.name ?? null];
  },
});

export const change = mutation({
  args: {},
  handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
});

export const act = action({
  args: {},
  handler: async (ctx) => {
    const identity = await ctx.auth.getUserIdentity();
    if (identity === null) throw new ConvexError({ who: null });
    return identity.tokenIdentifier;
  },
});
