import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { internalMutation, internalQuery, mutation, query } from "./_generated/server";

const names = (rows: any[]) => rows.map((row) => row.n);

/** Writes before, between and behind what is there, then reads it by every index, both ways. */
export const ownWrites = mutation({
  handler: async (ctx, { add, remove, move }: any) => {
    for (const n of add) await ctx.db.insert("rows", { n, a: -n, b: n % 2 });
    for (const row of await ctx.db.query("rows").collect()) {
      if (remove.includes(row.n)) await ctx.db.delete(row._id);
      else if (move[row.n] !== undefined) await ctx.db.patch(row._id, { n: move[row.n] });
    }
    const found: any = {};
    for (const index of ["by_n", "by_a", "by_a_b", "by_creation_time"] as const) {
      for (const order of ["asc", "desc"] as const) {
        found[`${index} ${order}`] = names(await ctx.db.query("rows").withIndex(index).order(order).collect());
      }
    }
    found.middle = names(await ctx.db.query("rows").withIndex("by_n", (q) => q.gt("n", 2).lte("n", 8)).collect());
    found.count = await (ctx.db.query("rows") as any).count();
    return found;
  },
});

/** Doubles what it walks over, up to 100: rows that move ahead of it are met again. */
export const doubling = mutation({
  handler: async (ctx) => {
    const seen = [];
    for await (const row of ctx.db.query("rows").withIndex("by_n", (q) => q.lt("n", 100))) {
      seen.push(row.n);
      await ctx.db.patch(row._id, { n: row.n * 2 });
    }
    return seen;
  },
});
export const deleteAhead = mutation({
  handler: async (ctx) => {
    const seen = [];
    for await (const row of ctx.db.query("rows").withIndex("by_n")) {
      seen.push(row.n);
      const next = await ctx.db.query("rows").withIndex("by_n", (q) => q.gt("n", row.n)).first();
      if (next !== null) await ctx.db.delete(next._id);
    }
    return seen;
  },
});
export const emptied = mutation({
  handler: async (ctx) => {
    for await (const row of ctx.db.query("rows")) await ctx.db.delete(row._id);
    return (await ctx.db.query("rows").collect()).length;
  },
});

export const writeAndThrow = mutation({
  handler: async (ctx) => {
    await ctx.db.insert("rows", { n: 1 });
    throw new Error("no");
  },
});
export const newTable = mutation({
  handler: async (ctx, { fail }: any) => {
    const before = await ctx.db.query("fresh" as any).collect();
    const id = await ctx.db.insert("fresh" as any, { x: 1 });
    await ctx.db.patch(id, { y: 2 } as any);
    const page: any = await ctx.db.query("fresh" as any).paginate({ cursor: null, numItems: 5 });
    const seen = {
      before: before.length,
      after: await ctx.db.query("fresh" as any).collect(),
      got: await ctx.db.get(id),
      normalized: ctx.db.normalizeId("fresh" as any, id),
      page: page.page.length,
    };
    if (fail) throw new Error("no");
    return seen;
  },
});
export const twoTables = mutation({
  handler: async (ctx) => {
    const one = await ctx.db.insert("one" as any, {});
    const two = await ctx.db.insert("two" as any, {});
    return [ctx.db.normalizeId("one" as any, one) === one, ctx.db.normalizeId("one" as any, two)];
  },
});

export const put = internalMutation({
  args: { n: v.number(), fail: v.optional(v.boolean()) },
  returns: v.id("rows"),
  handler: async (ctx, { n, fail }) => {
    const id = await ctx.db.insert("rows", { n });
    if (fail) throw new Error(`no ${n}`);
    return id;
  },
});
export const list = internalQuery({ handler: async (ctx) => names(await ctx.db.query("rows").collect()) });
export const nested = mutation({
  handler: async (ctx) => {
    await ctx.db.insert("rows", { n: 1 });
    await ctx.runMutation(internal.transactions.put, { n: 2 });
    const seen = await ctx.runQuery(internal.transactions.list, {});
    let error = "";
    try {
      await ctx.runMutation(internal.transactions.put, { n: 3, fail: true });
    } catch (e: any) {
      error = e.message;
    }
    return { seen, error, after: await ctx.runQuery(internal.transactions.list, {}) };
  },
});
export const nestedBadly = mutation({
  handler: async (ctx, { n, name }: any) => await ctx.runMutation((internal.transactions as any)[name ?? "put"], { n }),
});
export const nestedTogether = mutation({
  handler: async (ctx, { count }: any) => {
    await Promise.all(Array.from({ length: count }, (_, n) => n).map((n) => ctx.runMutation(internal.transactions.put, { n })));
    return await ctx.runQuery(internal.transactions.list, {});
  },
});
export const endless = mutation({ handler: async (ctx): Promise<any> => await ctx.runMutation(api.transactions.endless, {}) });
export const mutationInQuery = query({
  handler: async (ctx) => await (ctx as any).runMutation?.(internal.transactions.put, { n: 1 }),
});
export const queryInQuery = query({ handler: async (ctx): Promise<any> => await ctx.runQuery(internal.transactions.list, {}) });
export const iteratingAround = mutation({
  handler: async (ctx) => {
    const seen = [];
    for await (const row of ctx.db.query("rows").withIndex("by_n")) {
      seen.push(row.n);
      if (row.n < 3 && Number.isInteger(row.n)) await ctx.runMutation(internal.transactions.put, { n: row.n + 0.5 });
      if (seen.length > 20) break;
    }
    return seen;
  },
});

// For functions that run at the same time

