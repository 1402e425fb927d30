// Tests whether a run has left everything unchanged.
(own) => {
  "use strict";
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, defineProperty } = Reflect;
  // Names and symbols are listed separately, because V8 takes three times as long for all keys at once.
  const { freeze, is, getOwnPropertyNames: namesOf, getOwnPropertySymbols: symbolsOf } = Object;

  // Everything that two runs can both see must be unchanged: all objects that are reachable from the global object, and
  // by syntax alone. The code here must not use anything that a function can change: no iterators, no methods.

  const hidden = [function* () {}, async function () {}, async function* () {}, [].keys(), new Map().keys(),
    new Set().keys(), ""[Symbol.iterator](), "".matchAll(/a/g), Iterator.from({ next() {} }), [].values().map(() => 1)]
    .map((value) => getPrototypeOf(value));
  // The iterators' prototypes of the web's and Intl's objects. No app changes these, so they are frozen and not tested.
  const segments = new Intl.Segmenter().segment("");
  const streamed = new ReadableStream().values();
  const frozen = new Set([segments, segments[Symbol.iterator](), new Headers().keys(), new FormData().keys(),
    new URLSearchParams().keys(), streamed].map((value) => getPrototypeOf(value)));

  // What a query or a mutation reaches only by reading one of these globals is tested only after one was read. Each of
  // them becomes an accessor, as some of Deno's globals are. Nothing that is reachable otherwise may return an instance of
  // their classes, except where it calls `own.reads`.
  const RARE = `AbortController AbortSignal Blob ByteLengthQueuingStrategy CompressionStream CountQueuingStrategy Crypto
    CryptoKey CustomEvent DOMException DecompressionStream ErrorEvent Event EventTarget File FormData Headers
    ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest
    ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder
    TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern
    URLSearchParams WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa crypto
    structuredClone fetch setTimeout setInterval clearTimeout
    clearInterval performance Performance PerformanceEntry PerformanceMark PerformanceMeasure AsyncLocalStorage
    AsyncResource Intl WebAssembly`.split(/\s+/);
  let read = false;
  own.reads = () => void (read = true);
  const watched = (name) => {
    const value = globalThis[name];
    const { enumerable } = getOwnPropertyDescriptor(globalThis, name);
    const property = {
      get [name]() {
        read = true;
        return value;
      },
      set [name](value) {
        defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
      },
    };
    const { get, set } = getOwnPropertyDescriptor(property, name);
    defineProperty(globalThis, name, { get, set, enumerable, configurable: true });
    return value;
  };

  let kept = []; // reachable without a read of a rare global
  let rare = []; // all the rest
  own.keep = () => {
    // Not for Node: such a process runs only one action, and it reads all of Node's globals.
    const watchable = own.node === null ? RARE.map(watched) : [];
    own.keepGlobals();
    const seen = new Set();
    // Deno makes some classes at their first use, in a getter. Reading some of Node's globals never ends.
    const globals = own.node === null ? ownKeys(globalThis).filter((key) => !RARE.includes(key)).map((key) => globalThis[key]) : [];
    kept = reached([globalThis, ...hidden, ...globals], seen);
    rare = reached([...watchable, ...frozen], seen);
    read = own.node !== null;
  };
  const reached = (roots, seen) => {
    const [queue, records] = [[], []];
    const reach = (value) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
      seen.add(value);
      queue.push(value);
    };
    roots.forEach(reach);
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
      // Apps replace methods, but never change a method object, so it is frozen and not tested. A process for Node runs
      // one action, and Node's packages do change some.
      const method = typeof object === "function" && object !== Function.prototype && !names.includes("prototype");
      if (own.node === null && (method || frozen.has(object))) {
        freeze(object);
        continue;
      }
      const extensible = isExtensible(object);
      records.push({ object, prototype, extensible, names, values, accessors, getters, setters });
    }
    return records;
  };
  const unchanged = ({ object, prototype, extensible, names, values, accessors, getters, setters }) => {
    if (getPrototypeOf(object) !== prototype || isExtensible(object) !== extensible) return false;
    if (namesOf(object).length + symbolsOf(object).length !== names.length + accessors.length) return false;
    // Without reading the value, because a getter may count reads.
    for (let i = 0; i < names.length; i++) {
      const property = getOwnPropertyDescriptor(object, names[i]);
      if (property === undefined || property.get !== undefined || !is(property.value, values[i])) return false;
    }
    for (let i = 0; i < accessors.length; i++) {
      const property = getOwnPropertyDescriptor(object, accessors[i]);
      if (property === undefined || property.get !== getters[i] || property.set !== setters[i]) return false;
    }
    return true;
  };
  own.clean = () => {
    for (let i = 0; i < kept.length; i++) if (!unchanged(kept[i])) return "changed";
    if (read) for (let i = 0; i < rare.length; i++) if (!unchanged(rare[i])) return "changed";
    read = own.node !== null;
    own.clear();
    own.outbox.length = 0;
    /(?:)/.test(""); // Otherwise the next run would see the last match.
    return "";
  };
}
