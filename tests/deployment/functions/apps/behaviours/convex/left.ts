import { mutation, query } from "./_generated/server";

// What a call leaves in its process, by objects that it reaches in different ways.
const { getPrototypeOf } = Object;
const LEAVES: Record<string, (ctx: any) => unknown> = {
  language: () => ((Array.prototype as any).left = 1),
  class: () => ((URL as any).left = 1),
  prototype: () => ((Response.prototype as any).left = 1),
  instance: () => ((getPrototypeOf(new Headers()) as any).left = 1),
  replaced: () => ((globalThis as any).URL = class {}),
  defined: () => Object.defineProperty(globalThis, "URL", { value: class {}, configurable: true, writable: true }),
  deleted: () => delete (globalThis as any).URL,
  getter: () => ((Object.getOwnPropertyDescriptor(globalThis, "URL")!.get!.call(null) as any).left = 1),
  namespace: () => ((Intl as any).left = 1),
  above: () => ((getPrototypeOf(getPrototypeOf(globalThis)) as any).left = 1),
  nested: () => (0, eval)("URL.left = 1"),
  error: () => {
    try {
      atob("?");
    } catch (error) {
      (getPrototypeOf(error) as any).left = 1;
    }
  },
  listener: () => {
    const leave = () => void ((Array.prototype as any).left = 1);
    EventTarget.prototype.addEventListener.call(globalThis, "beforeunload", leave);
  },
  inherited: () => {
    const leave = () => void ((Array.prototype as any).left = 1);
    getPrototypeOf(getPrototypeOf(globalThis)).addEventListener.call(Object.create(globalThis), "beforeunload", leave);
  },
  heard: async () => {
    const symbols = Object.getOwnPropertySymbols(globalThis).map((symbol) => (globalThis as any)[symbol]);
    const { listeners } = symbols.find((value) => value?.listeners !== undefined);
    const callback = (event: any) => {
      (getPrototypeOf(getPrototypeOf(event)) as any).left = 1;
      listeners.unhandledrejection.pop();
    };
    listeners.unhandledrejection.push({ callback, options: { capture: false } });
    void Promise.reject(new Error("heard"));
  },
  stored: async (ctx) => {
    const id = await ctx.storage.store(new Blob(["a"]));
    (getPrototypeOf(await ctx.storage.get(id)) as any).left = 1;
  },
};
export const leaves = mutation({ handler: async (ctx, { how }: any) => void (await LEAVES[how](ctx)) });
export const ways = query({ handler: async () => Object.keys(LEAVES) });
// Reads the globals only here, and not while the module is evaluated.
export const found = query({
  handler: async () => {
    const objects = [[], URL, Response.prototype, new Headers(), Intl, globalThis, new Blob([]), DOMException.prototype, Event.prototype];
    return [...objects.map((object: any) => object.left !== undefined), new URL("http://a/b").href !== "http://a/b"];
  },
});
