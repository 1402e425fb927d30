// What V8 alone does not have of the web's globals: texts and bytes, addresses, files, headers, events.
"use strict";
{
  globalThis.self = globalThis;
  globalThis.global = globalThis;
  globalThis.queueMicrotask ??= (job) => void Promise.resolve().then(job);
  delete globalThis.WebAssembly;

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(text = "") {
      const source = String(text).toWellFormed();
      const bytes = new Uint8Array(source.length * 3);
      let at = 0;
      for (const character of source) {
        const code = character.codePointAt(0);
        if (code < 0x80) bytes[at++] = code;
        else if (code < 0x800) {
          bytes[at++] = 0xc0 | (code >> 6);
          bytes[at++] = 0x80 | (code & 63);
        } else if (code < 0x10000) {
          bytes[at++] = 0xe0 | (code >> 12);
          bytes[at++] = 0x80 | ((code >> 6) & 63);
          bytes[at++] = 0x80 | (code & 63);
        } else {
          bytes[at++] = 0xf0 | (code >> 18);
          bytes[at++] = 0x80 | ((code >> 12) & 63);
          bytes[at++] = 0x80 | ((code >> 6) & 63);
          bytes[at++] = 0x80 | (code & 63);
        }
      }
      return bytes.slice(0, at);
    }
    encodeInto(text, target) {
      const bytes = this.encode(text);
      target.set(bytes.subarray(0, target.length));
      return { read: text.length, written: Math.min(bytes.length, target.length) };
    }
  }

  const bytesOf = (data) => {
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new TypeError("expected bytes: an ArrayBuffer or a view of one");
  };

  class TextDecoder {
    constructor(label = "utf-8", options = {}) {
      if (!/^(utf-?8|unicode-1-1-utf-8)$/i.test(String(label).trim())) {
        throw new RangeError(`The encoding ${label} is not supported.`);
      }
      this.encoding = "utf-8";
      this.fatal = options.fatal === true;
      this.ignoreBOM = options.ignoreBOM === true;
    }
    decode(input = new Uint8Array()) {
      const bytes = bytesOf(input);
      const parts = [];
      let at = !this.ignoreBOM && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
      let text = "";
      while (at < bytes.length) {
        const first = bytes[at++];
        if (first < 0x80) {
          text += String.fromCharCode(first);
        } else {
          // How many more bytes, and what the second of them may be: no overlong forms, no surrogates.
          let more = 0;
          let low = 0x80;
          let high = 0xbf;
          let code = 0;
          if (first >= 0xc2 && first <= 0xdf) [more, code] = [1, first & 31];
          else if (first >= 0xe0 && first <= 0xef) {
            [more, code] = [2, first & 15];
            if (first === 0xe0) low = 0xa0;
            if (first === 0xed) high = 0x9f;
          } else if (first >= 0xf0 && first <= 0xf4) {
            [more, code] = [3, first & 7];
            if (first === 0xf0) low = 0x90;
            if (first === 0xf4) high = 0x8f;
          }
          let whole = more > 0;
          for (; whole && more > 0; more--) {
            if (at < bytes.length && bytes[at] >= low && bytes[at] <= high) {
              code = (code << 6) | (bytes[at++] & 63);
              [low, high] = [0x80, 0xbf];
            } else whole = false;
          }
          if (!whole && this.fatal) throw new TypeError("The encoded data was not valid utf-8.");
          text += whole ? String.fromCodePoint(code) : "\ufffd";
        }
        if (text.length > 8192) {
          parts.push(text);
          text = "";
        }
      }
      return parts.join("") + text;
    }
  }

  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const base64 = (bytes) => {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const [a, b, c] = [bytes[i], bytes[i + 1] ?? 0, bytes[i + 2] ?? 0];
      out += digits[a >> 2] + digits[((a & 3) << 4) | (b >> 4)];
      out += i + 1 < bytes.length ? digits[((b & 15) << 2) | (c >> 6)] : "=";
      out += i + 2 < bytes.length ? digits[c & 63] : "=";
    }
    return out;
  };
  const unbase64 = (text) => {
    const bytes = [];
    let bits = 0;
    let size = 0;
    for (const character of text.replace(/=+$/, "")) {
      const digit = digits.indexOf(character);
      if (digit < 0) throw new DOMException("The string is not correctly encoded.", "InvalidCharacterError");
      bits = ((bits << 6) | digit) & 0xffffff;
      size += 6;
      if (size >= 8) bytes.push((bits >> (size -= 8)) & 255);
    }
    return new Uint8Array(bytes);
  };
  globalThis.btoa = (text) => {
    const units = Array.from(String(text), (character) => character.charCodeAt(0));
    if (units.some((unit) => unit > 255)) {
      throw new DOMException("The string contains characters outside of Latin1.", "InvalidCharacterError");
    }
    return base64(units);
  };
  globalThis.atob = (text) => {
    let out = "";
    for (const byte of unbase64(String(text).replace(/[\t\n\f\r ]/g, ""))) out += String.fromCharCode(byte);
    return out;
  };

  class DOMException extends Error {
    constructor(message = "", name = "Error") {
      super(message);
      Object.defineProperty(this, "name", { value: name, configurable: true });
    }
  }

  // Addresses

  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const percent = (text, kept) => {
    let out = "";
    for (const byte of encoder.encode(text)) {
      const character = String.fromCharCode(byte);
      out += kept.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    }
    return out;
  };
  const unpercent = (text) => {
    if (!text.includes("%")) return text;
    const bytes = [];
    for (let i = 0; i < text.length; ) {
      const hex = /^%([0-9a-f]{2})/i.exec(text.slice(i, i + 3));
      if (hex !== null) {
        bytes.push(parseInt(hex[1], 16));
        i += 3;
      } else {
        const character = String.fromCodePoint(text.codePointAt(i));
        bytes.push(...encoder.encode(character));
        i += character.length;
      }
    }
    return decoder.decode(new Uint8Array(bytes));
  };
  const IN_FORM = /[A-Za-z0-9*._-]/;
  const IN_PATH = /[A-Za-z0-9!$%&'()*+,\-./:;=@[\\\]^_|~]/;
  const IN_QUERY = /[A-Za-z0-9!$%&()*+,\-./:;=?@[\\\]^_`{|}~]/;

  class URLSearchParams {
    #pairs = [];
    #changed = () => {};
    constructor(init = "", changed = undefined) {
      if (changed !== undefined) this.#changed = changed;
      if (typeof init === "object" && init !== null) {
        const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
        for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)]);
        return;
      }
      for (const part of String(init).replace(/^\?/, "").split("&")) {
        if (part === "") continue;
        const [, name, value = ""] = /^([^=]*)=?([^]*)$/.exec(part.replaceAll("+", " "));
        this.#pairs.push([unpercent(name), unpercent(value)]);
      }
    }
    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      this.#pairs.push([String(name), String(value)]);
      this.#changed(this);
    }
    delete(name, value) {
      this.#pairs = this.#pairs.filter(([n, v]) => n !== String(name) || (value !== undefined && v !== String(value)));
      this.#changed(this);
    }
    get(name) {
      return this.#pairs.find(([n]) => n === String(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#pairs.filter(([n]) => n === String(name)).map(([, value]) => value);
    }
    has(name, value) {
      return this.#pairs.some(([n, v]) => n === String(name) && (value === undefined || v === String(value)));
    }
    set(name, value) {
      const first = this.#pairs.find(([n]) => n === String(name));
      if (first === undefined) this.#pairs.push([String(name), String(value)]);
      else {
        first[1] = String(value);
        this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== first[0]);
      }
      this.#changed(this);
    }
    sort() {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#changed(this);
    }
    forEach(callback, self) {
      for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }
    *keys() {
      for (const [name] of this.#pairs) yield name;
    }
    *values() {
      for (const [, value] of this.#pairs) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    toString() {
      const form = (text) => percent(text, IN_FORM).replaceAll("%20", "+");
      return this.#pairs.map(([name, value]) => `${form(name)}=${form(value)}`).join("&");
    }
  }

  const PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21" };
  const withoutDots = (path) => {
    const out = [];
    const parts = path.split("/");
    parts.forEach((part, index) => {
      const last = index === parts.length - 1;
      if (/^(\.|%2e)(\.|%2e)$/i.test(part)) {
        if (out.length > 1) out.pop();
        if (last) out.push("");
      } else if (/^(\.|%2e)$/i.test(part)) {
        if (last) out.push("");
      } else out.push(part);
    });
    return out.join("/");
  };

  class URL {
    #protocol = "";
    #username = "";
    #password = "";
    #hostname = "";
    #port = "";
    #pathname = "";
    #search = "";
    #hash = "";
    #authority = false;
    #params;
    constructor(url, base = undefined) {
      let text = String(url).trim();
      if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) {
        if (base === undefined) throw new TypeError(`Invalid URL: '${text}'`);
        const from = new URL(base);
        const root = `${from.protocol}//${from.host}`;
        if (text.startsWith("//")) text = from.protocol + text;
        else if (text.startsWith("/")) text = root + text;
        else if (text.startsWith("?")) text = root + from.pathname + text;
        else if (text.startsWith("#") || text === "") text = root + from.pathname + from.search + text;
        else text = root + from.pathname.replace(/[^/]*$/, "") + text;
      }
      const match = /^([a-z][a-z0-9+.-]*:)(\/\/)?([^]*)$/i.exec(text);
      this.#protocol = match[1].toLowerCase();
      const special = this.#protocol in PORTS || this.#protocol === "file:";
      let rest = match[3];
      [rest, this.#hash] = this.#cut(rest, "#");
      [rest, this.#search] = this.#cut(rest, "?");
      this.#authority = match[2] !== undefined || special;
      if (this.#authority) {
        if (special) rest = rest.replaceAll("\\", "/").replace(match[2] === undefined ? /^\/*/ : /^/, "");
        const slash = rest.indexOf("/");
        const authority = slash < 0 ? rest : rest.slice(0, slash);
        this.#pathname = slash < 0 ? "" : rest.slice(slash);
        const parts = /^(?:([^:@]*)(?::([^@]*))?@)?(\[[0-9a-f:.]+\]|[^:[\]]*)(?::([0-9]*))?$/i.exec(authority);
        const odd = parts === null || (special && parts[3] === "" && this.#protocol !== "file:");
        if (odd || /[\s<>^|%]/.test(parts[3]) || Number(parts[4] ?? 0) > 65535) {
          throw new TypeError(`Invalid URL: '${text}'`);
        }
        this.#username = parts[1] ?? "";
        this.#password = parts[2] ?? "";
        this.#hostname = special ? parts[3].toLowerCase() : parts[3];
        this.port = parts[4] ?? "";
        this.#pathname = percent(withoutDots(special && this.#pathname === "" ? "/" : this.#pathname), IN_PATH);
      } else this.#pathname = rest;
      this.#search = this.#search.length > 1 ? `?${percent(this.#search.slice(1), IN_QUERY)}` : "";
      this.#hash = this.#hash.length > 1 ? `#${percent(this.#hash.slice(1), IN_QUERY)}` : "";
    }
    #cut(text, mark) {
      const at = text.indexOf(mark);
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
    }
    static canParse(url, base) {
      return URL.parse(url, base) !== null;
    }
    static parse(url, base) {
      try {
        return new URL(url, base);
      } catch {
        return null;
      }
    }
    get href() {
      const secret = this.#password === "" ? "" : `:${this.#password}`;
      const user = this.#username === "" && secret === "" ? "" : `${this.#username}${secret}@`;
      const place = this.#authority ? `//${user}${this.host}` : "";
      return `${this.#protocol}${place}${this.#pathname}${this.#search}${this.#hash}`;
    }
    set href(value) {
      const other = new URL(value);
      for (const key of ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"]) {
        this[key] = other[key];
      }
    }
    get origin() {
      return this.#protocol in PORTS ? `${this.#protocol}//${this.host}` : "null";
    }
    get protocol() {
      return this.#protocol;
    }
    set protocol(value) {
      this.#protocol = `${String(value).replace(/:.*$/, "").toLowerCase()}:`;
    }
    get username() {
      return this.#username;
    }
    set username(value) {
      this.#username = percent(String(value), IN_FORM);
    }
    get password() {
      return this.#password;
    }
    set password(value) {
      this.#password = percent(String(value), IN_FORM);
    }
    get host() {
      return this.#port === "" ? this.#hostname : `${this.#hostname}:${this.#port}`;
    }
    set host(value) {
      const [, name, port] = /^(.*?)(?::([0-9]*))?$/.exec(String(value));
      this.#hostname = name.toLowerCase();
      if (port !== undefined) this.port = port;
    }
    get hostname() {
      return this.#hostname;
    }
    set hostname(value) {
      this.#hostname = String(value).toLowerCase();
    }
    get port() {
      return this.#port;
    }
    set port(value) {
      const port = String(value).replace(/^0+(?=[0-9])/, "");
      this.#port = PORTS[this.#protocol] === port ? "" : port;
    }
    get pathname() {
      return this.#pathname;
    }
    set pathname(value) {
      const path = String(value);
      this.#pathname = percent(this.#authority && !path.startsWith("/") ? `/${path}` : path, IN_PATH);
    }
    get search() {
      return this.#search;
    }
    set search(value) {
      const text = String(value).replace(/^\?/, "");
      this.#search = text === "" ? "" : `?${percent(text, IN_QUERY)}`;
      this.#params = undefined;
    }
    get searchParams() {
      this.#params ??= new URLSearchParams(this.#search, (params) => {
        const text = params.toString();
        this.#search = text === "" ? "" : `?${text}`;
      });
      return this.#params;
    }
    get hash() {
      return this.#hash;
    }
    set hash(value) {
      const text = String(value).replace(/^#/, "");
      this.#hash = text === "" ? "" : `#${percent(text, IN_QUERY)}`;
    }
    toString() {
      return this.href;
    }
    toJSON() {
      return this.href;
    }
  }

  // Files

  class Blob {
    #bytes;
    #type;
    constructor(parts = [], options = {}) {
      const pieces = Array.from(parts, (part) => {
        if (part instanceof Blob) return part.#bytes;
        if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) return bytesOf(part).slice();
        return encoder.encode(String(part));
      });
      this.#bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        this.#bytes.set(piece, at);
        at += piece.length;
      }
      const type = String(options.type ?? "");
      this.#type = /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : "";
    }
    get size() {
      return this.#bytes.length;
    }
    get type() {
      return this.#type;
    }
    async bytes() {
      return this.#bytes.slice();
    }
    async arrayBuffer() {
      return this.#bytes.slice().buffer;
    }
    async text() {
      return decoder.decode(this.#bytes);
    }
    slice(start = 0, end = this.size, type = "") {
      return new Blob([this.#bytes.slice(start, end)], { type });
    }
  }
  class File extends Blob {
    constructor(parts, name, options = {}) {
      super(parts, options);
      this.name = String(name);
      this.lastModified = options.lastModified ?? Date.now();
    }
  }
  class FormData {
    #entries = [];
    append(name, value) {
      this.#entries.push([String(name), value instanceof Blob ? value : String(value)]);
    }
    set(name, value) {
      this.delete(name);
      this.append(name, value);
    }
    delete(name) {
      this.#entries = this.#entries.filter(([n]) => n !== String(name));
    }
    get(name) {
      return this.#entries.find(([n]) => n === String(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#entries.filter(([n]) => n === String(name)).map(([, value]) => value);
    }
    has(name) {
      return this.#entries.some(([n]) => n === String(name));
    }
    entries() {
      return this.#entries[Symbol.iterator]();
    }
    [Symbol.iterator]() {
      return this.entries();
    }
  }

  // Requests and responses

  class Headers {
    #values = new Map();
    constructor(init = {}) {
      const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
    #name(name) {
      const lower = String(name).toLowerCase();
      if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower)) throw new TypeError(`Invalid header name: '${name}'`);
      return lower;
    }
    append(name, value) {
      const key = this.#name(name);
      const text = String(value).trim();
      this.#values.set(key, this.#values.has(key) ? `${this.#values.get(key)}, ${text}` : text);
    }
    set(name, value) {
      this.#values.set(this.#name(name), String(value).trim());
    }
    get(name) {
      return this.#values.get(this.#name(name)) ?? null;
    }
    has(name) {
      return this.#values.has(this.#name(name));
    }
    delete(name) {
      this.#values.delete(this.#name(name));
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    entries() {
      return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1))[Symbol.iterator]();
    }
    *keys() {
      for (const [name] of this) yield name;
    }
    *values() {
      for (const [, value] of this) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
  }

  const bodyOf = (body, headers) => {
    const say = (type) => headers.has("content-type") || headers.set("content-type", type);
    if (body === null || body === undefined) return null;
    if (body instanceof Blob) {
      if (body.type !== "") say(body.type);
      return body;
    }
    if (body instanceof URLSearchParams) {
      say("application/x-www-form-urlencoded;charset=UTF-8");
      return new Blob([body.toString()]);
    }
    if (body instanceof FormData) throw new TypeError("Not supported here: a FormData as a body.");
    if (typeof body === "string") say("text/plain;charset=UTF-8");
    return new Blob([body]);
  };
  class Body {
    #blob;
    bodyUsed = false;
    constructor(body, headers) {
      this.headers = headers;
      this.#blob = bodyOf(body, headers);
    }
    #take() {
      if (this.bodyUsed) throw new TypeError("Body is unusable: it has been read already.");
      this.bodyUsed = true;
      return this.#blob ?? new Blob();
    }
    async blob() {
      return new Blob([await this.#take().bytes()], { type: this.headers.get("content-type") ?? "" });
    }
    async arrayBuffer() {
      return await this.#take().arrayBuffer();
    }
    async bytes() {
      return await this.#take().bytes();
    }
    async text() {
      return await this.#take().text();
    }
    async json() {
      return JSON.parse(await this.text());
    }
  }
  class Request extends Body {
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : { method: "GET", headers: {}, url: new URL(input).href };
      super(init.body, new Headers(init.headers ?? from.headers));
      this.url = from.url;
      this.method = String(init.method ?? from.method).toUpperCase();
      this.redirect = init.redirect ?? "follow";
      this.signal = init.signal ?? null;
    }
  }
  class Response extends Body {
    constructor(body = null, init = {}) {
      super(body, new Headers(init.headers ?? {}));
      this.status = init.status ?? 200;
      this.statusText = init.statusText ?? "";
      this.ok = this.status >= 200 && this.status < 300;
      this.url = init.url ?? "";
      this.redirected = init.redirected ?? false;
      this.type = "default";
    }
    static json(data, init = {}) {
      const headers = new Headers(init.headers ?? {});
      if (!headers.has("content-type")) headers.set("content-type", "application/json");
      return new Response(JSON.stringify(data), { ...init, headers });
    }
    static error() {
      return new Response(null, { status: 0 });
    }
    static redirect(url, status = 302) {
      return new Response(null, { status, headers: { location: new URL(url).href } });
    }
  }

  // Events

  class Event {
    constructor(type, options = {}) {
      this.type = String(type);
      this.cancelable = options.cancelable === true;
      this.defaultPrevented = false;
      this.target = null;
    }
    preventDefault() {
      if (this.cancelable) this.defaultPrevented = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this.stopped = true;
    }
  }
  class CustomEvent extends Event {
    constructor(type, options = {}) {
      super(type, options);
      this.detail = options.detail ?? null;
    }
  }
  class EventTarget {
    #listeners = new Map();
    addEventListener(type, listener, options = {}) {
      if (!this.#listeners.has(type)) this.#listeners.set(type, []);
      this.#listeners.get(type).push({ listener, once: options === true ? false : options?.once === true });
    }
    removeEventListener(type, listener) {
      this.#listeners.set(type, (this.#listeners.get(type) ?? []).filter((entry) => entry.listener !== listener));
    }
    dispatchEvent(event) {
      event.target = this;
      for (const { listener, once } of [...(this.#listeners.get(event.type) ?? [])]) {
        if (once) this.removeEventListener(event.type, listener);
        typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event);
        if (event.stopped) break;
      }
      this[`on${event.type}`]?.(event);
      return !event.defaultPrevented;
    }
  }
  class AbortSignal extends EventTarget {
    aborted = false;
    reason = undefined;
    throwIfAborted() {
      if (this.aborted) throw this.reason;
    }
    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }
  }
  class AbortController {
    signal = new AbortSignal();
    abort(reason = new DOMException("This operation was aborted", "AbortError")) {
      if (this.signal.aborted) return;
      this.signal.aborted = true;
      this.signal.reason = reason;
      this.signal.dispatchEvent(new Event("abort"));
    }
  }
  class AsyncLocalStorage {
    #store;
    run(store, callback, ...rest) {
      const before = this.#store;
      this.#store = store;
      try {
        return callback(...rest);
      } finally {
        this.#store = before;
      }
    }
    getStore() {
      return this.#store;
    }
  }

  const cloned = (value, seen = new Map()) => {
    if (typeof value === "function" || typeof value === "symbol") {
      throw new DOMException(`${String(value)} could not be cloned.`, "DataCloneError");
    }
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (value instanceof DataView) return keep(new DataView(value.buffer.slice(0), value.byteOffset, value.byteLength));
    if (ArrayBuffer.isView(value)) return keep(value.slice());
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of value) copy.set(cloned(key, seen), cloned(item, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of value) copy.add(cloned(item, seen));
      return copy;
    }
    if (value instanceof Error) {
      const copy = keep(new (globalThis[value.name] ?? Error)(value.message));
      copy.stack = value.stack;
      return copy;
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) copy[key] = cloned(value[key], seen);
    return copy;
  };
  globalThis.structuredClone = (value) => cloned(value);

  // Making such a thing may stand in a module; what it is for is not here.
  class Stub {
    constructor(...parts) {
      Object.defineProperty(this, "parts", { value: parts });
    }
  }
  for (const name of ["ReadableStream", "WritableStream", "TransformStream", "MessageChannel", "WebSocket"]) {
    globalThis[name] ??= class extends Stub {};
  }
  const classes = { TextEncoder, TextDecoder, DOMException, URLSearchParams, URL, Blob, File, FormData, Headers, Request,
    Response, Event, CustomEvent, EventTarget, AbortSignal, AbortController, AsyncLocalStorage };
  for (const [name, value] of Object.entries(classes)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  globalThis.__bytes = { of: bytesOf, base64, unbase64 };
}
