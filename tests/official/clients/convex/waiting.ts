import { v } from "convex/values";
import { api } from "./_generated/api";
import { action } from "./_generated/server";

/** Counts itself in the counter `begun`, and ends when the counter `released` has been bumped. */
export const held = action({
  args: { begun: v.string(), released: v.string() },
  handler: async (ctx, { begun, released }): Promise<void> => {
    await ctx.runMutation(api.counters.bump, { names: [begun] });
    while (!(await ctx.runQuery(api.counters.get, { name: released }))) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
});
