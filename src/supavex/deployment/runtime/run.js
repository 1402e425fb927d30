// Runs pushed functions: begins those that the host names, hands on what they ask for, and settles it when it is
// answered. What goes to the host: [frame, call, operation, arguments], and for some: what their queries have read.
(own) => {
  "use strict";
  const { stringify, parse } = JSON;
  const { outbox, web, thrown, line } = own;
  const { Blob, EventTarget } = globalThis;
  let kind = "query"; // of the function that was called from outside
  // The tables that are visible: their numbers by name. All that runs at the same time here is of one component.
  let namespace = null;
  let preparing = null; // a frame of nobody's, while modules are evaluated for the next run
  // No more than Convex has of it: names can be read, and neither listed nor looked for.
  const variable = (target, name) => {
    if (typeof name !== "string") return target[name];
    const environment = (stack.at(-1) ?? preparing)?.environment;
    if (environment !== undefined && Object.hasOwn(environment, name)) return environment[name];
    return name === "inspect" ? () => "[process.env]" : undefined;
  };
  if (own.node === null) Object.assign(globalThis, { process: { env: new Proxy({}, { get: variable }) } });

  // What the running function reaches the deployment by: packages look for it here, too.
  Object.defineProperty(globalThis, "Convex", { get: () => (stack.at(-1) ?? preparing)?.Convex, configurable: true });

  // What is longer than this breaks a limit for certain, and the host need not see it.
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
  const asides = []; // see below: what functions have made of the global object that wait for others
  let lastCall = 0;
  let stack = []; // frames: each is called by the one before it
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
      this.response = null;
      this.target = null; // what listens at the global object, where anything does
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
      if (operation === "1.0/queryCleanup") return "true"; // what it has read is told at the frame's end
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
    outbox.push([frame.id, id, operation, call.text]);
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
    if (answer === undefined) {
      const more = query.at < query.items.length;
      if (!more) query.end = true;
      call.resolve(more ? `{"value":${query.items[query.at++]},"done":false}` : '{"value":null,"done":true}');
    } else if (answer.good) {
      if (operation === "1.0/insert") {
        // The first document of a table makes it.
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

  // Goes on, where no microtask is left. What follows: "again", where something came of it that may go on; "host",
  // whose turn it is; "loop", where only Deno's event loop brings anything. `idle`: it brings nothing any more.
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
  // A query or a mutation is over when nothing is left that it has asked for, be that awaited or not.
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
      // A query that gives a document to one is not there for another at that moment.
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
  // What nobody has caught fails the function that runs. In files for Node its name is what has become of it, as Convex's
  // executor has it.
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
  // What an action has not waited for is not done, or nobody knows.
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

  // While modules are evaluated, time and chance are those of their push, as with Convex.
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

  // What reaches the deployment, for the functions of one set of instances: by the frame that runs them, which a set
  // that is prepared does not have yet.
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

  // The modules of the function that ran last, evaluated for its next run while nobody waits. They see what they would
  // see then. The host says so if the next run is another one; see `own.forget`.
  let last = null;
  let prepared = null;
  let untested = false; // what preparing has left
  own.prepare = () => {
    prepared = null;
    if (last === null || last.kind === "action" || own.node !== null) return false;
    web.begin(last.kind, null);
    own.beginClock(last.imported.now);
    own.beginLines();
    preparing = new Frame(0); // it imports for ever, and so refuses what is asked of it
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
    frame.target = found.place.frame.target; // where its modules have begun to listen
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

  // A function that another one calls has a global object without what that one has put there, which comes back when
  // the called one is over. Neither iterators nor methods here, for a function may have changed them.
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
