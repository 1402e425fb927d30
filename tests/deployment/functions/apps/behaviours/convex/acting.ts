import { api, internal } from "./_generated/api";
import { action, internalAction, internalMutation, internalQuery } from "./_generated/server";

export const put = internalMutation({ handler: async (ctx, { n }: any) => void (await ctx.db.insert("rows", { n })) });
export const list = internalQuery({ handler: async (ctx) => (await ctx.db.query("rows").collect()).map((row) => row.n) });
export const double = internalAction({ handler: async (ctx, { n }: any) => n * 2 });
export const steps = action({
  handler: async (ctx): Promise<any> => {
    const before = await ctx.runQuery(internal.acting.list, {});
    await ctx.runMutation(internal.acting.put, { n: 1 });
    await Promise.all([2, 3, 4].map((n) => ctx.runMutation(internal.acting.put, { n })));
    const after = await ctx.runQuery(internal.acting.list, {});
    return [before, after.sort(), await ctx.runAction(internal.acting.double, { n: 21 })];
  },
});
export const writesAndThrows = action({
  handler: async (ctx) => {
    await ctx.runMutation(internal.acting.put, { n: 1 });
    throw new Error("too late");
  },
});
export const timers = action({
  handler: async () => {
    const order: any[] = [];
    const start = Date.now();
    const wait = (ms: number, name: string) => new Promise<void>((r) => setTimeout((text: string) => (order.push(text), r()), ms, name));
    const cancelled = setTimeout(() => order.push("cancelled"), 20);
    clearTimeout(cancelled);
    let ticks = 0;
    const ticking = new Promise<void>((r) => {
      const id = setInterval(() => {
        if (++ticks === 3) (clearInterval(id), r());
      }, 5);
    });
    await Promise.all([wait(60, "late"), wait(1, "early"), ticking]);
    return { order, ticks, took: Date.now() - start };
  },
});
export const fetched = action({
  handler: async (ctx, { url, init }: any) => {
    try {
      const found = await fetch(url, init);
      const body = await found.text();
      return { status: found.status, ok: found.ok, body, header: found.headers.get("X-Seen"), url: found.url, redirected: found.redirected };
    } catch (error: any) {
      return { error: `${error.name}: ${error.message}` };
    }
  },
});
export const aborted = action({
  handler: async (ctx, { url }: any) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    try {
      await fetch(url, { signal: controller.signal });
      return "answered";
    } catch (error: any) {
      return error.name;
    }
  },
});
export const hashes = action({
  handler: async () => {
    const hex = (buffer: ArrayBuffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
    const data = new TextEncoder().encode("abc");
    const found: any = {};
    for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) found[name] = hex(await crypto.subtle.digest(name, data));
    const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const signature = await crypto.subtle.sign("HMAC", key, data);
    found.hmac = hex(signature);
    found.verified = await crypto.subtle.verify("HMAC", key, signature, data);
    found.forged = await crypto.subtle.verify("HMAC", key, signature, new TextEncoder().encode("abd"));
    return found;
  },
});
export const noDatabase = action({ handler: async (ctx) => typeof (ctx as any).db });
export const forgets = action({
  handler: async (ctx) => {
    void ctx.runMutation(internal.acting.put, { n: 9 });
    return "did not wait";
  },
});
export const overlapping = action({
  handler: async (ctx): Promise<any> => {
    const start = Date.now();
    await Promise.all([1, 2, 3, 4].map(() => new Promise((r) => setTimeout(r, 100))));
    return Date.now() - start;
  },
});
export const leavesTimers = action({
  handler: async (ctx, { await_ }: any) => {
    for (let i = 0; i < 30; i++) setTimeout(() => {}, 60_000);
    setInterval(() => {}, 20_000);
    if (await_) await new Promise((r) => setTimeout(r, 60_000));
    return "done";
  },
});
const loads = async () => {
  const [module, again] = [await import("./library/deep"), await import("./library/deep")];
  try {
    module.thrower(0);
  } catch (error: any) {
    return [Object.keys(module), module === again, error.message];
  }
};
export const loadsInAction = action({ handler: loads });
export const loadsInQuery = internalQuery({ handler: loads });

export const who = internalQuery({ handler: async (ctx) => await ctx.auth.getUserIdentity() });
