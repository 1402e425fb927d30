// Convex's official npm package behind a pipe: one JSON object per line asks, one JSON line answers.
// Started by node.py, which says what each `op` takes and gives.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const esbuild = require("esbuild");
const { compareValues, convexToJson, getConvexSize, jsonToConvex } = require("convex/values");

/** What a TypeScript module exports. `modules`: the text of those it may import, each before those that import it. */
async function load(source, modules = {}) {
  const loaded = {};
  const evaluate = async (text) => {
    const { code } = await esbuild.transform(text, { loader: "ts", format: "cjs", target: "node20" });
    const module = { exports: {} };
    const resolve = (name) => (Object.hasOwn(loaded, name) ? loaded[name] : require(name));
    new Function("require", "module", "exports", code)(resolve, module, module.exports);
    return module.exports;
  };
  for (const [name, text] of Object.entries(modules)) loaded[name] = await evaluate(text);
  return evaluate(source);
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * The `convex` package has no decoder of document ids, and Convex's own package `id-encoding` is not on npm. So this
 * one is written from the format's description, by another way than supavex takes: as a text of bits.
 */
function decodeId(text) {
  if (text.length < 31 || text.length > 37) throw new Error("length");
  const digits = [...text].map((character) => ALPHABET.indexOf(character));
  if (digits.includes(-1)) throw new Error("digit");
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  const spare = bits.length % 8;
  if (spare && Number(bits.slice(-spare)) !== 0) throw new Error("spare bits");
  const bytes = bits.match(/[01]{8}/g).map((byte) => parseInt(byte, 2));

  const used = bytes.findIndex((byte) => byte < 128) + 1;
  const table = bytes.slice(0, used).reduce((sum, byte, place) => sum + (byte % 128) * 128 ** place, 0);
  const shortest = used === 1 || bytes[used - 1] !== 0;
  if (used < 1 || used > 5 || table < 1 || table >= 2 ** 32 || !shortest) throw new Error("table number");
  if (bytes.length !== used + 16 + 2) throw new Error("length for this table number");

  const body = bytes.slice(0, -2);
  const sum = body.reduce((total, byte) => total + byte, 0);
  const weighted = body.reduce((total, byte, place) => total + byte * (body.length - place), 0);
  if (bytes.at(-2) !== sum % 256 || bytes.at(-1) !== weighted % 256) throw new Error("checksum");
  return { table, internal: Buffer.from(bytes.slice(used, -2)).toString("hex") };
}

/** What `compute` gives for each item; `{ error }` where it throws. */
function each(items, compute) {
  return items.map((item) => {
    try {
      return { value: compute(item) };
    } catch (error) {
      return { error: String(error.message) };
    }
  });
}

/**
 * What `convex-test` gives for queries of one table. `documents` are inserted in their order; each query names an index,
 * its range as [method, field, value] triples, an order, and answers with the documents' `n`.
 */
async function queries({ schema, documents, queries: asked }) {
  const { convexTest } = await import("convex-test");
  const definition = (await load(schema)).default;
  const t = convexTest(definition, { "./_generated/api.js": async () => ({}) });
  const answers = await t.run(async (ctx) => {
    for (const document of documents) await ctx.db.insert("rows", jsonToConvex(document));
    const results = [];
    for (const { index, range, order } of asked) {
      try {
        const build = (q) => range.reduce((r, [method, field, value]) => r[method](field, jsonToConvex(value)), q);
        const found = await ctx.db.query("rows").withIndex(index, build).order(order).collect();
        results.push({ value: found.map((document) => document.n) });
      } catch (error) {
        results.push({ error: String(error.message) });
      }
    }
    return results;
  });
  return answers;
}

/**
 * What each call does to a table of its own with these documents, in `convex-test`: `source` exports `run(ctx, args)`.
 * Answers with the `n` of the documents it returns, and with the table's documents afterwards.
 */
async function handlers({ schema, documents, calls }) {
  const { convexTest } = await import("convex-test");
  const definition = (await load(schema)).default;
  const answers = [];
  for (const { source, args } of calls) {
    try {
      const { run } = await load(source);
      const given = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, jsonToConvex(value)]));
      const t = convexTest(definition, { "./_generated/api.js": async () => ({}) });
      const value = await t.run(async (ctx) => {
        for (const document of documents) await ctx.db.insert("rows", jsonToConvex(document));
        const found = await run(ctx, given);
        const returned = Array.isArray(found) ? found.map(({ n }) => n) : (found?.n ?? found ?? null);
        const rows = (await ctx.db.query("rows").collect()).map(({ _id, _creationTime, ...fields }) => fields);
        return { returned, rows: rows.map(convexToJson) };
      });
      answers.push({ value });
    } catch (error) {
      answers.push({ error: String(error.message) });
    }
  }
  return answers;
}

/**
 * What `convex-test` gives for calls of the functions of one module, one after another on the same data. Each call names
 * its kind and function, and has arguments; answers with a value, or with what it threw. A call of the kind "fetch" is a
 * request to the router that `http` exports; answers with status, headers and body.
 */
async function functions({ schema, name, source, http, calls }) {
  const { convexTest } = await import("convex-test");
  const { makeFunctionReference } = require("convex/server");
  const module = await load(source);
  const t = convexTest((await load(schema)).default, {
    "./_generated/api.js": async () => ({}),
    [`./${name}.js`]: async () => module,
    ...(http === undefined ? {} : { "./http.js": async () => await load(http, { [`./${name}`]: source }) }),
  });
  t.registerComponent("part", (await load(schema)).default, {
    "./_generated/api.js": async () => ({}),
    [`./${name}.js`]: async () => module,
  });
  const answers = [];
  for (const { kind, path, args } of calls) {
    try {
      if (kind === "fetch") {
        const answer = await t.fetch(path, args);
        answers.push({ value: [answer.status, [...answer.headers].sort(), await answer.text()] });
        continue;
      }
      const value = await t[kind](makeFunctionReference(path), jsonToConvex(args));
      answers.push({ value: convexToJson(value ?? null) });
    } catch (error) {
      answers.push({ error: String(error.message), data: error.data === undefined ? null : JSON.stringify(convexToJson(error.data)) });
    }
  }
  return answers;
}

const operations = {
  queries,
  functions,
  handlers,
  async schema({ source, modules }) {
    return (await load(source, modules)).default.export();
  },
  async value({ source, modules, name }) {
    return convexToJson((await load(source, modules))[name]);
  },
  async calls({ source, modules, name, calls }) {
    const exported = await load(source, modules);
    return each(calls, (call) => convexToJson(exported[name](...call.map(jsonToConvex))));
  },
  decodeId: ({ ids }) => each(ids, decodeId),
  values: ({ json }) => each(json, (item) => convexToJson(jsonToConvex(item))),
  sizes: ({ json }) => each(json, (item) => getConvexSize(jsonToConvex(item))),
  compare: ({ pairs }) => each(pairs, (pair) => Math.sign(compareValues(...pair.map(jsonToConvex)))),
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { op, ...args } = JSON.parse(line);
    if (!Object.hasOwn(operations, op)) throw new Error(`no operation ${op}`);
    answer = { value: await operations[op](args) };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await esbuild.stop();
