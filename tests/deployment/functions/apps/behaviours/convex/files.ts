import { action, mutation, query } from "./_generated/server";

export const uploadUrl = mutation({ handler: async (ctx) => await ctx.storage.generateUploadUrl() });
export const url = query({ handler: async (ctx, { id }: any) => await ctx.storage.getUrl(id) });
export const metadata = query({
  handler: async (ctx, { id }: any) => [await (ctx.storage as any).getMetadata(id), await ctx.db.system.get(id)],
});
export const all = query({ handler: async (ctx) => await ctx.db.system.query("_storage").collect() });
export const remove = mutation({
  handler: async (ctx, { id, fail }: any) => {
    await ctx.storage.delete(id);
    const after = await ctx.storage.getUrl(id);
    if (fail) throw new Error("no");
    return after;
  },
});
export const store = action({
  handler: async (ctx, { text, type, sha256 }: any) =>
    await ctx.storage.store(new Blob([text], type ? { type } : {}), sha256 ? { sha256 } : undefined),
});
export const load = action({
  handler: async (ctx, { id }: any) => {
    const blob = await ctx.storage.get(id);
    return blob === null ? null : [await blob.text(), blob.type, blob.size];
  },
});
export const removeInAction = action({ handler: async (ctx, { id }: any) => await ctx.storage.delete(id) });
export const roundTrip = action({
  handler: async (ctx) => {
    const bytes = Uint8Array.from({ length: 256 * 300 }, (_, i) => i % 256);
    const id = await ctx.storage.store(new Blob([bytes]));
    const back = new Uint8Array(await (await ctx.storage.get(id))!.arrayBuffer());
    return back.length === bytes.length && back.every((byte, i) => byte === bytes[i]);
  },
});
