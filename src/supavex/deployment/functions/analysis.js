// What pushed modules find when they are imported: Convex's globals, as far as importing needs them, and the modules.
"use strict";
{
  const refuse = (what) => () => {
    throw new Error(`Can't use ${what} while importing a module.`);
  };
  const env = globalThis.__environment ?? {};
  delete globalThis.__environment;
  globalThis.queueMicrotask ??= (job) => void Promise.resolve().then(job);
  // An auth.config.ts that reads a variable which is not set is refused, with words that the official CLI looks for.
  let strict = false;
  const variables = new Proxy({ ...env }, {
    get: (target, name) => {
      if (strict && typeof name === "string" && target[name] === undefined) {
        throw new Error(`Environment variable ${name} is used in auth config file but its value was not set`);
      }
      return target[name];
    },
  });
  globalThis.process = { env: variables, version: "", platform: "convex", nextTick: queueMicrotask };
  globalThis.self = globalThis;
  globalThis.global = globalThis;
  globalThis.Convex = {
    syscall: refuse("the database"),
    asyncSyscall: refuse("the database"),
    jsSyscall: refuse("the database"),
  };
  // A timer that is set while importing never comes: the process ends before.
  globalThis.setTimeout = globalThis.setInterval = () => 0;
  globalThis.clearTimeout = globalThis.clearInterval = () => {};
  globalThis.fetch = () => Promise.reject(new Error("Can't use fetch() while importing a module."));

  class TextEncoder {
    encode(text = "") {
      const bytes = [];
      for (const character of String(text)) {
        let code = character.codePointAt(0);
        if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
        if (code < 0x80) bytes.push(code);
        else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
        else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
        else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      }
      return new Uint8Array(bytes);
    }
  }
  class TextDecoder {
    decode(input = new Uint8Array()) {
      const bytes = ArrayBuffer.isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
      let text = "";
      for (const byte of bytes) text += `%${byte.toString(16).padStart(2, "0")}`;
      try {
        return decodeURIComponent(text);
      } catch {
        return String.fromCharCode(...bytes);
      }
    }
  }
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  globalThis.btoa ??= (text) => {
    let out = "";
    for (let i = 0; i < text.length; i += 3) {
      const [a, b, c] = [text.charCodeAt(i), text.charCodeAt(i + 1), text.charCodeAt(i + 2)];
      out += digits[a >> 2] + digits[((a & 3) << 4) | (b >> 4)];
      out += i + 1 < text.length ? digits[((b & 15) << 2) | (c >> 6)] : "=";
      out += i + 2 < text.length ? digits[c & 63] : "=";
    }
    return out;
  };
  globalThis.atob ??= (text) => {
    let out = "";
    let bits = 0;
    let size = 0;
    for (const character of String(text).replace(/[=\s]/g, "")) {
      bits = (bits << 6) | digits.indexOf(character);
      size += 6;
      if (size >= 8) out += String.fromCharCode((bits >> (size -= 8)) & 255);
    }
    return out;
  };
  // Importing may make such things; using them is for functions that run.
  class Stub {
    constructor(...parts) {
      this.parts = parts;
    }
  }
  class URL extends Stub {
    constructor(url, base) {
      super();
      this.href = base === undefined ? String(url) : String(base).replace(/\/[^/]*$/, "/") + String(url);
      const match = /^([a-z][a-z0-9+.-]*:)(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(this.href);
      if (match === null) throw new TypeError(`Invalid URL: '${url}'`);
      [, this.protocol, this.host = "", this.pathname, this.search = "", this.hash = ""] = match;
      this.origin = `${this.protocol}//${this.host}`;
      this.hostname = this.host.replace(/:\d+$/, "");
    }
    toString() {
      return this.href;
    }
  }
  const stubs = ["URLSearchParams", "Blob", "File", "Headers", "FormData", "Request", "Response", "ReadableStream",
    "WritableStream", "TransformStream", "AbortController", "AbortSignal", "Event", "EventTarget", "CustomEvent",
    "AsyncLocalStorage", "MessageChannel", "WebSocket"];
  for (const name of stubs) globalThis[name] ??= class extends Stub {};
  globalThis.URL ??= URL;
  globalThis.TextEncoder ??= TextEncoder;
  globalThis.TextDecoder ??= TextDecoder;
  globalThis.structuredClone ??= (value) => JSON.parse(JSON.stringify(value));
  globalThis.crypto ??= { getRandomValues: refuse("crypto"), randomUUID: refuse("crypto"), subtle: {} };
  globalThis.performance ??= { now: () => 0, mark() {}, measure() {} };

  // Node's own modules: enough to import a file for actions in Node, whose functions don't run here.
  const anything = new Proxy(function () {}, {
    get: (target, key) => (key === Symbol.toPrimitive ? () => "" : key === "then" ? undefined : anything),
    apply: () => anything,
    construct: () => anything,
  });

  const modules = new Map();
  globalThis.__define = (path, requires, imports, body) => modules.set(path, { path, requires, imports, body, exports: {} });

  const load = async (path) => {
    const module = modules.get(path);
    if (module === undefined) throw new Error(`Could not find the module ${path}.`);
    if (module.started) return module.exports;
    module.started = true;
    for (const required of module.requires) if (!required.startsWith("node:")) await load(required);
    const scope = Object.create(null);
    for (const [local, [from, name]] of Object.entries(module.imports)) {
      const get = from.startsWith("node:")
        ? () => anything
        : () => (name === "*" ? modules.get(from).exports : modules.get(from).exports[name]);
      Object.defineProperty(scope, local, { get });
    }
    const define = (getters) => {
      for (const [name, get] of Object.entries(getters)) {
        Object.defineProperty(module.exports, name, { get, enumerable: true });
      }
    };
    await module.body(scope, define);
    return module.exports;
  };

  const functionOf = (name, value) => {
    const kinds = [["isQuery", "Query"], ["isMutation", "Mutation"], ["isAction", "Action"]];
    const found = kinds.filter(([flag]) => value[flag] === true);
    if (found.length !== 1 || (value.isPublic === true) === (value.isInternal === true)) return null;
    return {
      name,
      pos: null,
      udfType: found[0][1],
      visibility: { kind: value.isPublic === true ? "public" : "internal" },
      args: typeof value.exportArgs === "function" ? value.exportArgs() : null,
      returns: typeof value.exportReturns === "function" ? value.exportReturns() : null,
    };
  };

  const analyzed = (path, exports) => {
    const result = { functions: [], httpRoutes: null, cronSpecs: null, sourceMapped: null };
    for (const name of Object.keys(exports)) {
      const value = exports[name];
      if (value === null || (typeof value !== "function" && typeof value !== "object")) continue;
      const found = functionOf(name, value);
      if (found !== null) result.functions.push(found);
    }
    if (path === "http.js") {
      if (exports.default?.isRouter !== true) {
        throw new Error("The default export of `convex/http.ts` is not a Router.");
      }
      result.httpRoutes = exports.default.getRoutes().map(([path, method]) => ({ route: { path, method }, pos: null }));
    }
    if (path === "crons.js") {
      if (exports.default?.isCrons !== true) {
        throw new Error("The default export of `convex/crons.ts` is not a Crons object.");
      }
      result.cronSpecs = Object.entries(JSON.parse(exports.default.export()));
    }
    return result;
  };

  const providersOf = (exports) => {
    const providers = exports.default?.providers;
    if (!Array.isArray(providers)) {
      throw new Error("The default export of `convex/auth.config.ts` has no list of providers.");
    }
    return JSON.parse(JSON.stringify(providers));
  };

  const schemaOf = (exports) => {
    const schema = exports.default;
    if (schema === undefined) return { missing: true };
    if (typeof schema?.export !== "function") return { invalid: true };
    return { text: schema.export() };
  };

  // Whatever is thrown: reading it may throw again.
  const said = (read, otherwise) => {
    try {
      return String(read());
    } catch {
      return otherwise;
    }
  };
  const failure = (path, error) => ({
    module: path,
    name: said(() => error?.name ?? "Error", "Error"),
    message: said(() => error?.message ?? error, "something that can't be read was thrown"),
    stack: said(() => error?.stack ?? "", ""),
  });

  globalThis.__evaluate = async (request) => {
    const answer = { functions: {}, schema: null, auth: [], config: null, failure: null };
    for (const path of request.modules) {
      try {
        strict = path === "auth.config.js";
        const exports = await load(path);
        if (path === request.schema) answer.schema = schemaOf(exports);
        else if (path === "auth.config.js") answer.auth = providersOf(exports);
        else if (path === request.definition) {
          const definition = exports.default;
          answer.config = typeof definition?.export === "function" ? definition.export() : null;
        } else answer.functions[path] = analyzed(path, exports);
      } catch (error) {
        answer.failure = failure(path, error);
        break;
      }
    }
    return JSON.stringify(answer);
  };
}