export const increment = mutation({
  handler: async (ctx, { name }: any) => {
    const counter = await ctx.db.query("counters").withIndex("by_name", (q) => q.eq("name", name)).unique();
    if (counter === null) await ctx.db.insert("counters", { name, value: 1 });
    else await ctx.db.patch(counter._id, { value: counter.value + 1 });
    return (counter?.value ?? 0) + 1;
  },
});
export const value = query({
  handler: async (ctx, { name }: any) =>
    (await ctx.db.query("counters").withIndex("by_name", (q) => q.eq("name", name)).unique())?.value ?? 0,
});
export const everyValue = query({
  handler: async (ctx) => (await ctx.db.query("counters").withIndex("by_name").collect()).map((c) => [c.name, c.value]),
});
/** Steps of random transactions over named counters; what was read is in the result. */
export const steps = mutation({
  handler: async (ctx, { steps }: any) => {
    const seen: any[] = [];
    const find = (name: string) => ctx.db.query("counters").withIndex("by_name", (q) => q.eq("name", name)).unique();
    for (const [kind, name, amount] of steps) {
      if (kind === "sum") {
        seen.push((await ctx.db.query("counters").collect()).reduce((sum, c) => sum + c.value, 0));
        continue;
      }
      const counter = await find(name);
      if (kind === "read") seen.push(counter?.value ?? null);
      if (kind === "delete" && counter !== null) await ctx.db.delete(counter._id);
      if (kind === "add") {
        if (counter === null) await ctx.db.insert("counters", { name, value: amount });
        else await ctx.db.patch(counter._id, { value: counter.value + amount });
      }
      // Writes what it has read: a lost or a stale read would show.
      if (kind === "log") await ctx.db.insert("rows", { n: seen.length, a: seen });
    }
    return seen;
  },
});
/** Two people on call; one may leave only while the other stays. */
export const leave = mutation({
  handler: async (ctx, { name }: any) => {
    const on = (await ctx.db.query("counters").collect()).filter((c) => c.value === 1);
    if (on.length < 2) return false;
    await ctx.db.patch(on.find((c) => c.name === name)!._id, { value: 0 });
    return true;
  },
});

// Options that the newest clients have

export const countRows = internalQuery({
  handler: async (ctx) => (await ctx.db.query("rows").collect()).length,
});
export const staleReads = mutation({
  handler: async (ctx): Promise<any> => {
    const counted = async (options?: any) => await (ctx.runQuery as any)(internal.transactions.countRows, {}, options);
    await ctx.db.insert("rows", { n: 1 });
    const before = [await counted(), await counted({ useStaleSnapshot: true })];
    await ctx.db.insert("rows", { n: 2 });
    return [...before, await counted({ useStaleSnapshot: true }), await counted()];
  },
});
export const staleInQuery = query({
  handler: async (ctx): Promise<any> => await (ctx.runQuery as any)(internal.transactions.countRows, {}, { useStaleSnapshot: true }),
});
export const writeSome = internalMutation({
  handler: async (ctx, { count }: any) => {
    for (let n = 0; n < count; n++) await ctx.db.insert("rows", { n });
    return count;
  },
});
export const limited = mutation({
  handler: async (ctx, { limits, read, write }: any): Promise<any> => {
    await ctx.db.insert("rows", { n: -1 });
    const found = [];
    for (const call of [
      () => (ctx.runQuery as any)(internal.transactions.countRows, {}, { transactionLimits: limits }),
      () => (ctx.runMutation as any)(internal.transactions.writeSome, { count: write }, { transactionLimits: limits }),
    ]) {
      try {
        found.push(await call());
      } catch (error: any) {
        found.push(error.message.split("\n")[0]);
      }
    }
    await ctx.runMutation(internal.transactions.writeSome, { count: 3 });
    return found;
  },
});
export const commitTime = mutation({
  handler: async (ctx) => await ctx.db.insert("rows", { n: 1, a: (ctx.db as any).vars.commitTs }),
});

// Globals

const seen = () => [(globalThis as any).mine ?? null, typeof escape, typeof (globalThis as any).isFinite, isNaN("x" as any)];
export const globalsInside = internalQuery({
  handler: async (ctx, { deeper, fail }: any): Promise<any> => {
    const found = seen();
    (globalThis as any).mine = "inner";
    const more = deeper ? await ctx.runQuery(internal.transactions.globalsInside, {}) : null;
    if (fail) throw new Error("no");
    return [found, more, seen()[0]];
  },
});
export const globals = query({
  handler: async (ctx): Promise<any> => {
    (globalThis as any).mine = "outer";
    delete (globalThis as any).escape;
    (globalThis as any).isNaN = () => "changed";
    const before = seen();
    const inside = await ctx.runQuery(internal.transactions.globalsInside, { deeper: true });
    const together = await Promise.all([1, 2].map(() => ctx.runQuery(internal.transactions.globalsInside, {})));
    const failed = await ctx.runQuery(internal.transactions.globalsInside, { fail: true }).catch(() => "failed");
    const nowhere = await ctx.runQuery("transactions:nowhere" as any, {}).catch(() => "failed");
    return { before, inside, together, failed, nowhere, after: seen() };
  },
});

export const insertsAndThrows = internalMutation({
  handler: async (ctx, { count, throws }: any) => {
    for (let n = 0; n < count; n++) await ctx.db.insert("rows", { n });
    if (throws) throw new Error("taken back");
  },
});
export const counted = mutation({
  handler: async (ctx): Promise<any> => {
    const found: any[] = [];
    for (const throws of [false, true]) {
      await ctx.runMutation(internal.transactions.insertsAndThrows, { count: 3, throws }).catch(() => null);
      const { documentsWritten, bytesWritten } = await (ctx as any).meta.getTransactionMetrics();
      found.push([documentsWritten.used, documentsWritten.used + documentsWritten.remaining, bytesWritten.used]);
    }
    return found;
  },
});
