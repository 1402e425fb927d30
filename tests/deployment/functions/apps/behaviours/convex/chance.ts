import { internal } from "./_generated/api";
import { action, internalQuery, mutation, query } from "./_generated/server";

const atImport = [Math.random(), Date.now()];
const attempt = async (job: () => unknown) => {
  try {
    return ["gave", typeof (await job())];
  } catch (error: any) {
    return ["threw", error.message];
  }
};
const forbidden = () =>
  Promise.all([
    attempt(() => setTimeout(() => {}, 1)),
    attempt(() => setInterval(() => {}, 1)),
    attempt(() => fetch("http://127.0.0.1:1/")),
  ]);

export const clock = query({
  handler: async (ctx) => {
    const start = Date.now();
    let spin = 0;
    for (let i = 0; i < 2e6; i++) spin += i;
    await ctx.db.query("rows").first();
    const date = new Date();
    return {
      start,
      same: start === Date.now() && start === date.getTime() && start === new Date(Date.now()).valueOf(),
      whole: Number.isInteger(start),
      zone: date.getTimezoneOffset(),
      text: Date().startsWith(date.toString().slice(0, 15)),
      performance: performance.now() === performance.now(),
      isDate: date instanceof Date && date.constructor === Date,
      arguments: [new Date(2020, 0, 1).getFullYear(), Date.UTC(2020, 0), Date.parse("1970-01-01T00:00:01Z"), new Date("x").getTime()],
    };
  },
});
export const random = query({ handler: async () => Array.from({ length: 50 }, () => Math.random()) });
export const randomAtImport = query({ handler: async () => atImport });
export const refusedInQuery = query({ handler: forbidden });
export const refusedInMutation = mutation({ handler: forbidden });
export const allowedInAction = action({ handler: () => Promise.all([attempt(() => new Promise((r) => setTimeout(() => r(1), 1)))]) });
export const secrets = query({
  handler: async () => [crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint8Array(8)))],
});
export const secretsInAction = action({
  handler: async () => [crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint8Array(8)))],
});
export const inner = internalQuery({ handler: async () => [Date.now(), Math.random()] });
export const nested = query({
  handler: async (ctx): Promise<any> => [
    [Date.now(), Math.random()],
    await ctx.runQuery(internal.chance.inner, {}),
    await ctx.runQuery(internal.chance.inner, {}),
  ],
});
export const absent = query({
  handler: async () =>
    ["SharedArrayBuffer", "Atomics", "WebAssembly", "require", "module", "__step", "__take", "__define"].filter(
      (name) => (globalThis as any)[name] !== undefined,
    ),
});
export const imported = query({
  handler: async () => {
    const name = "./library/deep";
    return await attempt(() => import(/* @vite-ignore */ name as any));
  },
});
