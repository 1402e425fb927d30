import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "./_generated/server";

const args = {
  name: v.string(),
  count: v.optional(v.number()),
  kind: v.union(v.literal("a"), v.literal("b")),
  inner: v.object({ list: v.array(v.int64()) }),
};
export const strict = query({ args, handler: async (ctx, given) => Object.keys(given).sort() });
export const loose = query({ handler: async (ctx, given: any) => given });
export const empty = query({ args: {}, handler: async () => "ran" });
export const ofPerson = query({ args: { id: v.id("people") }, handler: async (ctx, { id }) => id });
export const returned = query({
  args: { value: v.any() },
  returns: v.object({ n: v.number() }),
  handler: async (ctx, { value }) => value,
});
export const returnedByMutation = mutation({
  args: { value: v.any() },
  returns: v.null(),
  handler: async (ctx, { value }) => {
    await ctx.db.insert("rows", { n: 1 });
    return value;
  },
});
export const returnedByAction = action({ args: { value: v.any() }, returns: v.string(), handler: async (ctx, a) => a.value });
export const odd = query({
  handler: async (ctx, { what }: any): Promise<any> => {
    if (what === "undefined") return undefined;
    if (what === "undefined inside") return { a: undefined, b: 1 };
    if (what === "undefined in a list") return [undefined];
    if (what === "function") return () => 1;
    if (what === "date") return new Date(0);
    if (what === "map") return new Map();
    if (what === "class") return new (class Own {})();
    if (what === "dollar") return { $a: 1 };
    if (what === "big") return 2n ** 64n;
    if (what === "surrogate") return "\ud800";
    if (what === "numbers") return [NaN, -0, Infinity, 2n ** 63n - 1n, new Uint8Array([1, 2]).buffer];
    if (what === "deep") {
      let value: any = 1;
      for (let i = 0; i < 65; i++) value = [value];
      return value;
    }
    if (what === "long") return Array.from({ length: 8193 }, () => 1);
  },
});
export const hiddenQuery = internalQuery({ args: { n: v.number() }, returns: v.string(), handler: async () => "hidden" as string });
export const hiddenMutation = internalMutation({ handler: async () => "hidden" });
export const hiddenAction = internalAction({ handler: async () => "hidden" });
export const callsHidden = action({
  handler: async (ctx): Promise<any> => [
    await ctx.runQuery(internal.validation.hiddenQuery, { n: 1 }),
    await ctx.runMutation(internal.validation.hiddenMutation, {}),
    await ctx.runAction(internal.validation.hiddenAction, {}),
  ],
});
export default query({ args: {}, handler: async () => "the default" });

// A table that the schema does not have, and that may be made by this very call.
export const madeOutside = mutation({
  args: {},
  returns: v.id("outside" as any),
  handler: async (ctx): Promise<any> => await ctx.db.insert("outside" as any, { n: 1 }),
});
export const takesOutside = internalMutation({ args: { id: v.id("outside" as any) }, handler: async (ctx, { id }) => id });
export const handsOutside = mutation({
  handler: async (ctx): Promise<any> =>
    await ctx.runMutation((internal as any).validation.takesOutside, { id: await ctx.db.insert("outside" as any, { n: 2 }) }),
});
export const actsOutside = action({
  args: {},
  returns: v.id("outside" as any),
  handler: async (ctx): Promise<any> => await ctx.runMutation((api as any).validation.madeOutside, {}),
});
