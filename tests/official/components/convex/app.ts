import { createFunctionHandle } from "convex/server";
import { components, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";

const { counter, other, shop } = components as any;

export const add = mutation({
  handler: async (ctx, { name, by }: any): Promise<any> => {
    await ctx.db.insert("notes", { text: `add ${name}` });
    return await ctx.runMutation(counter.lib.add, { name, by });
  },
});
export const addOther = mutation({ handler: async (ctx, args: any): Promise<any> => await ctx.runMutation(other.lib.add, args) });
export const value = query({ handler: async (ctx, args: any): Promise<any> => await ctx.runQuery(counter.lib.value, args) });
export const caught = mutation({
  handler: async (ctx, { name }: any): Promise<any> => {
    await ctx.runMutation(counter.lib.add, { name, by: 1 });
    try {
      await ctx.runMutation(counter.lib.addAndFail, { name });
    } catch (error: any) {
      await ctx.db.insert("notes", { text: error.message });
    }
    return await ctx.runQuery(counter.lib.value, { name });
  },
});
export const fails = mutation({
  handler: async (ctx, { name }: any) => {
    await ctx.runMutation(counter.lib.add, { name, by: 1 });
    throw new Error("not after all");
  },
});
export const acts = action({
  handler: async (ctx, { name }: any): Promise<any> => {
    await ctx.runMutation(counter.lib.add, { name, by: 2 });
    return [await ctx.runQuery(counter.lib.value, { name }), await ctx.runAction(counter.lib.acts, { name })];
  },
});
export const reads = query({ handler: async (ctx, { id }: any) => await ctx.db.get(id) });
export const hidden = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(counter.lib.hidden, {}) });
export const nowhere = query({ handler: async (ctx): Promise<any> => await ctx.runQuery((components as any).nobody.lib.value, {}) });
export const page = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(counter.lib.page, {}) });
export const sell = mutation({ handler: async (ctx, args: any): Promise<any> => await ctx.runMutation(shop.sales.sell, args) });
export const keep = mutation({ handler: async (ctx, args: any): Promise<any> => await ctx.runMutation(shop.sales.keep, args) });
export const search = query({ handler: async (ctx, args: any): Promise<any> => await ctx.runQuery(shop.sales.search, args) });
export const near = action({ handler: async (ctx, args: any): Promise<any> => await ctx.runAction(shop.sales.near, args) });
export const seen = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(shop.sales.environment, {}) });
export const note = internalMutation({ handler: async (ctx, { text }: any) => await ctx.db.insert("notes", { text }) });
export const callBack = mutation({
  handler: async (ctx, { text }: any): Promise<any> => {
    const handle = await createFunctionHandle(internal.app.note as any);
    await ctx.runMutation(counter.lib.calls, { handle, text });
    return handle;
  },
});
export const ofComponent = mutation({
  handler: async (ctx, args: any): Promise<any> => {
    const handle: any = await createFunctionHandle(counter.lib.add);
    await ctx.runMutation(handle, args);
    await ctx.scheduler.runAfter(0, handle, args);
    await ctx.scheduler.runAfter(0, counter.lib.add, args);
    return handle;
  },
});
export const later = mutation({ handler: async (ctx, args: any): Promise<any> => await ctx.runMutation(counter.lib.later, args) });
export const jobs = query({
  handler: async (ctx): Promise<any> => [
    (await ctx.db.system.query("_scheduled_functions").collect()).length,
    await ctx.runQuery(counter.lib.jobs, {}),
  ],
});
const subject = async (ctx: any): Promise<any> => (await ctx.auth.getUserIdentity())?.subject ?? null;
export const who = query({ handler: async (ctx): Promise<any> => [await subject(ctx), await ctx.runQuery(counter.lib.who, {})] });
export const whoActs = action({
  handler: async (ctx): Promise<any> => [
    await subject(ctx),
    await ctx.runQuery((internal as any).app.whoAsks, {}),
    await ctx.runQuery(counter.lib.who, {}),
    await ctx.runAction(counter.lib.whoActs, {}),
  ],
});
export const whoAsks = internalQuery({ handler: subject });
export const keeps = action({ handler: async (ctx, args: any): Promise<any> => await ctx.runAction(counter.lib.keeps, args) });
export const sees = query({
  handler: async (ctx, { id }: any): Promise<any> => [
    (await ctx.db.system.get(id)) !== null,
    await ctx.runQuery(counter.lib.sees, { id }),
    await ctx.runQuery(other.lib.sees, { id }),
  ],
});
