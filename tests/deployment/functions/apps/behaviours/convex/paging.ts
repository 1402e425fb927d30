import { mutation, query } from "./_generated/server";

const source = (ctx: any, { index, range, least, order }: any) => {
  let found = ctx.db.query("rows");
  if (index) found = found.withIndex(index, (q: any) => (range ?? []).reduce((r: any, [m, f, x]: any) => r[m](f, x), q));
  found = found.order(order ?? "asc");
  return least === undefined ? found : found.filter((q: any) => q.gte(q.field("n"), least));
};
export const page = query({
  handler: async (ctx, args: any) => {
    const result: any = await source(ctx, args).paginate(args.paginationOpts);
    return { ...result, page: result.page.map((row: any) => row.n) };
  },
});
export const pageInMutation = mutation({
  handler: async (ctx, args: any) => {
    for (const n of args.add ?? []) await ctx.db.insert("rows", { n });
    const result: any = await source(ctx, args).paginate(args.paginationOpts);
    return { ...result, page: result.page.map((row: any) => row.n) };
  },
});
export const twice = query({
  handler: async (ctx) => {
    await ctx.db.query("rows").paginate({ cursor: null, numItems: 1 });
    return await ctx.db.query("people").paginate({ cursor: null, numItems: 1 });
  },
});
export const nothing = query({
  handler: async (ctx, { cursor }: any) => await ctx.db.query("nothere" as any).paginate({ cursor, numItems: 3 }),
});
