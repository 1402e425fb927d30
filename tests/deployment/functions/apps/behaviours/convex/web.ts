import { internal } from "./_generated/api";
import { action, internalMutation, mutation, query } from "./_generated/server";

export const globals = query({ handler: async () => Object.getOwnPropertyNames(globalThis).sort() });

const { AsyncLocalStorage } = globalThis as any;
const storage = new AsyncLocalStorage();
const stores = async () => {
  const seen: unknown[] = [];
  const waiting = async () => {
    seen.push(storage.getStore());
    await null;
    await Promise.all([1, 2].map(async () => void (await null)));
    seen.push(storage.getStore());
  };
  await Promise.all([storage.run("one", waiting), storage.run("two", waiting)]);
  seen.push(storage.getStore() ?? null);
  return seen.sort();
};
export const storesInQuery = query({ handler: stores });
export const storesInAction = action({ handler: stores });

const bytes = (text: string) => new TextEncoder().encode(text);
const cryptography = async () => {
  const pair: any = await crypto.subtle.generateKey(
    { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
    true,
    ["sign", "verify"],
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign(algorithm.name, key, bytes("abc"));
  const verified = await crypto.subtle.verify(algorithm.name, pair.publicKey, signature, bytes("abc"));
  const password = await crypto.subtle.importKey("raw", bytes("password"), "PBKDF2", false, ["deriveBits"]);
  const pbkdf2 = { name: "PBKDF2", hash: "SHA-256", salt: bytes("salt"), iterations: 1000 };
  const derived = new Uint8Array(await crypto.subtle.deriveBits(pbkdf2, password, 256));
  return { kinds: [signature instanceof ArrayBuffer, pkcs8 instanceof ArrayBuffer], verified, derived: derived.buffer };
};
export const cryptographyInMutation = mutation({ handler: cryptography });
export const cryptographyInAction = action({ handler: cryptography });

export const streamed = action({
  handler: async () => {
    const upper = new TransformStream({ transform: (chunk, out) => out.enqueue(chunk.toUpperCase()) });
    const source = new Blob(["a", "ü", "c"]).stream().pipeThrough(new TextDecoderStream()).pipeThrough(upper);
    let text = "";
    for await (const chunk of source as any) text += chunk;
    const form = new FormData();
    form.append("f", new File(["x"], "x.txt", { type: "text/plain" }));
    const file: any = (await new Response(form).formData()).get("f");
    const host = new URL("https://münchen.de/ä").href;
    return [text, file.name, await file.text(), host, new Intl.NumberFormat("de-DE").format(1234.5)];
  },
});

// Rejections that nobody catches

export const rejects = mutation({
  handler: async (ctx, { how }: any) => {
    await ctx.db.insert("rows", { n: 1 });
    if (how === "at once") void Promise.reject(new Error("nobody caught it"));
    if (how === "later") void ctx.db.query("rows").first().then(() => { throw new Error("nobody caught it"); });
    if (how === "in a microtask") queueMicrotask(() => { throw new Error("nobody caught it"); });
    if (how === "caught late") {
      const promise = Promise.reject(new Error("nobody caught it"));
      await ctx.db.query("rows").first();
      await promise.catch(() => {});
    }
    if (how === "caught") await Promise.reject(new Error("x")).catch(() => {});
    return "done";
  },
});
export const rejectsInAction = action({
  handler: async (ctx, { how }: any) => {
    if (how === "timer") setTimeout(() => { throw new Error("nobody caught it"); }, 1);
    else void Promise.reject(new Error("nobody caught it"));
    await new Promise((resolve) => setTimeout(resolve, 10_000));
  },
});

// What is under the runtime

// The global object is the target of events of one's own, and of nobody else's: Deno's stay where they are.
export const listens = action({
  handler: async () => {
    const heard: string[] = [];
    const global = globalThis as any;
    const listener = (event: Event) => void heard.push(event.type);
    for (const type of ["mine", "other", "unhandledrejection", "error", "beforeunload"]) global.addEventListener(type, listener);
    const { dispatchEvent } = global;
    dispatchEvent(new Event("mine"));
    global.removeEventListener("mine", listener);
    global.dispatchEvent(new Event("mine"));
    global.dispatchEvent(new Event("other"));
    await Promise.allSettled([Promise.reject(new Error("caught"))]);
    return heard;
  },
});

const WAYS: Record<string, () => unknown> = {
  deno: () => (globalThis as any).Deno.readTextFileSync("/etc/passwd"),
  constructor: () => ({} as any).constructor.constructor("return Deno")(),
  made: () => new Function("return import('node:process')")(),
  evaluated: () => (0, eval)("import('node:fs')"),
  data: () => (0, eval)("import('data:text/javascript,export const a = 1')"),
  generator: () => (function* () {} as any).constructor("yield import('node:fs')")().next().value,
  async: () => ((async () => {}) as any).constructor("return await import('node:net')")(),
  above: () => Object.getPrototypeOf((async () => {}).constructor)("return import('node:fs')")(),
  constructed: () => Reflect.construct(Function, ["return import('node:fs')"])(),
  derived: () => new (class extends Function {})("return import('node:fs')")(),
  dynamic: async () => await import(/* @vite-ignore */ ["node", "fs"].join(":") as any),
  required: () => (globalThis as any).require("fs"),
  process: () => (globalThis as any).process.stdin.fd,
  ported: () => new (globalThis as any).MessageChannel(),
  worked: () => new (globalThis as any).Worker("data:text/javascript,"),
  opened: () => new (globalThis as any).WebSocket("ws://127.0.0.1:1"),
  fetchedFile: () => fetch("file:///etc/passwd"),
  fetchedHost: () => fetch("http://127.0.0.1:1/"),
};
const reaches = async () => {
  const reached: string[] = [];
  for (const [name, way] of Object.entries(WAYS)) {
    try {
      await way();
      reached.push(name);
    } catch {}
  }
  return reached;
};
export const reachesInQuery = query({ handler: reaches });
export const reachesInMutation = mutation({ handler: reaches });
export const reachesInAction = action({ handler: reaches });
export const makes = query({
  handler: async () => [new Function("a", "return a + 1")(1), (0, eval)("'important'"), (() => {}) instanceof Function],
});

// What an action leaves behind

export const put = internalMutation({ handler: async (ctx, { n }: any) => void (await ctx.db.insert("rows", { n })) });
export const leaves = action({
  handler: async (ctx, { url }: any) => {
    const later = (how: string) => () => {
      (globalThis as any).left = how;
      void ctx.runMutation(internal.web.put, { n: 99 });
    };
    setTimeout(later("timer"), 1);
    setInterval(later("interval"), 1);
    void fetch(url).then(later("fetched"), later("not fetched"));
    void crypto.subtle.digest("SHA-512", new Uint8Array(8 << 20)).then(later("digest"));
    AbortSignal.timeout(1).onabort = later("timeout");
    return "gone";
  },
});
export const left = action({
  handler: async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    return (globalThis as any).left ?? null;
  },
});

// (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
const ADD = Uint8Array.from(atob("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags="), (c) => c.charCodeAt(0));
const atImport = new WebAssembly.Module(ADD);
const assembled = async () => {
  const add = ({ exports }: any) => exports.add(40, 2);
  const { instance } = await WebAssembly.instantiate(ADD);
  const compiled = await WebAssembly.compile(ADD);
  const all = [new WebAssembly.Instance(atImport), instance, await WebAssembly.instantiate(compiled)];
  return [...all.map(add), typeof WebAssembly.instantiateStreaming, atob("Qx=")];
};
export const assembledInQuery = query({ handler: assembled });
export const assembledInAction = action({ handler: assembled });
