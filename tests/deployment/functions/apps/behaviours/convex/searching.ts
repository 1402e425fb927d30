import { action, internalQuery, mutation, query } from "./_generated/server";
import { internal } from "./_generated/api";

// `parts` are the calls of a search filter: ["search", field, text] and ["eq", field, value].
const source = (ctx: any, { index, parts }: any) =>
  ctx.db
    .query("notes")
    .withSearchIndex(index ?? "by_text", (q: any) => parts.reduce((r: any, [m, ...of]: any) => r[m](...of), q));
const read = async (found: any, { take, first, filter }: any) => {
  if (filter !== undefined) found = found.filter((q: any) => q.gte(q.field("rank"), filter));
  if (first) return await found.first();
  return take === undefined ? await found.collect() : await found.take(take);
};
const texts = (found: any) => (Array.isArray(found) ? found.map((note: any) => note.text) : (found?.text ?? null));

export const find = query({ handler: async (ctx, args: any) => texts(await read(source(ctx, args), args)) });
export const without = query({
  handler: async (ctx, { text }: any) =>
    texts(await (ctx.db.query("notes") as any).withSearchIndex("by_text", (q: any) => q.search("text", text).eq("folder", undefined)).collect()),
});
export const odd = query({ handler: async (ctx, args: any) => await (ctx.db.query("notes") as any).withIndex(args.index).collect() });
export const page = query({
  handler: async (ctx, args: any) => {
    const found = await source(ctx, args).paginate(args.paginationOpts);
    return { ...found, page: texts(found.page) };
  },
});
export const change = mutation({
  handler: async (ctx, { steps, ...args }: any) => {
    const ids: any[] = [];
    for (const [how, ...of] of steps) {
      const all = how === "insert" ? [] : await ctx.db.query("notes").collect();
      if (how === "insert") ids.push(await ctx.db.insert("notes", of[0]));
      if (how === "patch") await ctx.db.patch(all[of[0]]._id, of[1]);
      if (how === "delete") await ctx.db.delete(all[of[0]]._id);
    }
    return args.parts ? texts(await read(source(ctx, args), args)) : ids;
  },
});
export const load = internalQuery({
  handler: async (ctx, { ids }: any) => Promise.all(ids.map(async (id: any) => ((await ctx.db.get(id)) as any)?.text)),
});
// `either`: pairs of a field and a value.
export const near = action({
  handler: async (ctx, { index, vector, limit, either, as }: any): Promise<any> => {
    const eq = (q: any) => ([field, value]: any) => (as ? q[as](field, value) : q.eq(field, value));
    const filter = either && ((q: any) => (either.length === 1 ? eq(q)(either[0]) : q.or(...either.map(eq(q)))));
    const found = await ctx.vectorSearch("notes" as any, (index ?? "by_vector") as any, { vector, limit, filter } as any);
    const loaded: any = await ctx.runQuery(internal.searching.load, { ids: found.map((one: any) => one._id) });
    return found.map((one: any, at: number) => [loaded[at], one._score]);
  },
});
