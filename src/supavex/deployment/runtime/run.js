// Runs pushed functions. The host calls __step with what is to begin and what has been answered, and takes from
// __take what they ask for: [frame, call, operation, arguments], and for some: what their queries have read.
"use strict";
{
  const { base64, unbase64, of: bytesOf } = globalThis.__bytes;
  const inspected = globalThis.__inspect;
  const instances = globalThis.__instances;
  const { stringify, parse } = JSON;
  const outbox = [];
  let kind = "query"; // of the function that was called from outside
  let clock = 0; // milliseconds; null: the real one
  let pushed = 0; // when the modules were
  let begun = { clock: 0, real: 0, entries: [] }; // what `performance` counts from, and what it was told
  let environment = {};
  let tables = {}; // their numbers by name
  let numbers = new Set();

  const read = (get, otherwise) => {
    try {
      return get();
    } catch {
      return otherwise;
    }
  };

  // Time and chance

  const RealDate = globalThis.Date;
  const RealError = globalThis.Error;
  const now = () => (clock === null ? RealDate.now() : clock);
  function Date(...parts) {
    if (!new.target) return new RealDate(now()).toString();
    return parts.length === 0 ? new RealDate(now()) : new RealDate(...parts);
  }
  Object.assign(Date, { now, parse: RealDate.parse, UTC: RealDate.UTC, prototype: RealDate.prototype });
  RealDate.prototype.constructor = Date;
  globalThis.Date = Date;

  // xoshiro128**: small, and good enough for what is no secret.
  const state = new Uint32Array(4);
  const turned = (x, by) => (x << by) | (x >>> (32 - by));
  const next32 = () => {
    const result = Math.imul(turned(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = turned(state[3], 11);
    return result;
  };
  Math.random = () => ((next32() >>> 5) * 67108864 + (next32() >>> 6)) / 9007199254740992;
  const seed = (words) => state.set(words);

  class FinalizationRegistry {
    register() {}
    unregister() {}
  }
  class WeakRef {
    #target;
    constructor(target) {
      this.#target = target;
    }
    deref() {
      return this.#target;
    }
  }
  Object.assign(globalThis, { FinalizationRegistry, WeakRef });
  // V8 notifies in a task of its own, which comes when no microtask is left.
  const { waitAsync, notify } = Atomics;
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const drained = () => {
    const { value } = waitAsync(bell, 0, 0);
    notify(bell, 0);
    return value;
  };
  delete globalThis.SharedArrayBuffer;
  delete globalThis.Atomics;

  // No more than Convex has of it: names can be read, and neither listed nor looked for.
  const variable = (target, name) => {
    if (typeof name !== "string") return target[name];
    if (Object.hasOwn(environment, name)) return environment[name];
    return name === "inspect" ? () => "[process.env]" : undefined;
  };
  globalThis.process = { env: new Proxy({}, { get: variable }) };

  // Stacks: where each error was made, as V8 has it and not as its text says, for a message may look like a stack.

  const stacks = new WeakMap();
  const headOf = Error.prototype.toString;
  Error.prepareStackTrace = (error, sites) => {
    const places = sites.map((site) => String(site));
    stacks.set(error, places);
    return [read(() => headOf.call(error), "Error"), ...places].join("\n    at ");
  };
  const placesOf = (error) => {
    read(() => error.stack); // which makes V8 call the function above, the first time
    return read(() => stacks.get(error)) ?? [];
  };

  // Console

  // The host keeps fewer lines, and shorter ones.
  const MAX_LINES = 300;
  let lines = 0;
  const line = (level, texts) => {
    if (++lines <= MAX_LINES) outbox.push([0, 0, "log", level, texts.map((text) => text.slice(0, 40000))]);
  };
  const log = (level, values) => (lines > MAX_LINES ? undefined : line(level, values.map(inspected)));
  const timers = new Map();
  const timed = (label, then, values = []) => {
    const name = label === undefined ? "default" : String(label);
    const start = timers.get(name);
    if (start === undefined) line("WARN", [`Timer '${name}' does not exist`]);
    else line("INFO", [`${name}: ${RealDate.now() - start}ms`, ...values.map(inspected)]);
    then(name);
  };
  // No more than Convex has of it, so that what fails there fails here.
  const console = Object.assign(Object.create({}), {
    log: (...values) => log("LOG", values),
    debug: (...values) => log("DEBUG", values),
    info: (...values) => log("INFO", values),
    warn: (...values) => log("WARN", values),
    error: (...values) => log("ERROR", values),
    trace: (...values) => line("TRACE", [...values.map(inspected), placesOf(new Error()).join("\n")]),
    time: (label) => {
      const name = label === undefined ? "default" : String(label);
      if (timers.has(name)) line("WARN", [`Timer '${name}' already exists`]);
      else timers.set(name, RealDate.now());
    },
    timeLog: (label, ...values) => timed(label, () => {}, values),
    timeEnd: (label) => timed(label, (name) => timers.delete(name)),
  });
  Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
  Object.defineProperty(globalThis, "console", { value: console, writable: true, configurable: true, enumerable: false });

  // What needs the host, and is no business of one function's

  const HELP = "Please consider using an action. See https://docs.convex.dev/functions/actions for more details.";
  const onlyInActions = (what) => {
    if (kind !== "action") throw new Error(`Can't use ${what} in queries and mutations. ${HELP}`);
  };
  // What is longer than this breaks a limit for certain, and the host need not see it.
  const MAX_TEXT = 48 << 20;
  const bounded = (text, what) => {
    if (text.length > MAX_TEXT) throw new Error(`${what} too large (limit: 16 MiB)`);
    return text;
  };
  const calls = new Map();
  const asides = []; // see below: what functions have made of the global object that wait for others
  let lastCall = 0;
  let stack = []; // frames: each is called by the one before it
  let loose = []; // calls that wait for no others: all of an action's, and those that are no business of Convex's
  let given = false; // whether the last one got a document that was here already
  let answered = []; // an action's calls, in the order of their answers
  const ask = (frame, operation, text, query) =>
    new Promise((resolve, reject) => {
      bounded(text, `The arguments of ${operation} are`);
      const call = { id: ++lastCall, frame, operation, text, query, resolve, reject };
      Object.assign(call, { sent: false, answer: undefined });
      calls.set(call.id, call);
      (frame === null || kind === "action" ? loose : frame.queue).push(call);
    });
  const hosted = async (operation, argument) => parse(await ask(null, operation, stringify(argument)));

  let lastTimer = 0;
  const waiting = new Set();
  const timer = (name, repeat) => (job, delay = 0, ...rest) => {
    onlyInActions(name);
    const id = ++lastTimer;
    waiting.add(id);
    const wait = () =>
      hosted("sleep", { milliseconds: Math.max(0, Number(delay) || 0) }).then(() => {
        if (!waiting.has(id)) return;
        if (!repeat) waiting.delete(id);
        job(...rest);
        if (repeat) wait();
      });
    wait();
    return id;
  };
  globalThis.setTimeout = timer("setTimeout", false);
  globalThis.setInterval = timer("setInterval", true);
  globalThis.clearTimeout = globalThis.clearInterval = (id) => void waiting.delete(id);

  // Counts from the push on, as Convex's: in queries up to the begin of the run, elsewhere it goes on.
  const sinceOrigin = () => {
    if (begun.importing) return 0;
    return begun.clock - pushed + (kind === "query" ? 0 : RealDate.now() - begun.real);
  };
  class PerformanceEntry {
    constructor(name, entryType, startTime, duration, detail = null) {
      Object.assign(this, { name: String(name), entryType, startTime, duration, detail: structuredClone(detail) });
    }
    toJSON() {
      return { ...this };
    }
  }
  class PerformanceMark extends PerformanceEntry {
    constructor(name, { startTime = sinceOrigin(), detail = null } = {}) {
      if (startTime < 0) throw new TypeError(`A mark's time can't be negative: ${startTime}`);
      super(name, "mark", startTime, 0, detail);
    }
  }
  class PerformanceMeasure extends PerformanceEntry {}
  const timeOf = (mark) => {
    if (typeof mark !== "string") {
      if (mark < 0) throw new TypeError(`A mark can't be negative: ${mark}`);
      return mark;
    }
    const found = begun.entries.findLast((entry) => entry.entryType === "mark" && entry.name === mark);
    if (found === undefined) throw new DOMException(`Cannot find mark: "${mark}"`, "SyntaxError");
    return found.startTime;
  };
  const added = (entry) => (begun.entries.push(entry), entry);
  const only = (name, type) =>
    begun.entries.filter((e) => (name === undefined || e.name === name) && (type === undefined || e.entryType === type));
  const cleared = (type, name) => {
    begun.entries = begun.entries.filter((e) => e.entryType !== type || (name !== undefined && e.name !== name));
  };
  class Performance extends EventTarget {
    now() {
      return sinceOrigin();
    }
    get timeOrigin() {
      return pushed;
    }
    mark(name, options = {}) {
      return added(new PerformanceMark(name, options));
    }
    measure(name, from = {}, endMark = undefined) {
      const given = typeof from === "object" && from !== null ? from : { start: from, end: endMark };
      const { start, end, duration, detail } = given === from && endMark !== undefined ? { ...from, end: endMark } : given;
      if (start !== undefined && end !== undefined && duration !== undefined) {
        throw new TypeError("A measure has no start, end and duration together.");
      }
      const long = duration === undefined ? undefined : timeOf(duration);
      const last = end !== undefined ? timeOf(end) : long !== undefined && start !== undefined ? timeOf(start) + long : sinceOrigin();
      const first = start !== undefined ? timeOf(start) : long !== undefined && end !== undefined ? last - long : 0;
      return added(new PerformanceMeasure(name, "measure", first, last - first, detail ?? null));
    }
    clearMarks(name) {
      cleared("mark", name);
    }
    clearMeasures(name) {
      cleared("measure", name);
    }
    clearResourceTimings() {}
    setResourceTimingBufferSize() {}
    getEntries() {
      return only();
    }
    getEntriesByName(name, type) {
      return only(name, type);
    }
    getEntriesByType(type) {
      return only(undefined, type);
    }
    toJSON() {
      return { timeOrigin: pushed };
    }
  }
  Object.assign(globalThis, { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure });
  globalThis.performance = new Performance();

  globalThis.fetch = async (input, init) => {
    onlyInActions("fetch()");
    const request = new Request(input, init);
    const signal = request.signal;
    signal?.throwIfAborted();
    const method = request.method;
    const body = method === "GET" || method === "HEAD" ? null : base64(await request.bytes());
    const headers = [...request.headers];
    const answer = hosted("fetch", { url: request.url, method, headers, body, redirect: request.redirect });
    const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    const found = await (signal ? Promise.race([answer, aborted]) : answer);
    if (found.error !== undefined) throw new TypeError(found.error);
    return new Response(found.status === 204 ? null : unbase64(found.body), found);
  };

  const random = (array) => {
    const bytes = bytesOf(array);
    if (bytes.length > 65536) throw new DOMException("More than 65536 bytes of chance.", "QuotaExceededError");
    for (let i = 0; i < bytes.length; i++) bytes[i] = next32() >>> 24;
    return array;
  };
  const algorithmOf = (value) => String(typeof value === "string" ? value : value.name).toUpperCase();
  const hashOf = (value) => algorithmOf(value.hash ?? value);
  class CryptoKey {
    #secret;
    constructor(secret, hash, extractable, usages) {
      this.#secret = secret;
      Object.assign(this, { type: "secret", algorithm: { name: "HMAC", hash: { name: hash } }, extractable, usages });
    }
    static secret(key) {
      return key.#secret;
    }
  }
  const hmac = async (key, data) => {
    const argument = { hash: key.algorithm.hash.name, key: base64(CryptoKey.secret(key)), data: base64(bytesOf(data)) };
    return unbase64(await hosted("hmac", argument)).buffer;
  };
  const subtle = {
    digest: async (algorithm, data) =>
      unbase64(await hosted("digest", { hash: algorithmOf(algorithm), data: base64(bytesOf(data)) })).buffer,
    importKey: async (format, data, algorithm, extractable, usages) => {
      if (format !== "raw" || algorithmOf(algorithm) !== "HMAC") {
        throw new DOMException("Not supported here: keys other than raw ones for HMAC.", "NotSupportedError");
      }
      return new CryptoKey(bytesOf(data).slice(), hashOf(algorithm), extractable, usages);
    },
    sign: async (algorithm, key, data) => await hmac(key, data),
    verify: async (algorithm, key, signature, data) => {
      const [right, given] = [new Uint8Array(await hmac(key, data)), bytesOf(signature)];
      return right.length === given.length && right.reduce((odd, byte, i) => odd | (byte ^ given[i]), 0) === 0;
    },
  };
  globalThis.crypto = {
    subtle,
    getRandomValues: random,
    randomUUID: () => {
      const bytes = random(new Uint8Array(16));
      bytes[6] = (bytes[6] & 15) | 64;
      bytes[8] = (bytes[8] & 63) | 128;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
  };
  Object.assign(globalThis, { CryptoKey });

  // Ids: base32 of the table's number, sixteen bytes and a checksum

  const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
  const tableOf = (text) => {
    if (text.length < 31 || text.length > 37) return null;
    const bytes = [];
    let bits = 0;
    let size = 0;
    for (const character of text) {
      const digit = DIGITS.indexOf(character);
      if (digit < 0) return null;
      bits = ((bits << 5) | digit) & 0xfff;
      size += 5;
      if (size >= 8) bytes.push((bits >> (size -= 8)) & 255);
    }
    if (size >= 5 || (bits & ((1 << size) - 1)) !== 0) return null;
    let number = 0;
    let used = 0;
    do number += (bytes[used] & 127) * 2 ** (7 * used);
    while (bytes[used++] & 128 && used < 5);
    if (bytes.length !== used + 18 || (used > 1 && bytes[used - 1] === 0)) return null;
    let [low, high] = [0, 0];
    for (const byte of bytes.slice(0, -2)) high += low += byte;
    return (low & 255) === bytes.at(-2) && (high & 255) === bytes.at(-1) ? number : null;
  };

  // Frames: one for each function that runs

  // Which operations Convex does together, where they stand one behind the other, and how many at most.
  const TOGETHER = { "1.0/get": 1, next: 1, "1.0/storageGetUrl": 2 };
  const MOST_TOGETHER = 16;
  // What is asked for only when all before it is answered: it depends on what has been read, or on whether the function
  // goes on.
  const ALONE = new Set(["1.0/runUdf", "1.0/getTransactionMetrics"]);

  class Frame {
    constructor(id) {
      this.id = id;
      this.importing = true;
      this.queries = new Map();
      this.lastQuery = 0;
      this.queue = [];
      this.outcome = null;
    }
    #ready() {
      if (this.importing) throw new Error("Can't use database at import time");
    }
    syscall(operation, text) {
      this.#ready();
      const argument = parse(text);
      if (operation === "1.0/queryStream") {
        const id = ++this.lastQuery;
        this.queries.set(id, { id, query: argument.query, items: [], at: 0, ended: false, end: false });
        return stringify({ queryId: id });
      }
      if (operation === "1.0/queryCleanup") return "true"; // what it has read is told at the frame's end
      if (operation === "1.0/db/normalizeId") {
        const number = tables[argument.table];
        const given = argument.idString;
        return stringify({ id: number !== undefined && tableOf(given) === number ? given : null });
      }
      if (operation === "1.0/componentArgument") return "{}";
      if (operation === "1.0/getSnapshotTs") return stringify({ $integer: this.snapshot });
      throw new Error(`Unknown operation ${operation}`);
    }
    async asyncSyscall(operation, text) {
      this.#ready();
      if (operation !== "1.0/queryStreamNext") return await ask(this, operation, text);
      const query = this.queries.get(parse(text).queryId);
      if (query === undefined) throw new Error(NO_QUERY);
      return await ask(this, "next", "", query);
    }
    jsSyscall(operation, argument) {
      this.#ready();
      if (operation === "storage/storeBlob") return stored(this, argument);
      if (operation === "storage/getBlob") return loaded(this, argument);
      throw new Error(`Unknown JS syscall: ${operation}`);
    }
    // What is to be settled next: all of it at once.
    batch() {
      const first = this.queue.slice(0, MOST_TOGETHER);
      const group = TOGETHER[first[0].operation];
      const other = group === undefined ? 1 : first.findIndex(({ operation }) => TOGETHER[operation] !== group);
      return other < 0 ? first : first.slice(0, other);
    }
    // The host answers in the order of the queue. So nothing is sent before it is known whether what stands before it
    // needs the host: whether a query has a next document here depends on who asks for it first.
    send() {
      const streams = new Set();
      for (const call of this.queue) {
        if (streams.has(call.query) || (ALONE.has(call.operation) && call !== this.queue[0])) return;
        if (call.query !== undefined) streams.add(call.query);
        if (!call.sent && !ready(call)) send(call);
      }
    }
    read() {
      const read = [];
      for (const { id, at, end } of this.queries.values()) {
        if (at > 0 || end) read.push([id, at, end]);
        if (end) this.queries.delete(id);
      }
      return read;
    }
  }

  const NO_QUERY = "in-progress query not found";
  const here = ({ at, items, ended }) => at < items.length || ended;
  const ready = ({ answer, query }) => answer !== undefined || (query !== undefined && here(query));
  const send = (call) => {
    const { id, frame, operation, query } = call;
    if (query !== undefined) {
      call.text = stringify({ queryId: query.id, query: query.query });
      query.query = undefined;
    }
    call.sent = true;
    outbox.push([frame === null ? 0 : frame.id, id, operation, call.text]);
    if (ALONE.has(operation)) outbox.at(-1).push(frame.read());
  };

  // The answer of a call. Of a query: where the next document is already here.
  const answer = (id, good, text) => {
    const call = calls.get(id);
    if (call === undefined) return; // of a run that has ended
    if (good && call.query !== undefined) {
      const { items, ended } = parse(text);
      Object.assign(call.query, { items, ended, at: 0 });
      return;
    }
    call.answer = { good, text };
    if (kind === "action") answered.push(call);
  };
  const settle = (call) => {
    calls.delete(call.id);
    const { query, answer, operation, text } = call;
    given = answer === undefined;
    if (given) {
      const more = query.at < query.items.length;
      if (!more) query.end = true;
      call.resolve(more ? `{"value":${query.items[query.at++]},"done":false}` : '{"value":null,"done":true}');
    } else if (answer.good) {
      if (operation === "1.0/insert") {
        // The first document of a table makes it.
        const number = tableOf(parse(answer.text)._id);
        if (!numbers.has(number)) {
          tables[parse(text).table] = number;
          numbers.add(number);
        }
      }
      call.resolve(answer.text);
    } else {
      const error = new Error(answer.text.message);
      if (answer.text.data !== undefined) error.data = answer.text.data;
      call.reject(error);
    }
  };

  // Goes on, where no microtask is left; whether anything came of it, or else it is the host's turn. A query or a
  // mutation is over when nothing is left that it has asked for, be that awaited or not.
  const advance = () => {
    const frame = stack.at(-1);
    if (frame === undefined) return false;
    if (frame.outcome?.failed !== undefined) return over(frame, "failed", frame.outcome.failed);
    if (kind === "action") {
      if (frame.outcome !== null) return over(frame, "done", frame.outcome.done);
      if (answered.length > 0) {
        settle(answered.shift());
        return true;
      }
    } else if (loose.length === 0) {
      if (frame.queue.length === 0) {
        return frame.outcome === null ? over(frame, "stuck", "") : over(frame, "done", frame.outcome.done);
      }
      const batch = frame.batch();
      if (!batch.every(ready)) {
        frame.send();
        return false;
      }
      frame.queue.splice(0, batch.length);
      const streams = new Set();
      for (const call of batch) {
        // A query that gives a document to one is not there for another at that moment.
        if (streams.has(call.query)) call.answer = { good: false, text: { message: NO_QUERY } };
        if (call.query !== undefined) streams.add(call.query);
        settle(call);
      }
      return true;
    } else if (loose.every(ready)) {
      loose.splice(0).forEach(settle);
      return true;
    }
    for (const call of loose) if (!call.sent) send(call);
    if (kind === "action") loose = [];
    return false;
  };
  const over = (frame, operation, payload) => {
    if (kind === "action") unawaited();
    outbox.push([frame.id, 0, operation, payload, frame.read()]);
    stack.pop();
    if (asides.length > 0) makeGlobals(asides.pop());
    return false;
  };
  // What an action has not waited for is not done, or nobody knows.
  const NAMES = { "1.0/storageStore": "storage.store", "1.0/storageGet": "storage.get" };
  const NO_OPERATIONS = new Set(["sleep", "digest", "hmac"]);
  const unawaited = () => {
    const open = [...calls.values()].map(({ operation }) => operation).filter((name) => !NO_OPERATIONS.has(name));
    if (open.length === 0) return;
    const names = [...new Set(open.map((name) => NAMES[name] ?? name.replace(/^1\.0\/(actions\/)?/, "")))].sort();
    line("WARN", [
      `${open.length} unawaited operation${open.length === 1 ? "" : "s"}: [${names.join(", ")}]. Async operations ` +
        "should be awaited or they might not run. See " +
        "https://docs.convex.dev/functions/actions#dangling-promises for more information.",
    ]);
  };
  let due = false; // whether it is to be seen what comes of the last step
  let busy = false; // whether that is being done
  const goOn = async () => {
    [due, busy] = [false, true];
    try {
      do await drained();
      while (advance());
    } finally {
      busy = false;
    }
  };

  const stored = async (frame, { blob, options }) => {
    if (!(blob instanceof Blob)) throw new Error("store() expects a Blob.");
    const argument = { blob: base64(await blob.bytes()), contentType: blob.type, sha256: options?.sha256 };
    return parse(await ask(frame, "1.0/storageStore", stringify(argument)));
  };
  const loaded = async (frame, { storageId }) => {
    const found = parse(await ask(frame, "1.0/storageGet", stringify({ storageId })));
    return found === null ? null : new Blob([unbase64(found.blob)], { type: found.contentType ?? "" });
  };

  const UNREADABLE = "something that can't be read was thrown";
  const thrown = (error) => {
    const object = (typeof error === "object" || typeof error === "function") && error !== null;
    if (!object || !read(() => error instanceof RealError, false)) {
      const shown = object ? () => `#<${error.constructor.name}>` : () => String(error);
      return { name: "", message: read(shown, object ? "#<Object>" : UNREADABLE), places: [], data: null };
    }
    const marked = read(() => error[Symbol.for("ConvexError")] === true, false);
    return {
      name: read(() => (error.name === undefined ? "Error" : String(error.name)), ""),
      message: read(() => (error.message === undefined ? "" : String(error.message)), UNREADABLE),
      places: placesOf(error),
      data: marked ? read(() => (typeof error.data === "string" ? error.data : null), null) : null,
    };
  };

  // While modules are evaluated, time and chance are those of their push, as with Convex.
  const imported = async (load, path, { now, seed: words }) => {
    const before = [clock, state.slice(), begun.importing];
    clock = now;
    begun.importing = true;
    seed(words);
    try {
      return await load(path);
    } finally {
      [clock, , begun.importing] = before;
      seed(before[1]);
    }
  };

  const run = async (frame, { path, name, kind, args, requestId, load, ...request }) => {
    const exports = await imported(load, path, request.imported);
    const called = exports[name];
    frame.importing = false;
    if (kind === "query") return await called.invokeQuery(args);
    if (kind === "mutation") return await called.invokeMutation(args);
    return await called.invokeAction(requestId, args);
  };

  // A function that another one calls has a global object without what that one has put there, which comes back when
  // the called one is over. Neither iterators nor methods here, for a function may have changed them.
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, defineProperty, deleteProperty } = Reflect;
  const { is, hasOwn, getOwnPropertyDescriptors: descriptorsOf } = Object;
  let fresh = {};
  const makeGlobals = (wanted) => {
    const there = ownKeys(globalThis);
    for (let i = 0; i < there.length; i++) if (!hasOwn(wanted, there[i])) deleteProperty(globalThis, there[i]);
    const keys = ownKeys(wanted);
    for (let i = 0; i < keys.length; i++) {
      const now = getOwnPropertyDescriptor(globalThis, keys[i]);
      const then = wanted[keys[i]];
      const same = now !== undefined && is(now.value, then.value) && now.get === then.get && now.set === then.set;
      if (!same) defineProperty(globalThis, keys[i], then);
    }
  };

  const start = (id, request) => {
    const frame = new Frame(id);
    if (request.outermost) {
      ({ kind, environment, tables } = request);
      numbers = new Set(Object.values(tables));
      clock = kind === "action" ? null : request.now;
      pushed = request.imported.now;
      begun = { clock: clock ?? RealDate.now(), real: RealDate.now(), entries: [], importing: false };
      seed(request.seed);
      timers.clear();
      lines = 0;
      waiting.clear();
      calls.clear();
      [stack, loose, answered] = [[], [], []];
      asides.length = 0;
    } else {
      asides.push(descriptorsOf(globalThis));
      makeGlobals(fresh);
    }
    stack.push(frame);
    frame.snapshot = request.snapshot;
    const Convex = {
      syscall: (operation, text) => frame.syscall(operation, text),
      asyncSyscall: (operation, text) => frame.asyncSyscall(operation, text),
      jsSyscall: (operation, argument) => frame.jsSyscall(operation, argument),
    };
    const mayLoad = () => {
      if (kind !== "action") throw new TypeError("dynamic module import unsupported");
    };
    run(frame, { ...request, load: instances(Convex, mayLoad) })
      .then((result) => void (frame.outcome = { done: bounded(String(result), "The return value is") }))
      .catch((error) => void (frame.outcome = { failed: thrown(error) }));
  };

  const verbs = { start, settle: answer };
  globalThis.__step = (text) => {
    let begins = false;
    for (const [verb, ...rest] of parse(text)) {
      verbs[verb](...rest);
      begins ||= verb === "start";
    }
    due = begins || advance();
    // Mostly all that comes of it is asked for something else: the microtasks have run when __take is called.
    if (due && !begins && (given || answered.length > 0 || stack.at(-1).queue.length > 0)) goOn();
    return busy ? "busy" : "";
  };
  // Nothing, as long as the functions go on by themselves.
  globalThis.__take = () => {
    if (busy) return "";
    if (due) {
      due = false;
      if (advance()) {
        goOn();
        return "";
      }
    }
    const text = stringify(outbox);
    outbox.length = 0;
    return text;
  };

  // Between two runs everything that both could see must be as it was: all that is reached from the global object, and
  // what syntax alone reaches. Nothing here may depend on what a function could have changed: no iterators, no methods.

  const hidden = [function* () {}, async function () {}, async function* () {}, [].keys(), new Map().keys(),
    new Set().keys(), ""[Symbol.iterator](), "".matchAll(/a/g), Iterator.from({ next() {} }), [].values().map(() => 1)]
    .map((value) => getPrototypeOf(value));
  let kept = [];
  globalThis.__ready = () => {
    kept = [];
    fresh = descriptorsOf(globalThis);
    const queue = [globalThis, ...hidden];
    const seen = new Set(queue);
    const reach = (value) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
      seen.add(value);
      queue.push(value);
    };
    for (const object of queue) {
      const [names, values, accessors, getters, setters] = [[], [], [], [], []];
      for (const key of ownKeys(object)) {
        const property = getOwnPropertyDescriptor(object, key);
        if ("value" in property) {
          names.push(key);
          values.push(property.value);
        } else {
          accessors.push(key);
          getters.push(property.get);
          setters.push(property.set);
        }
        [property.value, property.get, property.set].forEach(reach);
      }
      const prototype = getPrototypeOf(object);
      reach(prototype);
      const extensible = isExtensible(object);
      kept.push({ object, prototype, extensible, names, values, accessors, getters, setters });
    }
    return "";
  };
  const unchanged = ({ object, prototype, extensible, names, values, accessors, getters, setters }) => {
    if (getPrototypeOf(object) !== prototype || isExtensible(object) !== extensible) return false;
    if (ownKeys(object).length !== names.length + accessors.length) return false;
    for (let i = 0; i < names.length; i++) if (!is(object[names[i]], values[i])) return false;
    for (let i = 0; i < accessors.length; i++) {
      const property = getOwnPropertyDescriptor(object, accessors[i]);
      if (property === undefined || property.get !== getters[i] || property.set !== setters[i]) return false;
    }
    return true;
  };
  globalThis.__clean = () => {
    for (let i = 0; i < kept.length; i++) if (!unchanged(kept[i])) return "changed";
    calls.clear();
    [stack, loose, answered] = [[], [], []];
    outbox.length = 0;
    /(?:)/.test(""); // or the last match would be seen by the next run
    return "";
  };
}
