import { components } from "./_generated/api";
import { action, internalQuery, mutation, query } from "./_generated/server";

const { hostile } = (components as any).counter;
const kept = [JSON.stringify, JSON.parse, Array.prototype.map, Array.prototype.push, Promise.prototype.then];

export const secret = internalQuery({ handler: async () => "secret" });
// What a component changed, while its caller goes on with what is its own.
export const goesOn = query({
  handler: async (ctx): Promise<any> => {
    const planted = await ctx.runQuery(hostile.plants, { given: { of: "the app" } });
    const notes = await ctx.db.query("notes").collect();
    const texts = JSON.parse(JSON.stringify(notes)).map((note: any) => note.text);
    const now = [JSON.stringify, JSON.parse, Array.prototype.map, Array.prototype.push, Promise.prototype.then];
    const same = now.every((value, at) => value === kept[at]) && !("polluted" in {}) && !("theirs" in globalThis);
    return { planted, texts, key: process.env.KEY, same, harvested: await ctx.runQuery(hostile.harvests, {}) };
  },
});
export const gets = query({
  handler: async (ctx, { how }: any): Promise<any> => {
    (globalThis as any).looked = () => process.env.KEY;
    try {
      const given = await ctx.runQuery(hostile.gives, { how });
      return [Object.getPrototypeOf(given) === Object.prototype, typeof given.plain];
    } catch (error: any) {
      const own = Object.getPrototypeOf(error) === Error.prototype && error.constructor === Error;
      const more = Object.getOwnPropertyNames(error).filter((name) => !["stack", "message", "data"].includes(name));
      return [own, more, error.message.includes(process.env.KEY)];
    }
  },
});
export const asked = mutation({
  handler: async (ctx): Promise<any> => {
    const id = await ctx.db.insert("notes", { text: "of the app" });
    return await ctx.runMutation(hostile.asks, { id });
  },
});
export const listed = action({
  handler: async (ctx): Promise<any> => {
    const there = await ctx.runAction(hostile.lists, { wanted: ["./lib.js", "../guarded.js", "../../guarded.js"] });
    return { there, found: await import("./app").then((module) => "add" in module) };
  },
});
