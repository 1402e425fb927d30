import { v } from "convex/values";
import { action, internalMutation, mutation, query } from "./_generated/server";

let held: any[] = [];
let calls = 0;

const LOOPS: Record<string, () => unknown> = {
  loop: () => {
    for (;;);
  },
  microtasks: async () => {
    for (;;) await null;
  },
  pattern: () => /^(a+)+$/.test("a".repeat(60) + "b"),
  promises: () => {
    const again = (): Promise<void> => Promise.resolve().then(again);
    return again();
  },
  sort: () => Array.from({ length: 1e7 }, (_, i) => i).sort(() => { for (;;); }),
  json: () => JSON.stringify({ toJSON() { for (;;); } }),
  catching: () => {
    for (;;) {
      try {
        for (;;);
      } catch {
        continue;
      }
    }
  },
  generator: () => {
    for (const _ of (function* () { for (;;) yield 1; })());
  },
};
const HUNGRY: Record<string, () => unknown> = {
  arrays: () => {
    const kept = [];
    for (;;) kept.push(new Array(2e6).fill(kept.length));
  },
  typed: () => {
    const kept = [];
    for (;;) kept.push(new Uint8Array(64 << 20).fill(1));
  },
};
export const endless = query({ handler: async (ctx, { how }: any) => await LOOPS[how]() });
export const endlessMutation = mutation({
  handler: async (ctx, { how }: any) => {
    await ctx.db.insert("rows", { n: 1 });
    await LOOPS[how]();
  },
});
export const endlessAction = action({ handler: async (ctx, { how }: any) => await LOOPS[how]() });
export const hungry = query({ handler: async (ctx, { how }: any) => void (await HUNGRY[how]()) });
export const never = query({ handler: () => new Promise(() => {}) });
export const neverInAction = action({ handler: () => new Promise(() => {}) });
export const deep = query({
  handler: async () => {
    const down = (n: number): number => 1 + down(n + 1);
    return down(0);
  },
});
export const deepValue = query({
  handler: async () => {
    let value: any = [];
    for (let i = 0; i < 50_000; i++) value = [value];
    return value;
  },
});
export const giant = query({ handler: async () => "x".repeat(17 << 20) });
export const giantLog = query({ handler: async () => { for (let i = 0; i < 300; i++) console.log("x".repeat(1 << 18)); } });
export const pollutes = mutation({
  handler: async (ctx, { how }: any) => {
    if (how === "prototype") (Object.prototype as any).polluted = 1;
    if (how === "array") (Array.prototype as any).map = () => ["hacked"];
    if (how === "json") JSON.parse = () => ({ hacked: 1 });
    if (how === "json stringify") JSON.stringify = () => '"hacked"';
    if (how === "promise") Promise.prototype.then = function () { return this; } as any;
    if (how === "global") (globalThis as any).leaked = 1;
    if (how === "module") calls = 100;
    if (how === "date") (Date as any).now = () => 5;
    if (how === "random") Math.random = () => 0.5;
    if (how === "console") console.log = () => {};
    if (how === "env") (process as any).env = { GREETING: "hacked" };
    if (how === "symbol") (Object.prototype as any)[Symbol.for("ConvexError")] = true;
    if (how === "iterator") (Array.prototype as any)[Symbol.iterator] = function* () { yield 1; };
    if (how === "map") Map.prototype.get = () => "hacked";
    if (how === "set") Set.prototype.has = () => true;
    if (how === "iterator prototype") Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true });
    if (how === "function") Function.prototype.call = () => "hacked";
    if (how === "freeze") Object.freeze(Array.prototype);
    if (how === "prototype of a prototype") Object.setPrototypeOf(Array.prototype, { hacked: 1 });
    if (how === "async iterator") Object.getPrototypeOf(async function* () {}).prototype.next = () => "hacked";
    if (how === "typed array") Object.getPrototypeOf(Uint8Array).prototype.set = () => {};
    if (how === "legacy") /(secret)/.exec("secret");
    if (how === "symbol registry") Symbol.for("secret");
    if (how === "trace limit") Error.stackTraceLimit = 0;
    held.push(how);
  },
});
// What no global's name leads to, or only when it is asked for.
const INSTANCES: Record<string, () => object> = {
  segments: () => new Intl.Segmenter().segment("a"),
  "iterator of segments": () => new Intl.Segmenter().segment("a")[Symbol.iterator](),
  "iterator of headers": () => (new Headers() as any).keys(),
  "iterator of a form": () => (new FormData() as any).keys(),
  "iterator of parameters": () => (new URLSearchParams() as any).keys(),
  "iterator of a stream": () => (new ReadableStream() as any).values(),
  "a reader of bytes": () => new ReadableStream({ type: "bytes" }).getReader({ mode: "byob" }),
  "a stream": () => new Response("a").body!,
  "a transformation": () => new TransformStream(),
  "a pattern": () => new (globalThis as any).URLPattern(),
};
export const marks = query({
  handler: async (ctx, { what }: any) => void ((Object.getPrototypeOf(INSTANCES[what]()) as any).marked = 1),
});
export const marked = query({
  handler: async (ctx, { what }: any) => (INSTANCES[what]() as any).marked ?? null,
});
export const instances = query({ handler: async () => Object.keys(INSTANCES) });
export const state = query({
  handler: async () => {
    calls += 1;
    let thrown = "";
    try {
      throw new Error("x");
    } catch (error: any) {
      thrown = error.stack.includes("wild.js") ? "traced" : "untraced";
    }
    const seen = [];
    for (const item of [1, 2]) seen.push(item);
    return {
      calls,
      held: held.length,
      polluted: ({} as any).polluted ?? null,
      mapped: [1].map((n) => n + 1),
      parsed: JSON.parse("[1]"),
      text: JSON.stringify([1]),
      leaked: (globalThis as any).leaked ?? null,
      now: Date.now() > 1e12,
      random: Math.random() !== Math.random(),
      symbol: Symbol.for("ConvexError") in {},
      seen,
      got: new Map([[1, 2]]).get(1),
      has: new Set().has(1),
      called: (function () { return 5; }).call(null),
      extensible: Object.isExtensible(Array.prototype),
      inherited: ([] as any).hacked ?? null,
      typed: (() => { const b = new Uint8Array(2); b.set([1, 2]); return Array.from(b); })(),
      thrown,
    };
  },
});
export const legacy = query({ handler: async () => (RegExp as any).$1 });
export const spoofs = mutation({
  handler: async (ctx, { message }: any) => {
    // The machinery under the runtime, if code can reach it.
    const found: string[] = [];
    for (const name of ["__step", "__take", "__clean", "__ready", "__define", "__instances", "__bytes", "__inspect", "Convex"]) {
      try {
        if ((globalThis as any)[name] !== undefined) found.push(name);
      } catch {}
    }
    return found;
  },
});
export const evaluates = query({ handler: async () => { try { return new Function("return 1")(); } catch (e: any) { return e.name; } } });
export const ok = query({ args: { n: v.number() }, handler: async (ctx, { n }) => n + 1 });
export const okInternal = internalMutation({ handler: async () => 1 });

declare const Convex: { asyncSyscall(operation: string, text: string): Promise<string> };
const raw = async (ctx: any, { operation, text }: any) => await Convex.asyncSyscall(operation, text);
export const rawQuery = query({ handler: raw });
export const rawMutation = mutation({ handler: raw });
export const rawAction = action({ handler: raw });
