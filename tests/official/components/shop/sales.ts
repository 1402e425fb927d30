import { components } from "./_generated/api";
import { mutation, query } from "./_generated/server";

const { stock } = components as any;

export const sell = mutation({
  handler: async (ctx, { name }: any): Promise<any> => {
    await ctx.db.insert("sales", { name });
    await ctx.runMutation(stock.lib.add, { name, by: -1 });
    return await ctx.runQuery(stock.lib.value, { name });
  },
});
export const environment = query({
  handler: async () => [process.env.CURRENCY, process.env.SECRET ?? null, process.env.KEY ?? null, process.env.CONVEX_SITE_URL],
});
