import { action, mutation, query } from "./_generated/server";
import { api } from "./_generated/api";

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
// What a mutation has stored, as it sees it itself.
export const storeInMutation = mutation({
  handler: async (ctx, { text, type, sha256, fail, remove }: any) => {
    const id = await ctx.storage.store(new Blob([text], type ? { type } : {}), sha256 ? { sha256 } : undefined);
    const blob = (await ctx.storage.get(id))!;
    const document = await ctx.db.system.get(id);
    const listed = (await ctx.db.system.query("_storage").collect()).map((file) => file._id);
    const url = await ctx.storage.getUrl(id);
    if (remove) await ctx.storage.delete(id);
    if (fail) throw new Error("no");
    const { filesWritten, fileWriteBytes, filesRead, fileReadBytes } = await (ctx as any).meta.getTransactionMetrics();
    const used = [filesWritten, fileWriteBytes, filesRead, fileReadBytes].map((metric) => metric.used);
    const after = await ctx.storage.get(id);
    return { id, text: await blob.text(), type: blob.type, size: document!.size, listed, url, used, gone: after === null };
  },
});
export const loadInMutation = mutation({
  handler: async (ctx, { id }: any) => {
    const blob = await ctx.storage.get(id);
    return blob === null ? null : [await blob.text(), blob.type];
  },
});
export const storeAndCall = mutation({
  handler: async (ctx, { fails }: any) => {
    const kept = await ctx.storage.store(new Blob(["kept"]));
    let failed = false;
    try {
      await ctx.runMutation(api.files.storeInMutation, { text: "called", fail: fails });
    } catch {
      failed = true;
    }
    const listed = (await ctx.db.system.query("_storage").collect()).map((file) => file._id);
    return { kept, listed, failed };
  },
});
export const storeLarge = mutation({
  handler: async (ctx, { count, size }: any) => {
    for (let n = 0; n < count; n++) await ctx.storage.store(new Blob(["x".repeat(size)]));
  },
});
export const storeAndCount = mutation({
  handler: async (ctx) => {
    const count = (await ctx.db.query("rows").collect()).length;
    await ctx.storage.store(new Blob([String(count)]));
    await ctx.db.insert("rows", { n: count });
  },
});
