import { query } from "./_generated/server";
import { WEB } from "./library/web";

export const sample = query({ handler: async (ctx, { name }: any) => JSON.stringify(await WEB[name]()) });
export const names = query({ handler: async () => Object.keys(WEB) });
export const latin = query({
  handler: async (ctx, { bytes }: any) => new TextDecoder("latin1").decode(bytes),
});
