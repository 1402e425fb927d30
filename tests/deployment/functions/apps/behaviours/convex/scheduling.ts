import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "./_generated/server";

export const work = internalMutation({
  args: { n: v.number(), then: v.optional(v.string()) },
  handler: async (ctx, { n, then }) => {
    await ctx.db.insert("rows", { n });
    if (then === "throw") throw new Error(`job ${n}`);
    if (then === "again" && n < 3) await ctx.scheduler.runAfter(0, internal.scheduling.work, { n: n + 1, then });
    if (then === "look") return await ctx.db.system.query("_scheduled_functions").collect();
  },
});
export const act = internalAction({
  handler: async (ctx, { n, then }: any) => {
    await ctx.runMutation(internal.scheduling.work, { n });
    if (then === "throw") throw new Error(`action ${n}`);
    if (then === "look") {
      const [job] = await ctx.runQuery(internal.scheduling.jobs, {});
      await ctx.runMutation(internal.scheduling.note, { a: job.state });
    }
  },
});
export const cancelsThenSchedules = internalAction({
  handler: async (ctx, { n, then }: any) => {
    const [job] = await ctx.runQuery(internal.scheduling.jobs, {});
    await ctx.scheduler.cancel(job._id);
    if (then === "mutation") await ctx.runMutation(api.scheduling.after, { ms: 60_000, args: { n } });
    else await ctx.scheduler.runAfter(60_000, internal.scheduling.work, { n });
  },
});
export const note = internalMutation({ handler: async (ctx, { a }: any) => void (await ctx.db.insert("rows", { n: -1, a })) });
export const jobs = internalQuery({ handler: async (ctx) => await ctx.db.system.query("_scheduled_functions").collect() });
export const after = mutation({
  handler: async (ctx, { ms, args, kind, fail }: any) => {
    const id = await ctx.scheduler.runAfter(ms, (internal.scheduling as any)[kind ?? "work"], args);
    if (fail) throw new Error("no");
    return id;
  },
});
export const at = mutation({
  handler: async (ctx, { time, args }: any) => [
    await ctx.scheduler.runAt(time, internal.scheduling.work, args),
    await ctx.scheduler.runAt(new Date(time), internal.scheduling.work, args),
  ],
});
export const cancel = mutation({ handler: async (ctx, { id }: any) => await ctx.scheduler.cancel(id) });
export const scheduleAndCancel = mutation({
  handler: async (ctx) => {
    const id = await ctx.scheduler.runAfter(0, internal.scheduling.work, { n: 1 });
    await ctx.scheduler.cancel(id);
    return (await ctx.db.system.get(id))?.state;
  },
});
export const fromAction = action({
  handler: async (ctx, { cancel, fail }: any) => {
    const id = await ctx.scheduler.runAfter(0, internal.scheduling.work, { n: 1 });
    if (cancel) await ctx.scheduler.cancel(id);
    if (fail) throw new Error("no");
    return id;
  },
});
export const cancelsItself = internalMutation({
  handler: async (ctx) => {
    const [job] = await ctx.db.system.query("_scheduled_functions").collect();
    try {
      await ctx.scheduler.cancel(job._id);
    } catch (error: any) {
      await ctx.db.insert("rows", { n: 1, a: error.message });
    }
  },
});
export const get = query({ handler: async (ctx, { id }: any) => await ctx.db.system.get(id) });
export const read = query({ handler: async () => 1 });
export const badly = mutation({
  handler: async (ctx, { name, args, ms }: any) => await ctx.scheduler.runAfter(ms ?? 0, name as any, args ?? {}),
});
export const odd = internalMutation({
  handler: async (ctx, { then }: any) => {
    if (then === "loop") for (;;);
  },
});

const beyond = (what: string) => {
  if (what === "fields") return Object.fromEntries(Array.from({ length: 1100 }, (_, n) => [`f${n}`, n]));
  if (what === "elements") return Array.from({ length: 8200 }, () => 1);
  let value: any = 1;
  for (let level = 0; level < 70; level++) value = [value];
  return value;
};
export const tooMuch = mutation({
  handler: async (ctx, { what }: any) => await ctx.scheduler.runAfter(0, internal.scheduling.note, { a: beyond(what) }),
});
export const tooMuchInAction = action({
  handler: async (ctx, { what }: any) => await ctx.scheduler.runAfter(0, internal.scheduling.note, { a: beyond(what) }),
});
