import { internal } from "./_generated/api";
import { action, internalQuery, query } from "./_generated/server";
import { SAMPLES } from "./library/samples";

export const levels = query({
  handler: async () => {
    console.log("log", 1, { a: "b" });
    console.debug("debug");
    console.info("info");
    console.warn("warn");
    console.error("error", new Error("e"));
    console.log();
  },
});
export const sample = query({ handler: async (ctx, { name }: any) => console.log((SAMPLES as any)[name]()) });
export const many = query({
  handler: async (ctx, { count }: any) => {
    for (let i = 0; i < count; i++) console.log(i);
  },
});
export const long = query({ handler: async () => console.log("x".repeat(40_000)) });
export const logsAndThrows = query({
  handler: async () => {
    console.log("before");
    throw new Error("after");
  },
});
export const inner = internalQuery({ handler: async () => console.log("inner") });
export const nested = query({
  handler: async (ctx) => {
    console.log("one");
    await ctx.runQuery(internal.logging.inner, {});
    console.log("two");
  },
});
export const nestedInAction = action({
  handler: async (ctx) => {
    console.log("one");
    await ctx.runQuery(internal.logging.inner, {});
    console.log("two");
  },
});
const traces = (value: unknown) => console.trace("here", value);
export const trace = query({ handler: async () => traces(1) });
export const timing = action({
  handler: async () => {
    console.time();
    console.time("a");
    console.time("a");
    await new Promise((done) => setTimeout(done, 30));
    console.timeLog("a", { x: 1 });
    console.timeEnd("a");
    console.timeEnd("a");
    console.timeEnd();
    console.timeLog("never");
    return [Object.keys(console).sort(), typeof (console as any).table, Object.prototype.toString.call(console)];
  },
});
