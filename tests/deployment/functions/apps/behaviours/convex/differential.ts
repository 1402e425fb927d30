// Steps that are data: the same module runs on convex-test and on a deployment of supavex.
import { ConvexError } from "convex/values";
import { makeFunctionReference, mutationGeneric as mutation, queryGeneric as query } from "convex/server";

const writeAgain = makeFunctionReference<"mutation">("differential:write");
const readAgain = makeFunctionReference<"query">("differential:read");

/** A document without what differs from run to run. */
const shown = (document: any) => {
  if (document === null || document === undefined) return null;
  const { _id, _creationTime, ...rest } = document;
  return rest;
};
const find = async (ctx: any, n: number) => (await ctx.db.query("rows").withIndex("by_n", (q: any) => q.eq("n", n)).first())?._id;
const ranged = (ctx: any, { index, range, order, filter }: any) => {
  const built = (q: any, part: any): any => {
    if (!Array.isArray(part)) return part;
    if (part[0] === "value") return part[1];
    return part[0] === "field" ? q.field(part[1]) : q[part[0]](...part.slice(1).map((inner: any) => built(q, inner)));
  };
  let found = ctx.db
    .query("rows")
    .withIndex(index, (q: any) => range.reduce((r: any, [method, field, value]: any) => r[method](field, value), q))
    .order(order);
  if (filter !== undefined) found = found.filter((q: any) => built(q, filter));
  return found;
};

const step = async (ctx: any, [kind, ...rest]: any): Promise<any> => {
  switch (kind) {
    case "insert":
      return typeof (await ctx.db.insert("rows", rest[0]));
    case "patch":
    case "replace":
      return (await ctx.db[kind](await find(ctx, rest[0]), rest[1])) ?? null;
    case "unset":
      return (await ctx.db.patch(await find(ctx, rest[0]), { [rest[1]]: undefined })) ?? null;
    case "delete":
      return (await ctx.db.delete(await find(ctx, rest[0]))) ?? null;
    case "deleteTwice": {
      const id = await find(ctx, rest[0]);
      await ctx.db.delete(id);
      return await ctx.db.delete(id);
    }
    case "get": {
      const id = await find(ctx, rest[0]);
      return id === undefined ? "none" : shown(await ctx.db.get(id));
    }
    case "collect":
      return (await ranged(ctx, rest[0]).collect()).map(shown);
    case "take":
      return (await ranged(ctx, rest[0]).take(rest[1])).map(shown);
    case "first":
      return shown(await ranged(ctx, rest[0]).first());
    case "unique":
      return shown(await ranged(ctx, rest[0]).unique());
    case "pages": {
      const pages = [];
      let cursor = null;
      // One paginated query a function: each page is read by a function of its own.
      const page: any = await ranged(ctx, rest[0]).paginate({ cursor, numItems: rest[1] });
      pages.push(page.page.map(shown));
      return [pages, page.page.length < rest[1] ? page.isDone : null];
    }
    case "count":
      return (await ctx.db.query("rows").collect()).length;
    case "note":
      return typeof (await ctx.db.insert("notes", rest[0]));
    case "rewrite":
    case "tear": {
      const first = await ctx.db.query("notes").withIndex("by_folder", (q: any) => q.eq("folder", rest[0])).first();
      if (first === null) return null;
      return (await (kind === "tear" ? ctx.db.delete(first._id) : ctx.db.patch(first._id, { text: rest[1] }))) ?? null;
    }
    case "search": {
      const found = await ctx.db
        .query("notes")
        .withSearchIndex("by_text", (q: any) => {
          const all = q.search("text", rest[0]);
          return rest[1] === null ? all : all.eq("folder", rest[1]);
        })
        .collect();
      return found.map((note: any) => note.text).sort();
    }
    case "throw":
      throw new Error(rest[0]);
    case "throwData":
      throw new ConvexError(rest[0]);
    case "call":
      return await ctx.runMutation(writeAgain, { steps: rest[0], catching: false });
    case "ask":
      return await ctx.runQuery(readAgain, { steps: rest[0], catching: true });
    default:
      throw new Error(`no step ${kind}`);
  }
};
const run = async (ctx: any, { steps, catching }: any): Promise<any> => {
  const results = [];
  for (const one of steps) {
    try {
      results.push(["gave", await step(ctx, one)]);
    } catch (error: any) {
      if (!catching) throw error;
      results.push(["threw", error instanceof ConvexError ? ["data", error.data] : String(error.message)]);
    }
  }
  return results;
};
export const write = mutation({ handler: run });
export const read = query({ handler: run });
