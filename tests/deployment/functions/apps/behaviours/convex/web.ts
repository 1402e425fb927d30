import { query } from "./_generated/server";
import { WEB } from "./library/web";

export const sample = query({ handler: async (ctx, { name }: any) => JSON.stringify(await WEB[name]()) });
export const names = query({ handler: async () => Object.keys(WEB) });
export const latin = query({
  handler: async (ctx, { bytes }: any) => new TextDecoder("latin1").decode(bytes),
});

const storage = new (globalThis as any).AsyncLocalStorage();
const other = new (globalThis as any).AsyncLocalStorage();
export const stores = query({
  handler: async () => {
    const now: unknown[] = [];
    const waiting = async () => {
      now.push(storage.getStore());
      await null;
      now.push(storage.getStore() ?? null);
    };
    await storage.run("now", waiting);
    await storage.run("again", async () => {});
    now.push(storage.run("sync", () => storage.getStore()));
    other.enterWith("entered");
    now.push(other.getStore());
    await null;
    now.push(other.getStore() ?? null);
    return now;
  },
});
