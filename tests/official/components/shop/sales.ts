import { components, internal } from "./_generated/api";
import { action, internalQuery, mutation, query } from "./_generated/server";

const { stock } = components as any;

export const sell = mutation({
  handler: async (ctx, { name }: any): Promise<any> => {
    await ctx.db.insert("sales", { name });
    await ctx.runMutation(stock.lib.add, { name, by: -1 });
    return await ctx.runQuery(stock.lib.value, { name });
  },
});
const found = async (ctx: any, { words, place }: any): Promise<any> => {
  const sales = ctx.db.query("sales").withSearchIndex("by_words", (q: any) => q.search("name", words).eq("place", place));
  return (await sales.collect()).map((sale: any) => sale.name);
};
export const keep = mutation({
  handler: async (ctx, { sale, words }: any): Promise<any> => {
    await ctx.db.insert("sales", sale);
    return await found(ctx, { words, place: sale.place });
  },
});
export const search = query({ handler: found });
export const name = internalQuery({ handler: async (ctx, { id }: any) => ((await ctx.db.get(id)) as any).name });
export const near = action({
  handler: async (ctx, { vector, place }: any): Promise<any> => {
    const filter = (q: any) => q.eq("place", place);
    const near = await ctx.vectorSearch("sales", "by_vector", { vector, limit: 2, filter });
    return await Promise.all(near.map(({ _id }: any) => ctx.runQuery((internal as any).sales.name, { id: _id })));
  },
});
export const environment = query({
  handler: async () => [process.env.CURRENCY, process.env.SECRET ?? null, process.env.KEY ?? null, process.env.CONVEX_SITE_URL],
});
