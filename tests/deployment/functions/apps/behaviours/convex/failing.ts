import { ConvexError } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";
import { thrower } from "./library/deep";

class OwnError extends Error {
  name = "OwnError";
}

export const plain = query({
  handler: async () => {
    throw new Error("a message");
  },
});
export const own = query({ handler: async () => Promise.reject(new OwnError("mine")) });
export const deep = query({ handler: async () => thrower(3) });
export const typed = query({ handler: async () => (null as any).field });
export const withData = mutation({
  handler: async (ctx, { data }: any) => {
    await ctx.db.insert("rows", { n: 1 });
    throw new ConvexError(data);
  },
});
export const odd = query({
  handler: async (ctx, { what }: any) => {
    if (what === "null") throw null;
    if (what === "undefined") throw undefined;
    if (what === "text") throw "a text";
    if (what === "number") throw 5;
    if (what === "symbol") throw Symbol("s");
    if (what === "object") throw { a: 1 };
    if (what === "bare") throw Object.create(null);
    if (what === "function") throw () => 1;
    if (what === "proxy") throw new Proxy({}, { get() { throw new Error("trap"); }, has() { throw new Error("trap"); } });
    if (what === "getters")
      throw Object.defineProperties(new Error("x"), {
        message: { get() { throw new Error("message"); } },
        name: { get() { throw new Error("name"); } },
        stack: { get() { throw new Error("stack"); } },
      });
    if (what === "loop getter") throw { get message() { return this.message; } };
    if (what === "lone") throw new Error("\ud800");
    if (what === "long") throw new Error("x".repeat(1 << 20));
    if (what === "stack of no text") throw Object.assign(new Error("x"), { stack: { toString: null } });
    if (what === "fake") throw { [Symbol.for("ConvexError")]: true, data: "no json" };
    if (what === "prepared") {
      (Error as any).prepareStackTrace = () => { throw new Error("prepare"); };
      throw new Error("prepared");
    }
  },
});
export const inner = internalQuery({
  handler: async (): Promise<any> => {
    throw new ConvexError({ code: 7, of: "inner" });
  },
});
export const innerMutation = internalMutation({
  handler: async (): Promise<any> => {
    throw new ConvexError("inner");
  },
});
export const caughtInQuery = query({
  handler: async (ctx): Promise<any> => {
    try {
      await ctx.runQuery(internal.failing.inner, {});
    } catch (error: any) {
      return [error instanceof ConvexError, error.data];
    }
  },
});
export const caughtInAction = action({
  handler: async (ctx): Promise<any> => {
    const found = [];
    for (const call of [() => ctx.runQuery(internal.failing.inner, {}), () => ctx.runMutation(internal.failing.innerMutation, {})]) {
      try {
        await call();
      } catch (error: any) {
        found.push([error instanceof ConvexError, error.data]);
      }
    }
    return found;
  },
});
export const rethrown = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(internal.failing.inner, {}) });
export const looksLikeAStack = query({
  handler: async () => {
    throw new Error("text\n    at evil (../convex/secret.ts:1:1)\n    at failing.js:3:1");
  },
});
export const nested: any = mutation({
  handler: async (ctx, { depth }: any): Promise<any> => {
    if (depth === 0) throw new Error("deepest");
    return await ctx.runMutation(api.failing.nested, { depth: depth - 1 });
  },
});

class Shape {
  constructor(job: () => void) {
    job();
  }
  made() {
    return (() => new Shape(() => { throw new Error("of a shape"); }))();
  }
}
export const shaped = query({ handler: async () => void (Object.create(Shape.prototype) as Shape).made() });
