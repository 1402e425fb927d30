// Steps that are data: the same module runs on convex-test and on a deployment of supavex.
import { ConvexError } from "convex/values";
import { actionGeneric as action, componentsGeneric, httpActionGeneric, makeFunctionReference } from "convex/server";
import type { HttpRouter } from "convex/server";
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

const writeAgain = makeFunctionReference<"mutation">("differential:write");
const readAgain = makeFunctionReference<"query">("differential:read");
const nearest = makeFunctionReference<"action">("differential:near");
const actAgain = makeFunctionReference<"action">("differential:act");
// A component with a schema and a module like these, and documents of its own.
const part = componentsGeneric().part as any;

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
    case "texts":
      return (await Promise.all(rest[0].map((id: any) => ctx.db.get(id)))).map((note: any) => note.text);
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
    case "part":
      return await ctx.runMutation(part.differential.write, { steps: rest[0], catching: false });
    case "askPart":
      return await ctx.runQuery(part.differential.read, { steps: rest[0], catching: true });
    // Of actions alone.
    case "act":
      return await ctx.runAction(actAgain, { steps: rest[0], catching: rest[1] });
    case "actPart":
      return await ctx.runAction(part.differential.act, { steps: rest[0], catching: rest[1] });
    case "nearPart":
      return await ctx.runAction(part.differential.near, rest[0]);
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
export const act = action({ handler: run });

/** What is near to a vector: texts and scores, the nearest first. `filter`: a field's values. */
export const near = action({
  handler: async (ctx: any, { vector, limit, filter }: any): Promise<any> => {
    const [field, values] = filter ?? [];
    const wanted = (q: any) => (values.length === 1 ? q.eq(field, values[0]) : q.or(...values.map((value: any) => q.eq(field, value))));
    const found = await ctx.vectorSearch("notes", "by_vector", { vector, limit, ...(filter === null ? {} : { filter: wanted }) });
    const [[, texts]] = await ctx.runQuery(readAgain, { steps: [["texts", found.map((one: any) => one._id)]], catching: false });
    return found.map((one: any, i: number) => [texts[i], Math.round(one._score * 1e4) + 0]);
  },
});

/** Does what the request's body says, and answers as it says. */
const answer = httpActionGeneric(async (ctx: any, request: Request) => {
  const url = new URL(request.url);
  const sent = request.body === null ? "" : await request.text();
  const { status = 200, headers = {}, mutate, ask, vector, fails } = sent.startsWith("{") ? JSON.parse(sent) : ({} as any);
  if (fails !== undefined) throw new Error(fails);
  const results = [];
  if (mutate !== undefined) results.push(await ctx.runMutation(writeAgain, { steps: mutate, catching: true }));
  if (ask !== undefined) results.push(await ctx.runQuery(readAgain, { steps: ask, catching: true }));
  if (vector !== undefined) results.push(await ctx.runAction(nearest, { vector, limit: 2, filter: null }));
  const told = { method: request.method, path: url.pathname, query: [...url.searchParams], seen: request.headers.get("x-sent"), sent: sent.length, results };
  const empty = status === 204 || request.method === "OPTIONS";
  return new Response(empty ? null : JSON.stringify(told), { status, headers });
});
export const addRoutes = (http: HttpRouter) => {
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
    http.route({ pathPrefix: "/differential/", method, handler: answer });
  }
  http.route({ path: "/differential/exact", method: "GET", handler: answer });
  http.route({ pathPrefix: "/differential/long/", method: "POST", handler: answer });
};
