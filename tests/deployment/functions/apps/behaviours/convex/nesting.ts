// Calls within calls, into a component too.
import { componentsGeneric } from "convex/server";
import { internal } from "./_generated/api";
import { action, internalQuery, mutation } from "./_generated/server";

const { inside } = componentsGeneric().part as any;

export const time = internalQuery({ handler: async () => performance.now() });
/** Times of the app and of the component in one mutation, in the order in which they were taken. */
export const times = mutation({
  handler: async (ctx): Promise<any> => {
    const found: number[] = [];
    for (let round = 0; round < 3; round++) {
      const until = performance.now() + 5;
      while (performance.now() < until);
      found.push(performance.now(), await ctx.runQuery(inside.time, {}), await ctx.runQuery(internal.nesting.time, {}));
    }
    return [...found, performance.now()];
  },
});
export const catches = mutation({
  handler: async (ctx, { n }: any): Promise<any> =>
    await ctx.runMutation(internal.transactions.put, { n }).then(() => "done", (error: Error) => error.message),
});
export const loads = action({
  handler: async (_, { path }: any) => await import([...path].join("")).then(Object.keys, (error: Error) => error.message),
});
export const loadsInside = action({ handler: async (ctx, args: any): Promise<any> => await ctx.runAction(inside.loads, args) });
