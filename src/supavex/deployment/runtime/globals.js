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
      let [read, written] = [0, 0];
      for (const character of String(text)) {
        const bytes = this.encode(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        read += character.length;
        written += bytes.length;
      }
      return { read, written };
    }
  }

  const bytesOf = (data) => {
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new TypeError("expected bytes: an ArrayBuffer or a view of one");
  };

  // What 0x80 to 0x9f are in windows-1252, which the web takes latin1 and ASCII for.
  const IN_1252 = "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
    "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
  const ENCODINGS = [
    ["utf-8", /^(utf-?8|unicode-1-1-utf-8|unicode11utf8|unicode20utf8|x-unicode20utf8)$/],
    ["utf-16le", /^(utf-16(le)?|unicode|unicodefeff|ucs-2|iso-10646-ucs-2|csunicode)$/],
    ["utf-16be", /^(utf-16be|unicodefffe)$/],
    ["windows-1252", /^(windows-1252|x-cp1252|cp1252|ascii|us-ascii|ansi_x3\.4-1968|csisolatin1|ibm819|cp819|iso-ir-100|l1|latin1|iso_?8859-1(:1987)?|iso-?8859-1|iso88591)$/],
  ];

  // Each gives the text, and where the bytes of a character begin that is not whole yet.
  const decodings = {
    "utf-8": (bytes, refuse, stream) => {
      const parts = [];
      let at = 0;
      let text = "";
      while (at < bytes.length) {
        const start = at;
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
            if (at === bytes.length && stream) return [parts.join("") + text, start];
            if (at < bytes.length && bytes[at] >= low && bytes[at] <= high) {
              code = (code << 6) | (bytes[at++] & 63);
              [low, high] = [0x80, 0xbf];
            } else whole = false;
          }
          if (!whole) refuse();
          text += whole ? String.fromCodePoint(code) : "\ufffd";
        }
        if (text.length > 8192) {
          parts.push(text);
          text = "";
        }
      }
      return [parts.join("") + text, at];
    },
    "windows-1252": (bytes) => {
      let text = "";
      for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? IN_1252[byte - 0x80] : String.fromCharCode(byte);
      return [text, bytes.length];
    },
  };
  const utf16 = (big) => (bytes, refuse, stream) => {
    const unit = (at) => (big ? (bytes[at] << 8) | bytes[at + 1] : bytes[at] | (bytes[at + 1] << 8));
    const high = (code) => code >= 0xd800 && code < 0xdc00;
    let end = bytes.length - (bytes.length % 2);
    if (stream && end > 0 && high(unit(end - 2))) end -= 2; // its other half may come
    let text = "";
    for (let at = 0; at < end; at += 2) text += String.fromCharCode(unit(at));
    const odd = end < bytes.length && !stream;
    if (odd || !text.isWellFormed()) refuse();
    return [text.toWellFormed() + (odd ? "\ufffd" : ""), odd ? bytes.length : end];
  };
  Object.assign(decodings, { "utf-16le": utf16(false), "utf-16be": utf16(true) });

  class TextDecoder {
    #kept = new Uint8Array();
    #begun = false;
    constructor(label = "utf-8", options = {}) {
      const found = ENCODINGS.find(([, labels]) => labels.test(String(label).trim().toLowerCase()));
      if (found === undefined) throw new RangeError(`The encoding ${label} is not supported.`);
      this.encoding = found[0];
      this.fatal = options.fatal === true;
      this.ignoreBOM = options.ignoreBOM === true;
    }
    decode(input = new Uint8Array(), { stream = false } = {}) {
      const more = bytesOf(input);
      let bytes = more;
      if (this.#kept.length > 0) {
        bytes = new Uint8Array(this.#kept.length + more.length);
        bytes.set(this.#kept);
        bytes.set(more, this.#kept.length);
        this.#kept = new Uint8Array();
      }
      const begun = this.#begun;
      this.#begun = false;
      const refuse = () => {
        if (this.fatal) throw new TypeError(`The encoded data was not valid ${this.encoding}.`);
      };
      const [text, read] = decodings[this.encoding](bytes, refuse, stream);
      if (stream) {
        this.#kept = bytes.slice(read);
        this.#begun = begun || text !== "";
      }
      return !begun && !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
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
    let given = String(text).replace(/[\t\n\f\r ]/g, "");
    if (given.length % 4 === 0) given = given.replace(/==?$/, "");
    if (given.length % 4 === 1 || given.includes("=")) {
      throw new DOMException("The string is not correctly encoded.", "InvalidCharacterError");
    }
    let out = "";
    for (const byte of unbase64(given)) out += String.fromCharCode(byte);
    return out;
  };

  // The names that have numbers, in their order.
  const NUMBERED = ["IndexSize", "DOMStringSize", "HierarchyRequest", "WrongDocument", "InvalidCharacter", "NoDataAllowed",
    "NoModificationAllowed", "NotFound", "NotSupported", "InUseAttribute", "InvalidState", "Syntax", "InvalidModification",
    "Namespace", "InvalidAccess", "Validation", "TypeMismatch", "Security", "Network", "Abort", "URLMismatch",
    "QuotaExceeded", "Timeout", "InvalidNodeType", "DataClone"];
  class DOMException extends Error {
    constructor(message = "", name = "Error") {
      super(message);
      Object.defineProperty(this, "name", { value: String(name), configurable: true });
      Object.defineProperty(this, "code", { value: NUMBERED.indexOf(this.name.replace(/Error$/, "")) + 1 });
    }
  }
  NUMBERED.forEach((name, index) => {
    const words = name.replace("InUse", "Inuse").replace(/([a-z])([A-Z])/g, "$1_$2").replace("DOMString", "DOMSTRING");
    const constant = `${words.toUpperCase()}_ERR`.replace("URLMISMATCH", "URL_MISMATCH");
    for (const holder of [DOMException, DOMException.prototype]) {
      Object.defineProperty(holder, constant, { value: index + 1, enumerable: true });
    }
  });

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

  let refill; // puts the pairs of a text in the place of those that are there
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
      refill(this, String(init));
    }
    static {
      refill = (params, text) => {
        params.#pairs = [];
        for (const part of text.replace(/^\?/, "").split("&")) {
          if (part === "") continue;
          const [, name, value = ""] = /^([^=]*)=?([^]*)$/.exec(part.replaceAll("+", " "));
          params.#pairs.push([unpercent(name), unpercent(value)]);
        }
      };
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

  // A label of a host's name in the letters of DNS: RFC 3492.
  const punycode = (label) => {
    const digit = (value) => String.fromCharCode(value < 26 ? value + 97 : value + 22);
    const points = Array.from(label, (character) => character.codePointAt(0));
    const basic = points.filter((point) => point < 128);
    let out = String.fromCharCode(...basic) + (basic.length > 0 ? "-" : "");
    let [next, delta, bias, done] = [128, 0, 72, basic.length];
    while (done < points.length) {
      const least = Math.min(...points.filter((point) => point >= next));
      delta += (least - next) * (done + 1);
      next = least;
      for (const point of points) {
        if (point < next) delta++;
        if (point !== next) continue;
        let left = delta;
        for (let k = 36; ; k += 36) {
          const threshold = Math.min(26, Math.max(1, k - bias));
          if (left < threshold) break;
          out += digit(threshold + ((left - threshold) % (36 - threshold)));
          left = Math.floor((left - threshold) / (36 - threshold));
        }
        out += digit(left);
        delta = Math.floor(delta / (done === basic.length ? 700 : 2));
        delta += Math.floor(delta / (done + 1));
        let k = 0;
        for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
        bias = k + Math.floor((36 * delta) / (delta + 38));
        delta = 0;
        done++;
      }
      delta++;
      next++;
    }
    return `xn--${out}`;
  };
  const hostOf = (text) => {
    if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
    const labels = text.normalize("NFKC").toLowerCase().normalize("NFC").replaceAll("\u3002", ".").split(".");
    return labels.map((label) => (/^[\x00-\x7f]*$/.test(label) ? label : punycode(label))).join(".");
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
        this.#hostname = special ? hostOf(parts[3]) : parts[3];
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
      this.#hostname = hostOf(name);
      if (port !== undefined) this.port = port;
    }
    get hostname() {
      return this.#hostname;
    }
    set hostname(value) {
      this.#hostname = hostOf(String(value));
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
      if (this.#params !== undefined) refill(this.#params, this.#search);
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
    append(name, value, filename = undefined) {
      const type = value instanceof Blob ? { type: value.type } : {};
      const file = () => new File([value], filename ?? (value instanceof File ? value.name : "blob"), type);
      this.#entries.push([String(name), value instanceof Blob ? file() : String(value)]);
    }
    set(name, value, filename = undefined) {
      const first = this.#entries.findIndex(([n]) => n === String(name));
      this.append(name, value, filename);
      if (first < 0) return;
      this.#entries[first] = this.#entries.pop();
      this.#entries = this.#entries.filter((entry, at) => at === first || entry[0] !== String(name));
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
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#entries) yield [name, value];
    }
    *keys() {
      for (const [name] of this.#entries) yield name;
    }
    *values() {
      for (const [, value] of this.#entries) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
  }

  // Forms as bodies: "multipart/form-data" of RFC 7578, as HTML writes it.
  const escaped = (text) => text.replace(/[\r\n"]/g, encodeURIComponent);
  const lines = (text) => text.replace(/\r\n?|\n/g, "\r\n");
  const blobOf = (form) => {
    const boundary = `----${[1, 2].map(() => Math.random().toString(36).slice(2)).join("")}`;
    const parts = [];
    for (const [name, value] of form) {
      parts.push(`--${boundary}\r\nContent-Disposition: form-data; name="${escaped(lines(name))}"`);
      if (typeof value === "string") parts.push(`\r\n\r\n${lines(value)}\r\n`);
      else {
        const type = value.type || "application/octet-stream";
        parts.push(`; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`, value, "\r\n");
      }
    }
    return new Blob([...parts, `--${boundary}--\r\n`], { type: `multipart/form-data; boundary=${boundary}` });
  };
  const formOf = (bytes, type) => {
    const form = new FormData();
    const essence = (type ?? "").split(";")[0].trim().toLowerCase();
    if (essence === "application/x-www-form-urlencoded") {
      for (const [name, value] of new URLSearchParams(`?${decoder.decode(bytes)}`)) form.append(name, value);
      return form;
    }
    const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type ?? "");
    if (essence !== "multipart/form-data" || boundary === null) throw new TypeError("The body is no form.");
    const delimiter = `--${boundary[1] ?? boundary[2]}`;
    let body = ""; // a character for each byte
    for (let at = 0; at < bytes.length; at += 8192) body += String.fromCharCode(...bytes.subarray(at, at + 8192));
    let at = body.startsWith(delimiter) ? 0 : body.indexOf(`\r\n${delimiter}`) + 2;
    if (at === 1) throw new TypeError("The body is no form: its boundary is not there.");
    while (!body.startsWith("--", (at += delimiter.length))) {
      const content = body.indexOf("\r\n\r\n", at) + 4;
      const end = body.indexOf(`\r\n${delimiter}`, content - 2);
      if (content === 3 || end < 0) throw new TypeError("The body is no form: it ends before its boundary.");
      const head = decoder.decode(bytes.subarray(at, content));
      const said = (pattern) => pattern.exec(head)?.[1].replace(/%(0A|0D|22)/gi, unpercent);
      const name = said(/^content-disposition:[^\r\n]*;\s*name="([^"]*)"/im);
      const filename = said(/^content-disposition:[^\r\n]*;\s*filename="([^"]*)"/im);
      if (name === undefined) throw new TypeError("The body is no form: a part of it has no name.");
      const value = bytes.subarray(content, Math.max(content, end));
      if (filename === undefined) form.append(name, decoder.decode(value));
      else form.append(name, new Blob([value], { type: said(/^content-type:\s*([^\r\n]+)/im) ?? "text/plain" }), filename);
      at = end + 2;
    }
    return form;
  };

  // Requests and responses

  // In the order in which they were set, and each by itself, as Convex keeps them; only get() joins them.
  class Headers {
    #pairs = [];
    constructor(init = {}) {
      const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
    #name(name) {
      const lower = String(name).toLowerCase();
      if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower)) throw new TypeError(`Invalid header name: '${name}'`);
      return lower;
    }
    #all(name) {
      const key = this.#name(name);
      return this.#pairs.filter(([n]) => n === key).map(([, value]) => value);
    }
    append(name, value) {
      this.#pairs.push([this.#name(name), String(value).trim()]);
    }
    set(name, value) {
      this.delete(name);
      this.append(name, value);
    }
    get(name) {
      const values = this.#all(name);
      return values.length > 0 ? values.join(", ") : null;
    }
    getSetCookie() {
      return this.#all("set-cookie");
    }
    has(name) {
      return this.#all(name).length > 0;
    }
    delete(name) {
      const key = this.#name(name);
      this.#pairs = this.#pairs.filter(([n]) => n !== key);
    }
    forEach(callback, self) {
      for (const [name, value] of this) callback.call(self, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
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
    if (body instanceof FormData) {
      const blob = blobOf(body);
      headers.set("content-type", blob.type);
      return blob;
    }
    if (typeof body === "string") say("text/plain;charset=UTF-8");
    return new Blob([body]);
  };
  let share; // gives one body what another one has
  class Body {
    #blob;
    bodyUsed = false;
    constructor(body, headers) {
      this.headers = headers;
      this.#blob = bodyOf(body, headers);
    }
    static {
      share = (from, to, moved) => {
        if (from.bodyUsed) throw new TypeError("Body is unusable: it has been read already.");
        to.#blob = from.#blob;
        from.bodyUsed = moved && from.#blob !== null;
        return to;
      };
    }
    #take() {
      if (this.bodyUsed) throw new TypeError("Body is unusable: it has been read already.");
      this.bodyUsed = this.#blob !== null;
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
    async formData() {
      return formOf(await this.#take().bytes(), this.headers.get("content-type"));
    }
  }
  class Request extends Body {
    constructor(input, init = {}) {
      const from = input instanceof Request ? input : { method: "GET", headers: {}, url: new URL(input).href };
      const method = String(init.method ?? from.method).toUpperCase();
      const body = init.body ?? null;
      if (body !== null && (method === "GET" || method === "HEAD")) {
        throw new TypeError(`A request by ${method} has no body.`);
      }
      super(body, new Headers(init.headers ?? from.headers));
      this.url = from.url;
      this.method = method;
      this.redirect = init.redirect ?? from.redirect ?? "follow";
      this.signal = init.signal ?? from.signal ?? null;
      if (from === input && body === null) share(from, this, true);
    }
    clone() {
      const { method, headers, redirect, signal } = this;
      return share(this, new Request(this.url, { method, headers, redirect, signal }), false);
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
    clone() {
      return share(this, new Response(null, this), false);
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
      this.target = this.currentTarget = null;
    }
    preventDefault() {
      if (this.cancelable) this.defaultPrevented = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this.stopped = true;
    }
  }
  const captures = (options) => (typeof options === "object" && options !== null ? options.capture : options) === true;
  class CustomEvent extends Event {
    constructor(type, options = {}) {
      super(type, options);
      this.detail = options.detail ?? null;
    }
  }
  class EventTarget {
    #listeners = new Map();
    #of(type) {
      return this.#listeners.get(String(type)) ?? [];
    }
    addEventListener(type, listener, options = {}) {
      const capture = captures(options);
      const there = this.#of(type).some((entry) => entry.listener === listener && entry.capture === capture);
      if (there || listener === null || listener === undefined) return;
      this.#listeners.set(String(type), [...this.#of(type), { listener, capture, once: options?.once === true }]);
    }
    removeEventListener(type, listener, options = {}) {
      const capture = captures(options);
      const kept = this.#of(type).filter((entry) => entry.listener !== listener || entry.capture !== capture);
      this.#listeners.set(String(type), kept);
    }
    dispatchEvent(event) {
      event.target = event.currentTarget = this;
      for (const entry of this.#of(event.type)) {
        if (!this.#of(event.type).includes(entry)) continue; // another listener has removed it
        const { listener, capture, once } = entry;
        if (once) this.removeEventListener(event.type, listener, capture);
        typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event);
        if (event.stopped) break;
      }
      if (!event.stopped) this[`on${event.type}`]?.(event);
      event.currentTarget = null;
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

  // What code that runs at once sees: V8 tells nobody but its embedder in C++ when an `await` goes on, so that a store
  // is lost there, and each storage says so once.
  let context = new Map();
  const within = (other, callback, self, rest) => {
    const before = context;
    context = other;
    try {
      return callback.apply(self, rest);
    } finally {
      context = before;
    }
  };
  const checked = (callback) => {
    if (typeof callback !== "function") throw new TypeError("fn must be a function");
    return callback;
  };
  class AsyncLocalStorage {
    #warned = false;
    #warn(what) {
      if (this.#warned) return;
      this.#warned = true;
      console.warn(`AsyncLocalStorage: ${what}. On a local deployment of supavex a store is lost at the first await, ` +
        "where getStore() gives undefined. With Convex it is kept.");
    }
    static bind(callback) {
      const snapshot = AsyncLocalStorage.snapshot();
      return (...rest) => snapshot(checked(callback), ...rest);
    }
    static snapshot() {
      const held = context;
      return (callback, ...rest) => within(held, callback, undefined, rest);
    }
    run(store, callback, ...rest) {
      const result = within(new Map(context).set(this, store), callback, undefined, rest);
      if (typeof result?.then === "function") this.#warn("run() was given a function that is async");
      return result;
    }
    exit(callback, ...rest) {
      return within(new Map(context).set(this, undefined), callback, undefined, rest);
    }
    enterWith(store) {
      context = new Map(context).set(this, store);
      this.#warn("enterWith() was called");
      // Or others would see it that have nothing to do with who entered. What runs within something has ended by then.
      queueMicrotask(() => void (context = new Map()));
    }
    disable() {
      context = new Map(context);
      context.delete(this);
    }
    getStore() {
      return context.get(this);
    }
  }
  class AsyncResource {
    #held = context;
    constructor(type) {
      if (typeof type !== "string") throw new TypeError("type must be a string");
      this.type = type;
    }
    runInAsyncScope(callback, self, ...rest) {
      return within(this.#held, callback, self, rest);
    }
    bind(callback, self) {
      const held = this.#held;
      checked(callback);
      return function (...rest) {
        return within(held, callback, self ?? this, rest);
      };
    }
    static bind(callback, type, self) {
      return new AsyncResource(type || callback.name || "bound-anonymous-fn").bind(callback, self);
    }
  }

  const BOXES = [Number, String, Boolean, BigInt];
  const UNCLONABLE = [Promise, WeakMap, WeakSet, WeakRef];
  const ERRORS = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
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
    if (ArrayBuffer.isView(value)) {
      const size = value instanceof DataView ? value.byteLength : value.length;
      return keep(new value.constructor(cloned(value.buffer, seen), value.byteOffset, size));
    }
    if (BOXES.some((kind) => value instanceof kind)) return keep(Object(value.valueOf()));
    if (UNCLONABLE.some((kind) => value instanceof kind)) {
      throw new DOMException(`${Object.prototype.toString.call(value)} could not be cloned.`, "DataCloneError");
    }
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
      const copy = keep(new (ERRORS.find((kind) => kind.name === value.name) ?? Error)(value.message));
      const hidden = { writable: true, configurable: true, enumerable: false };
      Object.defineProperty(copy, "stack", { value: value.stack, ...hidden });
      if ("cause" in value) Object.defineProperty(copy, "cause", { value: cloned(value.cause, seen), ...hidden });
      return copy;
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
      const member = cloned(value[key], seen);
      if (key !== "__proto__") copy[key] = member;
      else Object.defineProperty(copy, key, { value: member, writable: true, configurable: true, enumerable: true });
    }
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
    Response, Event, CustomEvent, EventTarget, AbortSignal, AbortController, AsyncLocalStorage, AsyncResource };
  for (const [name, value] of Object.entries(classes)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  globalThis.__bytes = { of: bytesOf, base64, unbase64 };
}
