import { action, internalAction, internalMutation, mutation, query } from "./_generated/server";
import { internal } from "./_generated/api";

// What Convex's own client never asks for, as a function may ask for it all the same.
declare const Convex: any;
const ask = async (operation: string, text: string) => await Convex.asyncSyscall(operation, text);
export const queried = query({ handler: async (ctx, { operation, text }: any) => await ask(operation, text) });
export const asked = mutation({ handler: async (ctx, { operation, text }: any) => await ask(operation, text) });
export const acted = action({ handler: async (ctx, { operation, text }: any) => await ask(operation, text) });
export const job = internalMutation({ handler: async (ctx, { operation, text }: any) => await ask(operation, text) });
export const jobAction = internalAction({ handler: async (ctx, { operation, text }: any) => await ask(operation, text) });
export const later = mutation({
  handler: async (ctx, { name, operation, text }: any) =>
    await ctx.scheduler.runAfter(0, (internal.raw as any)[name], { operation, text }),
});
export const sleeps = action({
  handler: async (ctx, { ms }: any) => await new Promise((resolve) => setTimeout(resolve, ms)),
});
export const jobSleeps = internalAction({
  handler: async () => await new Promise((resolve) => setTimeout(resolve, 500_000)),
});
export const sleepLater = mutation({
  handler: async (ctx) => await ctx.scheduler.runAfter(0, internal.raw.jobSleeps, {}),
});
// Small code, large results.
export const large = query({
  handler: async (ctx, { count, item }: any) => {
    const text = `[${(item + ",").repeat(count)}${item}]`;
    (globalThis as any).JSON.stringify = () => text;
    return 1;
  },
});
export const many = query({ handler: async (ctx, { count }: any) => Array.from({ length: count }, () => []) });
export const takes = query({ handler: async (ctx, args: any) => Object.keys(args) });
export const takesInMutation = mutation({ handler: async (ctx, args: any) => Object.keys(args) });
