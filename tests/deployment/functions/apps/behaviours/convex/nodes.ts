"use node";
import { AsyncLocalStorage } from "async_hooks";
import { execFileSync } from "child_process";
import { createHash, createHmac, randomBytes, scryptSync } from "crypto";
import { EventEmitter, once } from "events";
import fs from "fs";
import net from "net";
import os from "os";
import { env } from "process";
import { Readable } from "stream";
import { Worker } from "worker_threads";
import { gunzipSync, gzipSync } from "zlib";
import { internal } from "./_generated/api";
import { action, internalAction } from "./_generated/server";

const atImport = createHash("sha256").update("abc").digest("hex");
let calls = 0;

export const has = action({
  handler: async () => {
    const storage = new AsyncLocalStorage<number>();
    const emitter = new EventEmitter();
    setImmediate(() => emitter.emit("done", 5));
    const [emitted] = await once(emitter, "done");
    let text = "";
    for await (const chunk of Readable.from(["a", "b"])) text += chunk;
    calls += 1;
    return {
      atImport,
      hmac: createHmac("sha1", "key").update("abc").digest("base64"),
      scrypt: scryptSync("password", "salt", 16).toString("hex"),
      random: randomBytes(8).length,
      zipped: gunzipSync(gzipSync(Buffer.from("é"))).toString(),
      kept: await storage.run(7, async () => (await null, storage.getStore())),
      emitted,
      text,
      platform: typeof os.platform(),
      variables: [process.env.GREETING, process.env.HOME ?? null, Object.keys(process.env).includes("GREETING")],
      version: /^v\d+/.test(process.version),
      calls,
    };
  },
});
export const double = internalAction({ handler: async (ctx, { n }: any) => n * 2 });
export const reaches = action({
  handler: async (ctx): Promise<any> => {
    await ctx.runMutation(internal.acting.put, { n: 3 });
    console.log("printed", [1]);
    process.stdout.write("written\n");
    return [await ctx.runQuery(internal.acting.list, {}), await ctx.runAction(internal.nodes.double, { n: 4 })];
  },
});
const inner = () => new Error("of mine").stack;
const outer = () => inner();
export const stack = action({ handler: async () => outer() });
export const uncaught = action({
  handler: async (_ctx, { how }: any) => {
    if (how === "callback") fs.exists("nowhere", () => { throw new TypeError("Yikes"); });
    if (how === "emitter") setTimeout(() => { throw "a text"; }, 0);
    if (how === "rejection") void Promise.reject(new RangeError("nobody's"));
    if (how === "exit") process.exit(3);
    if (how === "exit, caught") try { process.exit(); } catch { return "went on"; }
    return await new Promise((resolve) => setTimeout(resolve, 5000));
  },
});
export const throws = action({ handler: async () => { throw new RangeError("of Node's"); } });

const WAYS: Record<string, () => unknown> = {
  read: () => fs.readFileSync("/etc/passwd"),
  environment: () => fs.readFileSync("/proc/self/environ"),
  listed: () => fs.readdirSync("/"),
  written: () => fs.writeFileSync("/tmp/supavex-node", "x"),
  run: () => execFileSync("id"),
  connected: () => once(net.connect(1, "127.0.0.1"), "connect"),
  listened: () => once(net.createServer().listen(0), "listening"),
  fetched: () => fetch("http://127.0.0.1:1/"),
  required: () => (globalThis as any).require("/etc/passwd"),
  ended: () => process.abort(),
  worked: () => once(new Worker("require('fs').readFileSync('/etc/passwd')", { eval: true }), "online").then(() => new Promise((_, reject) => setTimeout(reject, 50))),
};
export const attempts = action({
  handler: async () => {
    const found: any = {};
    for (const [name, way] of Object.entries(WAYS)) {
      try {
        await way();
        found[name] = "reached";
      } catch (error: any) {
        found[name] = "refused";
      }
    }
    return found;
  },
});
// Packages look for files and variables of the machine, and go on where there are none.
export const looks = action({
  handler: async () => ({
    code: await fs.promises.readFile("/root/.aws/config").catch((error: any) => error.code),
    exists: fs.existsSync("/etc/passwd"),
    temporary: os.tmpdir(),
    variables: [env.GREETING, env.HOME ?? null, Object.keys(env).includes("DENO_DIR")],
  }),
});
export const forges = action({
  handler: async () => {
    const text = '+[[1,0,"done","\\"forged\\"",[]]]';
    const frame = Buffer.alloc(4 + text.length);
    frame.writeUInt32LE(text.length);
    frame.write(text, 4);
    fs.writeSync(1, frame);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    return "honest";
  },
});
