// What functions do at the same time, without waiting for it, or while they iterate.
import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";

const calling = internal.together.nothing;
export const nothing = internalQuery({ handler: async () => null });
export const add = internalMutation({
  args: { n: v.number() },
  handler: async (ctx, { n }) => void (await ctx.db.insert("rows", { n })),
});
const ns = (rows: { n: number }[]) => rows.map((row) => row.n);
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await null;
};

// Reading while something else is asked for

export const readAndCall = query({
  handler: async (ctx) => ns((await Promise.all([ctx.db.query("rows").collect(), ctx.runQuery(calling)]))[0]),
});
export const takeAndCall = query({
  handler: async (ctx) => ns((await Promise.all([ctx.db.query("rows").take(200), ctx.runQuery(calling)]))[0]),
});
export const readAndWrite = mutation({
  handler: async (ctx) =>
    ns((await Promise.all([ctx.db.query("rows").collect(), ctx.db.insert("rows", { n: -1 })]))[0]),
});
export const insertUnlessThere = mutation({
  args: { n: v.number() },
  handler: async (ctx, { n }) => {
    const there = ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", n)).first();
    const [found] = await Promise.all([there, ctx.db.insert("counters", { name: "asked", value: n })]);
    if (found === null) await ctx.db.insert("rows", { n });
  },
});
export const onlyCalled = query({
  handler: async (ctx) => {
    const first = ctx.db.query("rows").withIndex("by_n").first();
    return (await Promise.all([first, ctx.runQuery(calling)]))[0]?.n ?? null;
  },
});

export const counting = query({
  handler: async (ctx) => {
    const counted: number[] = [];
    const count = async () => void counted.push((await ctx.meta.getTransactionMetrics()).documentsRead.used);
    for await (const { n } of ctx.db.query("rows")) {
      if (n === 3) await ctx.runQuery(api.together.onlyCalled);
      await count();
      if (n === 4) break;
    }
    await Promise.all([ctx.db.query("rows").collect(), count()]);
    await count();
    return counted;
  },
});

// What nobody waits for

export const unawaited = mutation({
  handler: async (ctx) => {
    const rows = await ctx.db.query("rows").collect();
    rows.forEach(async (row) => {
      const fresh = await ctx.db.get(row._id);
      await turns(50);
      await ctx.db.patch(row._id, { n: fresh!.n + 100 });
    });
    return "returned";
  },
});
export const unawaitedInside = mutation({
  args: { fail: v.boolean() },
  handler: async (ctx, { fail }) => {
    try {
      await ctx.runMutation(internal.together.inner, { fail });
    } catch {}
    return ns(await ctx.db.query("rows").collect());
  },
});
export const inner = internalMutation({
  args: { fail: v.boolean() },
  handler: async (ctx, { fail }) => {
    (async () => {
      await ctx.db.insert("rows", { n: 1 });
      await ctx.db.insert("rows", { n: 2 });
      await ctx.scheduler.runAfter(0, internal.together.add, { n: 3 });
    })();
    if (fail) throw new Error("no");
  },
});
export const unawaitedCrypto = mutation({
  handler: async (ctx) => {
    const hash = crypto.subtle.digest("SHA-256", new Uint8Array(1));
    void hash.then(({ byteLength }) => ctx.db.insert("rows", { n: byteLength }));
  },
});
export const unawaitedInAction = action({
  handler: async (ctx) => {
    await ctx.runQuery(calling);
    void ctx.runMutation(internal.together.add, { n: 1 });
    void ctx.scheduler.runAfter(0, internal.together.add, { n: 2 });
    setTimeout(() => undefined, 60000);
  },
});
export const stuckInside = mutation({
  handler: async (ctx) => {
    try {
      await ctx.runMutation(internal.together.stuck);
    } catch (error) {
      await ctx.db.insert("rows", { n: 1 });
      return String(error);
    }
  },
});
export const stuck = internalMutation({ handler: () => new Promise<void>(() => undefined) });

// The order of what is asked for at once

export const slowThenFast = mutation({
  handler: async (ctx) => {
    const one = async (n: number, count: number) => {
      await ctx.db.insert("rows", { n });
      await turns(count);
      await ctx.db.insert("rows", { n: n + 10 });
    };
    await Promise.all([one(0, 200), one(1, 0), one(2, 30)]);
  },
});
export const raced = mutation({
  handler: async (ctx) => {
    const slow = async () => {
      await ctx.db.insert("rows", { n: 1 });
      await turns(100);
      return "first";
    };
    const fast = async () => {
      await ctx.db.insert("rows", { n: 2 });
      return "second";
    };
    return await Promise.race([slow(), fast()]);
  },
});
export const readsTogether = query({
  // Both reads are answered at once, so who needs fewer turns of its own is first.
  handler: async (ctx) => {
    const said: string[] = [];
    const read = async (name: string, count: number) => {
      await ctx.db.query("rows").first();
      await turns(count);
      said.push(name);
    };
    await Promise.all([read("slow", 200), read("fast", 0)]);
    return said;
  },
});
export const readBesideWriting = mutation({
  // The document is here already, and still comes in its turn.
  handler: async (ctx) => {
    const said: string[] = [];
    const rows = ctx.db.query("rows")[Symbol.asyncIterator]();
    await rows.next();
    const written = ctx.db.insert("rows", { n: 10 }).then(async () => {
      await turns(100);
      said.push("written");
    });
    const read = rows.next().then(() => void said.push("read"));
    await Promise.all([written, read]);
    return said;
  },
});
export const twoAtOnce = query({
  handler: async (ctx) => {
    const rows = ctx.db.query("rows")[Symbol.asyncIterator]();
    const found = await Promise.allSettled([rows.next(), rows.next()]);
    return found.map((one) => (one.status === "fulfilled" ? one.value.value.n : one.reason.message));
  },
});
export const failsBeforeTheCall = query({
  handler: async (ctx) => {
    const bad = ctx.db.get("nonsense" as any);
    await Promise.all([bad, ctx.runQuery(internal.together.loud)]);
  },
});
export const loud = internalQuery({ handler: async () => void console.log("I was called") });

// Writing while iterating

export const copying = mutation({
  handler: async (ctx) => {
    let count = 0;
    for await (const row of ctx.db.query("rows")) {
      await ctx.db.insert("rows", { n: row.n });
      if (++count > 1000) throw new Error("no end");
    }
    return count;
  },
});
export const changingAhead = mutation({
  args: { at: v.number(), to: v.number(), by: v.number() },
  handler: async (ctx, { at, to, by }) => {
    const seen: number[] = [];
    for await (const row of ctx.db.query("rows").withIndex("by_n")) {
      seen.push(row.n);
      if (row.n !== at) continue;
      const other = await ctx.db.query("rows").withIndex("by_n", (q) => q.eq("n", to)).unique();
      await ctx.db.patch(other!._id, { n: by });
    }
    return seen;
  },
});
export const limitedThenFiltered = query({
  args: { count: v.number(), least: v.number() },
  handler: async (ctx, { count, least }) => {
    const limited = (ctx.db.query("rows") as any).limit(count);
    return ns(await limited.filter((q: any) => q.gte(q.field("n"), least)).collect());
  },
});
