import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";

const found = async (ctx: any, name: string) =>
  await ctx.db.query("counts").withIndex("by_name", (q: any) => q.eq("name", name)).unique();
const added = async (ctx: any, name: string, by: number) => {
  const count = await found(ctx, name);
  if (count === null) return await ctx.db.insert("counts", { name, value: by });
  await ctx.db.patch(count._id, { value: count.value + by });
  return count._id;
};

export const add = mutation({
  args: { name: v.string(), by: v.number() },
  returns: v.id("counts"),
  handler: async (ctx, { name, by }) => await added(ctx, name, by),
});
export const value = query({
  args: { name: v.string() },
  handler: async (ctx, { name }) => (await found(ctx, name))?.value ?? 0,
});
export const addAndFail = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    await added(ctx, name, 100);
    throw new Error("counted too far");
  },
});
export const acts = action({
  args: { name: v.string() },
  handler: async (ctx, { name }): Promise<any> => {
    await ctx.runMutation(internal.lib.addHidden, { name, by: 10 });
    return await ctx.runQuery(internal.lib.hiddenValue, { name });
  },
});
export const addHidden = internalMutation({ handler: async (ctx, { name, by }: any) => await added(ctx, name, by) });
export const hiddenValue = internalQuery({ handler: async (ctx, { name }: any) => (await found(ctx, name))?.value ?? 0 });
export const hidden = internalQuery({ handler: async () => 1 });
export const page = query({
  handler: async (ctx) => await ctx.db.query("counts").paginate({ numItems: 1, cursor: null }),
});
export const calls = mutation({
  handler: async (ctx, { handle, text }: any): Promise<any> => {
    await ctx.runMutation(handle, { text });
    await ctx.scheduler.runAfter(0, handle, { text: `${text} later` });
  },
});
export const later = mutation({
  handler: async (ctx, args: any): Promise<any> => await ctx.scheduler.runAfter(0, internal.lib.addHidden, args),
});
export const jobs = query({
  handler: async (ctx) => (await ctx.db.system.query("_scheduled_functions").collect()).map((job) => job.state.kind),
});
export const keeps = action({
  handler: async (ctx, { text }: any): Promise<any> => {
    const id = await ctx.storage.store(new Blob([text], { type: "text/plain" }));
    return [id, await (await ctx.storage.get(id))!.text()];
  },
});
export const sees = query({ handler: async (ctx, { id }: any) => (await ctx.db.system.get(id)) !== null });
const subject = async (ctx: any): Promise<any> => (await ctx.auth.getUserIdentity())?.subject ?? null;
export const who = query({ handler: subject });
export const whoActs = action({ handler: async (ctx): Promise<any> => [await subject(ctx), await ctx.runQuery((api as any).lib.who, {})] });
export const url = query({ handler: async (ctx, { id }: any) => await ctx.storage.getUrl(id) });
export const uploadUrl = mutation({ handler: async (ctx) => await ctx.storage.generateUploadUrl() });
