import { mutation, query } from "./_generated/server";

export const insert = mutation({ handler: async (ctx, { table, value }: any) => await ctx.db.insert(table, value) });
export const patch = mutation({ handler: async (ctx, { id, value }: any) => await ctx.db.patch(id, value) });
export const unset = mutation({
  handler: async (ctx, { id, fields }: any) =>
    await ctx.db.patch(id, Object.fromEntries(fields.map((field: string) => [field, undefined]))),
});
export const replace = mutation({ handler: async (ctx, { id, value }: any) => await ctx.db.replace(id, value) });
export const remove = mutation({ handler: async (ctx, { id }: any) => await ctx.db.delete(id) });
export const named = mutation({
  handler: async (ctx, { table, id, method, value }: any) =>
    await (method === "delete" ? ctx.db.delete(table, id) : (ctx.db as any)[method](table, id, value)),
});
export const writeInQuery = query({ handler: async (ctx) => await (ctx.db as any).insert("rows", { n: 1 }) });
export const syscallInQuery = query({
  handler: async () =>
    await (globalThis as any).Convex?.asyncSyscall?.("1.0/insert", JSON.stringify({ table: "rows", value: { n: 1 } })),
});
export const caught = mutation({
  handler: async (ctx) => {
    await ctx.db.insert("rows", { n: 1 });
    try {
      await ctx.db.insert("people", { name: 5 } as any);
    } catch (error: any) {
      return error.message;
    }
  },
});
export const times = mutation({
  handler: async (ctx) => {
    const before = Date.now();
    const ids = [await ctx.db.insert("rows", { n: 1 }), await ctx.db.insert("rows", { n: 2 })];
    const [one, two] = [(await ctx.db.get(ids[0]))!, (await ctx.db.get(ids[1]))!];
    return [before, one._creationTime, two._creationTime];
  },
});
export const references = mutation({
  handler: async (ctx) => {
    const a = await ctx.db.insert("people", { name: "a" });
    const b = await ctx.db.insert("people", { name: "b", friend: a });
    await ctx.db.patch(a, { friend: b });
    return [a, b];
  },
});
export const values = mutation({
  handler: async (ctx, { value }: any) => {
    const id = await ctx.db.insert("anything", { value });
    const [{ value: read }] = [(await ctx.db.get(id))!] as any;
    return { read, type: typeof read, same: Object.is(read, value) };
  },
});
