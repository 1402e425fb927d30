// The web's globals for functions: Deno's, without those that Convex lacks, each with the parts that Convex has in
// queries, in mutations, in actions, and while modules are evaluated.
(own) => {
  "use strict";
  const LANGUAGE = `AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean
    DataView Date DisposableStack Error EvalError Float16Array Float32Array Float64Array Function Infinity Int16Array
    Int32Array Int8Array Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect
    RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array
    Uint8ClampedArray WeakMap WeakSet WebAssembly decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis
    isFinite isNaN parseFloat parseInt undefined unescape`;
  const WEB = `AbortController AbortSignal Blob ByteLengthQueuingStrategy CompressionStream CountQueuingStrategy Crypto
    CryptoKey CustomEvent DOMException DecompressionStream ErrorEvent Event EventTarget File FormData Headers
    ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest
    ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder
    TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern
    URLSearchParams WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa crypto
    queueMicrotask structuredClone`;
  const kept = new Set(`${LANGUAGE} ${WEB}`.split(/\s+/));
  const hidden = { writable: true, configurable: true, enumerable: false };
  const { defineProperty } = Object;
  const put = (name, value) => defineProperty(globalThis, name, { value, ...hidden });

  const { fetch, setTimeout, setInterval, clearTimeout, AbortController, AbortSignal, DOMException, Request, EventTarget } = globalThis;
  const { Date: RealDate } = globalThis;
  const { NotCapable } = own.deno.errors;
  const addGlobalListener = globalThis.addEventListener.bind(globalThis);

  // The state of one run. `kind`: the kind of the function that was called from outside; "" if none runs.
  // `analyzing`: whether modules are evaluated for their analysis.
  const run = { kind: "", importing: false, analyzing: false, clock: 0, ended: null, timers: new Map(), lastTimer: 0 };
  own.web = run;

  const HELP = "Please consider using an action. See https://docs.convex.dev/functions/actions for more details.";
  const onlyInActions = (what) => {
    if (run.kind !== "action") throw new Error(`Can't use ${what} in queries and mutations. ${HELP}`);
  };

  // Timers and the network: Deno's, for actions. Pending ones end with the action.

  const timer = (name, start, repeats) => (job, delay = 0, ...rest) => {
    onlyInActions(name);
    if (typeof job !== "function") throw new TypeError(`${name} wants a function.`);
    const { timers } = run;
    const id = ++run.lastTimer;
    const due = () => {
      if (!repeats) timers.delete(id);
      try {
        job(...rest);
      } catch (error) {
        own.rejected(error);
      }
    };
    timers.set(id, start(due, Math.max(0, Number(delay) || 0)));
    return id;
  };
  const later = timer("setTimeout", setTimeout, false);
  const clear = (id) => {
    clearTimeout(run.timers.get(id));
    run.timers.delete(id);
  };
  put("setTimeout", (job, delay, ...rest) => later(job, delay, ...rest));
  put("setInterval", timer("setInterval", setInterval, true));
  put("clearTimeout", (id) => clear(id));
  put("clearInterval", (id) => clear(id));
  AbortSignal.timeout = (milliseconds) => {
    const controller = new AbortController();
    later(() => controller.abort(new DOMException("Signal timed out.", "TimeoutError")), milliseconds);
    return controller.signal;
  };

  const fetched = async (input, init) => {
    onlyInActions("fetch()");
    const request = new Request(input, init);
    if (!/^https?:/.test(request.url)) throw new TypeError(`fetch failed: ${request.url.slice(0, 200)} is no http address`);
    run.ended ??= new AbortController();
    const signal = AbortSignal.any([request.signal, run.ended.signal]);
    try {
      return await fetch(request, { signal });
    } catch (error) {
      throw error instanceof NotCapable ? own.refusal(error, request.url) : error;
    }
  };
  put("fetch", (input, init) => fetched(input, init));

  run.begin = (kind, clock) => {
    Object.assign(run, { kind, clock, importing: false });
    run.ended = null;
    run.timers = new Map();
  };
  run.end = () => {
    run.kind = "";
    for (const id of [...run.timers.keys()]) clear(id);
    run.ended?.abort();
  };

  // Cryptography is Deno's, except while modules are evaluated. Convex's answers synchronously, so a function does not end
  // while it waits for an answer.
  run.pending = 0;
  const guarded = (given) => function (...parts) {
    if (run.analyzing) throw new Error("Can't use crypto while importing a module.");
    return apply(given, this, parts);
  };
  const counted = (given) => async function (...parts) {
    if (run.analyzing) throw new Error("Can't use crypto while importing a module.");
    run.pending++;
    try {
      return await apply(given, this, parts);
    } finally {
      run.pending--;
      own.wake();
    }
  };
  const { apply } = Reflect;
  const { includes } = Array.prototype;
  const replace = (prototype, names, made) => {
    for (const name of names) {
      const property = Object.getOwnPropertyDescriptor(prototype, name);
      if (typeof property.value !== "function" || name === "constructor") continue;
      const value = defineProperty(made(property.value), "name", { value: name });
      defineProperty(prototype, name, { ...property, value });
    }
  };
  replace(Crypto.prototype, ["getRandomValues", "randomUUID"], guarded);
  replace(SubtleCrypto.prototype, Object.getOwnPropertyNames(SubtleCrypto.prototype), counted);

  // Code that is made from texts can't import, because Deno would import modules that are not the app's. (The linker
  // replaces imports in modules.)
  const { construct, getPrototypeOf, setPrototypeOf } = Reflect;
  const { exec } = RegExp.prototype;
  const checked = (text) => {
    if (apply(exec, /(?<![\w$])import(?![\w$])/, [text]) !== null) throw new EvalError("Code that is made of a text can't import.");
    return text;
  };
  const makers = [function () {}, async function () {}, function* () {}, async function* () {}];
  let above = null;
  for (const prototype of makers.map((made) => getPrototypeOf(made))) {
    const given = prototype.constructor;
    const maker = function (...parts) {
      const texts = [];
      for (let i = 0; i < parts.length; i++) texts[i] = checked(`${parts[i]}`);
      return construct(given, texts, new.target === undefined || new.target === maker ? given : new.target);
    };
    for (const name of ["name", "length", "prototype"]) {
      defineProperty(maker, name, Object.getOwnPropertyDescriptor(given, name));
    }
    if (above !== null) setPrototypeOf(maker, above);
    above ??= maker;
    const constructor = Object.getOwnPropertyDescriptor(prototype, "constructor");
    defineProperty(prototype, "constructor", { ...constructor, value: maker });
  }
  put("Function", above);
  const evaluate = globalThis.eval;
  put("eval", (text) => evaluate(typeof text === "string" ? checked(text) : text));

  // Convex's accepts one padding character in place of two.
  const { atob } = globalThis;
  const HALF_PADDED = /^(?:[\w+/-]{4})*[\w+/-]{2}=$/;
  put("atob", (given) => {
    const text = `${given}`;
    return atob(apply(exec, HALF_PADDED, [text]) === null ? text : `${text}=`);
  });
  // The parts of WebAssembly that Convex has. These two take the result of `fetch`.
  delete WebAssembly.compileStreaming;
  delete WebAssembly.instantiateStreaming;

  // These never report garbage collection, because runs would differ by it.
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

  // Everything else is removed, because every function can reach the rest.
  own.listen(addGlobalListener);
  // Deno keeps who listens to its own events at the global object, where a function could add itself.
  const fixed = (value) => {
    if (typeof value !== "object" || value === null) return;
    Object.values(value).forEach(fixed);
    Object.freeze(value);
  };
  for (const symbol of Object.getOwnPropertySymbols(globalThis)) fixed(globalThis[symbol]);
  const mine = ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "fetch"];
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!kept.has(name) && !mine.includes(name)) delete globalThis[name];
  }
  // Deno dispatches its own events at the global object. Functions don't receive them: their listeners belong to one call
  // and are kept elsewhere, see run.js.
  const DENOS = ["load", "beforeunload", "unload", "error", "unhandledrejection", "rejectionhandled"];
  const denos = globalThis.dispatchEvent;
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
    const method = EventTarget.prototype[name];
    const listening = {
      [name]: (...parts) => {
        const denosOwn = name === "dispatchEvent" && apply(includes, DENOS, [parts[0]?.type]);
        return denosOwn ? apply(denos, globalThis, parts) : apply(method, run.target(), parts);
      },
    };
    put(name, listening[name]);
  }
  put("self", globalThis);
  Object.assign(globalThis, { FinalizationRegistry, WeakRef });
  for (const [name, value] of Object.entries({ AsyncLocalStorage: own.AsyncLocalStorage, AsyncResource: own.AsyncResource })) {
    put(name, value);
  }
}
