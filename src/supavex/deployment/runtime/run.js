// Runs pushed functions: begins the functions that the host names, sends their operations to the host, and settles the
// promises when the host answers. A message to the host is [frame, call, operation, arguments]; when a frame ends, its
// message also has what the frame's queries have read.
(own) => {
  "use strict";
  const { stringify, parse } = JSON;
  const { outbox, web, thrown, line } = own;
  const { Blob, EventTarget } = globalThis;
  let kind = "query"; // the kind of the function that was called from outside
  // The visible tables: their numbers by name. All functions that run here at the same time belong to one component.
  let namespace = null;
  let preparing = null; // the frame of modules that are evaluated before their function is called; else null
  // As in Convex, a variable can be read by its name; names can't be listed, and `in` finds none.
  const variable = (target, name) => {
    if (typeof name !== "string") return target[name];
    const environment = (stack.at(-1) ?? preparing)?.environment;
    if (environment !== undefined && Object.hasOwn(environment, name)) return environment[name];
    return name === "inspect" ? () => "[process.env]" : undefined;
  };
  if (own.node === null) Object.assign(globalThis, { process: { env: new Proxy({}, { get: variable }) } });

  // The running function's door to the deployment. Packages look for it at the global object, too.
  Object.defineProperty(globalThis, "Convex", { get: () => (stack.at(-1) ?? preparing)?.Convex, configurable: true });

  // In characters. A longer text exceeds a limit of Convex in any case, and is not sent to the host.
  const MAX_TEXT = 48 << 20;
  const bounded = (text, what) => {
    if (text.length > MAX_TEXT) throw new Error(`${what} too large (limit: 16 MiB)`);
    return text;
  };
  web.target = () => {
    const frame = stack.at(-1) ?? preparing ?? {};
    return (frame.target ??= new EventTarget());
  };
  const calls = new Map();
  const asides = []; // the changed properties of the global object, one entry for each function that waits; see makeGlobals
  let lastCall = 0;
  let stack = []; // frames; each was called by the frame before it
  let answered = []; // an action's calls, in the order of their answers
  const ask = (frame, operation, text, query) =>
    new Promise((resolve, reject) => {
      bounded(text, `The arguments of ${operation} are`);
      const call = { id: ++lastCall, frame, operation, text, query, resolve, reject };
      Object.assign(call, { sent: false, answer: undefined });
      calls.set(call.id, call);
      frame.queue.push(call);
      own.wake();
    });

  // Ids are base32 of the table's number, sixteen bytes and a checksum.

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

  // A frame is a running function.

  // Convex performs adjacent operations of one group together, at most this many at once.
  const TOGETHER = { "1.0/get": 1, next: 1, "1.0/storageGetUrl": 2 };
  const MOST_TOGETHER = 16;
  // Operations that are sent only when all operations before them are answered. Their results depend on what was read,
  // or on whether the function continues.
  const ALONE = new Set(["1.0/runUdf", "1.0/getTransactionMetrics"]);

  class Frame {
    constructor(id) {
      this.id = id;
      this.importing = true;
      this.queries = new Map();
      this.lastQuery = 0;
      this.queue = [];
      this.outcome = null;
      this.response = null;
      this.target = null; // holds the listeners that the function adds at the global object; null until there is one
      this.ask = (operation, text) => ask(this, operation, text);
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
      if (operation === "1.0/queryCleanup") return "true"; // the host learns what the query has read when the frame ends
      if (operation === "1.0/db/normalizeId") {
        const number = namespace.tables[argument.table];
        const given = argument.idString;
        return stringify({ id: number !== undefined && tableOf(given) === number ? given : null });
      }
      if (operation === "1.0/componentArgument") {
        const { name } = argument;
        return stringify(Object.hasOwn(this.componentArgs, name) ? { value: this.componentArgs[name] } : {});
      }
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
      own.reads(); // The results are of the web's classes.
      if (operation === "storage/storeBlob") return stored(this, argument);
      if (operation === "storage/getBlob") return loaded(this, argument);
      if (operation === "requestFromConvexJson") return own.requestOf(this.ask, argument.convexJson);
      if (operation === "convexJsonFromResponse") {
        this.response = own.checkedResponse(argument.response);
        return {};
      }
      throw new Error(`Unknown JS syscall: ${operation}`);
    }
    // The operations that are settled next, all at once.
    batch() {
      const first = this.queue.slice(0, MOST_TOGETHER);
      const group = TOGETHER[first[0].operation];
      const other = group === undefined ? 1 : first.findIndex(({ operation }) => TOGETHER[operation] !== group);
      return other < 0 ? first : first.slice(0, other);
    }
    // The host answers in the order of the queue, so an operation is sent only when it is known whether the operations
    // before it need the host. Two requests for a query's next document are an example: the first may take the last
    // document that is here.
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
    outbox.push([frame.id, id, operation, call.text]);
    if (ALONE.has(operation)) outbox.at(-1).push(frame.read());
  };

  // Takes the host's answer of a call. The answer of a query is its next documents.
  const answer = (id, good, text) => {
    const call = calls.get(id);
    if (call === undefined) return; // the call's run has ended
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
    if (answer === undefined) {
      const more = query.at < query.items.length;
      if (!more) query.end = true;
      call.resolve(more ? `{"value":${query.items[query.at++]},"done":false}` : '{"value":null,"done":true}');
    } else if (answer.good) {
      if (operation === "1.0/insert") {
        // The first insert creates the table.
        const number = tableOf(parse(answer.text)._id);
        const { tables, numbers } = namespace;
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

  // Advances the run when no microtask is left. Returns who acts next: "again" (this function, after the microtasks),
  // "host", or "loop" (Deno's event loop). `idle`: the event loop has no work left.
  own.advance = (idle) => {
    const frame = stack.at(-1);
    if (frame === undefined) return "host";
    if (frame.outcome?.failed !== undefined) return over(frame, "failed", frame.outcome.failed);
    return kind === "action" ? acted(frame, idle) : transacted(frame, idle);
  };
  const acted = (frame, idle) => {
    if (frame.outcome !== null) return over(frame, "done", frame.outcome.done);
    if (answered.length > 0) {
      settle(answered.shift());
      return "again";
    }
    for (const call of frame.queue.splice(0)) send(call);
    return idle && calls.size === 0 ? over(frame, "stuck", "") : "loop";
  };
  // A query or a mutation ends when all its operations are answered, awaited or not.
  const transacted = (frame, idle) => {
    if (frame.queue.length === 0) {
      if (web.pending > 0) return "loop";
      if (frame.outcome !== null) return over(frame, "done", frame.outcome.done);
      return idle ? over(frame, "stuck", "") : "loop";
    }
    const batch = frame.batch();
    if (!batch.every(ready)) {
      frame.send();
      return "host";
    }
    frame.queue.splice(0, batch.length);
    const streams = new Set();
    for (const call of batch) {
      // In one batch a query gives a document to one request only. Convex refuses a second one in the same way.
      if (streams.has(call.query)) call.answer = { good: false, text: { message: NO_QUERY } };
      if (call.query !== undefined) streams.add(call.query);
      settle(call);
    }
    return "again";
  };
  const over = (frame, operation, payload) => {
    if (kind === "action") unawaited();
    outbox.push([frame.id, 0, operation, payload, frame.read()]);
    stack.pop();
    if (asides.length > 0) makeGlobals(asides.pop());
    if (stack.length === 0) web.end();
    return "host";
  };
  // Whether an action waits for the host, which may answer at any time.
  own.expects = () => kind === "action" && stack.length > 0 && calls.size > 0;
  // An uncaught error fails the running function. In files for Node, the error gets the name of the event
  // (`unhandledRejection`, `uncaughtException`), as in Convex's executor.
  own.rejected = (reason, event) => {
    const frame = stack.at(-1);
    if (frame === undefined) {
      prepared = null;
      return;
    }
    const failed = thrown(reason);
    frame.outcome = { failed: own.node === null ? failed : { ...failed, name: event, data: null } };
    own.wake();
  };
  // Warns of operations that the action did not await: they may not have run.
  const NAMES = { "1.0/storageStore": "storage.store", "1.0/storageGet": "storage.get" };
  const unawaited = () => {
    const open = [...calls.values()].map(({ operation }) => operation).filter((name) => !name.startsWith("http/"));
    if (open.length === 0) return;
    const names = [...new Set(open.map((name) => NAMES[name] ?? name.replace(/^1\.0\/(actions\/)?/, "")))].sort();
    line("WARN", [
      `${open.length} unawaited operation${open.length === 1 ? "" : "s"}: [${names.join(", ")}]. Async operations ` +
        "should be awaited or they might not run. See " +
        "https://docs.convex.dev/functions/actions#dangling-promises for more information.",
    ]);
  };

  const stored = async (frame, { blob, options }) => {
    if (!(blob instanceof Blob)) throw new Error("store() expects a Blob.");
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const argument = { blob: own.base64(bytes), contentType: blob.type, sha256: options?.sha256 };
    return parse(await ask(frame, "1.0/storageStore", stringify(argument)));
  };
  const loaded = async (frame, { storageId }) => {
    const found = parse(await ask(frame, "1.0/storageGet", stringify({ storageId })));
    return found === null ? null : new Blob([own.unbase64(found.blob)], { type: found.contentType ?? "" });
  };

  // As in Convex, modules that are evaluated see the time and the random numbers of their push.
  const imported = async (load, path, { now, seed }) => {
    const before = [web.clock, own.seeded(), web.importing];
    web.clock = now;
    web.importing = true;
    own.seed(seed);
    try {
      return await load(path);
    } finally {
      [web.clock, , web.importing] = before;
      own.seed(before[1]);
    }
  };

  // The operations for one set of instances. They go through `place.frame`, because a prepared set gets its frame later.
  const reaching = (place) => ({
    syscall: (operation, text) => place.frame.syscall(operation, text),
    asyncSyscall: (operation, text) => place.frame.asyncSyscall(operation, text),
    jsSyscall: (operation, argument) => place.frame.jsSyscall(operation, argument),
  });
  const mayLoad = () => {
    if (kind !== "action") throw new TypeError("dynamic module import unsupported");
  };
  const placed = (frame) => {
    const place = { frame };
    const Convex = reaching(place);
    return { place, Convex, load: own.instances(Convex, mayLoad) };
  };

  // The modules of the last function, evaluated in advance for its next run, under the conditions of that run. The host
  // says if the next run is another one; see `own.forget`.
  let last = null;
  let prepared = null;
  let untested = false; // whether it is not tested yet that preparing left nothing
  own.prepare = () => {
    prepared = null;
    if (last === null || last.kind === "action" || own.node !== null) return false;
    web.begin(last.kind, null);
    own.beginClock(last.imported.now);
    own.beginLines();
    preparing = new Frame(0); // stays in its import phase, and so refuses operations
    const made = { ...placed(preparing), done: false };
    preparing.environment = last.environment;
    preparing.Convex = made.Convex;
    prepared = made;
    imported(made.load, last.path, last.imported).then(() => void (made.done = true), () => {});
    return true;
  };
  // Returns whether there are modules for the next run.
  own.endPreparing = () => {
    preparing = null;
    web.end();
    if (prepared?.done !== true || own.hasLines() || own.hasEntries() || web.pending > 0) prepared = null;
    return (untested = prepared !== null);
  };
  own.forget = () => {
    const before = untested;
    [prepared, untested] = [null, false];
    return before ? own.clean() : "";
  };
  const instancesOf = (frame, request) => {
    const found = prepared;
    if (!request.outermost || found === null) return placed(frame);
    [prepared, untested] = [null, false];
    frame.target = found.place.frame.target; // the modules have already added listeners to it
    found.place.frame = frame;
    return found;
  };

  const run = async (frame, { path, name, kind, args, requestId, load, ...request }) => {
    const exports = await imported(load, path, request.imported);
    const called = exports[name];
    frame.importing = false;
    if (request.http !== undefined) {
      await own.route(called, request.http, frame.ask, () => frame.response);
      return "null";
    }
    if (kind === "query") return await called.invokeQuery(args);
    if (kind === "mutation") return await called.invokeMutation(args);
    return await called.invokeAction(requestId, args);
  };

  // A called function does not see the properties that its caller added to the global object. They return when the called
  // function ends. The code here uses neither iterators nor methods, because functions can change those.
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, defineProperty, deleteProperty } = Reflect;
  const { is, hasOwn, getOwnPropertyDescriptors: descriptorsOf } = Object;
  let fresh = {};
  own.keepGlobals = () => void (fresh = descriptorsOf(globalThis));
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
      ({ kind } = request);
      const { path, environment, imported } = request;
      last = request.http === undefined ? { path, kind, environment, imported } : null;
      namespace = { tables: request.tables, numbers: new Set(Object.values(request.tables)) };
      own.setEnvironment?.(environment);
      if (kind === "action") own.reads(); // Requests, timers and the network are reached in other ways, too.
      web.begin(request.outermostKind, kind === "action" ? null : request.now);
      own.beginClock(request.imported.now, request.real);
      own.seed(request.seed);
      own.beginLines();
      own.clear();
    } else {
      asides.push(descriptorsOf(globalThis));
      makeGlobals(fresh);
    }
    frame.environment = request.environment;
    frame.componentArgs = request.componentArgs;
    stack.push(frame);
    frame.snapshot = request.snapshot;
    const { load, Convex } = instancesOf(frame, request);
    frame.Convex = Convex;
    const end = (outcome) => {
      frame.outcome ??= outcome;
      own.wake();
    };
    run(frame, { ...request, load })
      .then((result) => end({ done: bounded(String(result), "The return value is") }))
      .catch((error) => end({ failed: thrown(error) }));
  };
  own.clear = () => {
    calls.clear();
    asides.length = 0;
    [stack, answered] = [[], []];
  };

  const verbs = { start, settle: answer };
  own.step = (instructions) => {
    for (const [verb, ...rest] of instructions) verbs[verb](...rest);
  };
}
