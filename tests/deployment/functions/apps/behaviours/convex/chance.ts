import { api, internal } from "./_generated/api";
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
    ["Atomics", "require", "module", "__step", "__take", "__define"].filter(
      (name) => (globalThis as any)[name] !== undefined,
    ),
});
export const imported = query({
  handler: async () => {
    const name = "./library/deep";
    return await attempt(() => import(/* @vite-ignore */ name as any));
  },
});
export const importedInAction = action({ handler: async () => atImport });
export const importedInNested = mutation({
  handler: async (ctx): Promise<any> => {
    const before = Math.random();
    const found = await ctx.runQuery(api.chance.randomAtImport, {});
    return [found, before, Math.random(), Date.now()];
  },
});

const performanceAtImport = [performance.now(), performance.timeOrigin];
const measured = async () => {
  const wait = () => {
    const start = (globalThis as any).performance.now();
    for (let i = 0; i < 3e7; i++) if (i % 1e6 === 0 && performance.now() - start > 3) return;
  };
  const start = performance.now();
  performance.mark("a", { detail: { x: 1 } });
  wait();
  performance.mark("b");
  const measure = performance.measure("m", "a", "b");
  let missing = "";
  try {
    performance.measure("n", "nowhere");
  } catch (error: any) {
    missing = error.name;
  }
  const other = performance.measure("o", { start: 5, duration: 7, detail: 1 });
  const between = performance.now();
  performance.clearMarks("a");
  return {
    atImport: performanceAtImport[0],
    origin: performance.timeOrigin === performanceAtImport[1] && performance.timeOrigin === atImport[1],
    epoch: performance.timeOrigin + start - Date.now(),
    went: between - start,
    measured: measure.duration,
    names: performance.getEntries().map((entry) => [entry.entryType, entry.name]),
    missing,
    other: [other.startTime, other.duration, (other as any).detail],
    json: Object.keys(measure.toJSON()),
  };
};
export const performanceInQuery = query({ handler: measured });
export const performanceInMutation = mutation({ handler: measured });
export const performanceInAction = action({ handler: measured });
