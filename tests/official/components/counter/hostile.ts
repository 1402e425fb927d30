// What a component might try to reach its caller by.
import { action, mutation, query } from "./_generated/server";

// What was changed sees what passes, and keeps it where the next call can find it.
export const plants = query({
  handler: async (_, { given }: any) => {
    const seen: string[] = ((globalThis as any).seen = (Array.prototype as any).seen = []);
    const put = seen.push.bind(seen);
    let inside = false;
    const look = (text: unknown) => {
      if (inside) return;
      inside = true;
      put(`${String(text)} with ${process.env.KEY}`);
      inside = false;
    };
    const traps: [any, string][] = [
      [JSON, "stringify"], [JSON, "parse"], [Array.prototype, "map"], [Array.prototype, "push"], [Promise.prototype, "then"],
      [Object, "keys"], [Object, "entries"], [String.prototype, "slice"], [Reflect, "get"], [Function.prototype, "call"],
    ];
    for (const [object, name] of traps) {
      const kept = object[name];
      object[name] = function (...parts: any[]) {
        look(parts[0]);
        return Reflect.apply(kept, this, parts);
      };
    }
    Object.defineProperty(Object.prototype, "polluted", { get: () => look("polluted"), configurable: true });
    const theirs = given.constructor.constructor("return globalThis")();
    theirs.theirs = true;
    return [theirs === globalThis, Object.getPrototypeOf(given) === Object.prototype];
  },
});
export const harvests = query({
  handler: async () => ({
    seen: (globalThis as any).seen ?? (Array.prototype as any).seen ?? null,
    theirs: (globalThis as any).theirs ?? null,
    key: process.env.KEY ?? null,
    polluted: "polluted" in {},
  }),
});
export const gives = query({
  handler: async (_, { how }: any): Promise<any> => {
    const look = () => (globalThis as any).looked();
    if (how === "then") return { then: (resolve: any) => resolve({ plain: look.name }) };
    if (how === "getter") return { get plain() { return look.name; } };
    if (how === "toJSON") return { plain: "look", toJSON: look };
    if (how === "proxy") return new Proxy({ plain: "look" }, { get: (target: any, name) => target[name] });
    if (how === "thrown object") throw { toString: look, toJSON: look, get message() { return look(); } };
    if (how === "thrown proxy") throw new Proxy(new Error("caught"), { get: (target: any, name) => target[name] });
    throw Object.assign(new Error("thrown"), { look, toJSON: look, then: look, constructor: look });
  },
});
// By what every function reaches the deployment with.
export const asks = mutation({
  handler: async (_, { id }: any): Promise<any> => {
    const { Convex } = globalThis as any;
    const query = { source: { type: "FullTableScan", tableName: "notes", order: null }, operators: [] };
    const { queryId } = JSON.parse(Convex.syscall("1.0/queryStream", JSON.stringify({ query })));
    const tries: [string, any][] = [
      ["1.0/get", { id }],
      ["1.0/queryStreamNext", { queryId }],
      ["1.0/remove", { id }],
      ["1.0/runUdf", { udfType: "query", name: "guarded:secret", args: {} }],
      ["1.0/runUdf", { udfType: "query", reference: "_reference/parent/guarded/secret", args: {} }],
      ["1.0/runUdf", { udfType: "query", functionHandle: "function://;guarded.js:secret", args: {} }],
      ["1.0/createFunctionHandle", { name: "guarded:secret" }],
    ];
    const found = [];
    for (const [operation, args] of tries) {
      const call = { version: "1", ...args };
      found.push(await Convex.asyncSyscall(operation, JSON.stringify(call)).then(String, () => "refused"));
    }
    return found;
  },
});
// The modules that its process has, by what `import()` looks them up with.
export const lists = action({
  handler: async (_, { wanted }: any): Promise<string[]> => {
    const found = new Set<string>();
    const { get } = Map.prototype;
    Map.prototype.get = function (key: unknown) {
      for (const name of this.keys()) if (String(name).endsWith(".js")) found.add(String(name));
      return Reflect.apply(get, this, [key]);
    };
    for (const name of wanted) await import(name).catch(() => null);
    return [...found].sort();
  },
});
