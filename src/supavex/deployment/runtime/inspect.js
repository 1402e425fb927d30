// Prints values as Convex's `console` does: each argument separately, objects on several lines, texts in single quotes.
// `Deno.inspect` has another form (quotes, line breaks by length, colors, cuts), and no options for Convex's form. Log
// lines are compared and searched as texts.
(own) => {
  "use strict";
  const MAX_DEPTH = 5;
  const MAX_STRING = 32768;
  const SHORT = { 8: "b", 9: "t", 10: "n", 12: "f", 13: "r" };

  const quoted = (text) => {
    if (text.length > MAX_STRING) {
      const more = text.length - MAX_STRING;
      return `${quoted(text.slice(0, MAX_STRING))}... ${more} more character${more > 1 ? "s" : ""}`;
    }
    const escaped = text.replace(/['\\]/g, "\\$&").replace(/[\x00-\x1f]/g, (character) => {
      const code = character.charCodeAt(0);
      return `\\${SHORT[code] ?? `x${code < 16 ? "0" : ""}${code.toString(16).toUpperCase()}`}`;
    });
    return `'${escaped}'`;
  };

  const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const indented = (items, depth) => {
    if (items.length === 0) return "";
    const line = `\n${"  ".repeat(depth + 1)}`;
    return `${line}${items.join(`,${line}`)}\n${"  ".repeat(depth)}`;
  };

  const inspect = (value, depth, seen, inline = false) => {
    if (value === undefined) return "undefined";
    if (value === null) return "null";
    if (typeof value === "boolean") return String(value);
    if (typeof value === "string") return quoted(value);
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "symbol") return value.toString();
    if (depth >= MAX_DEPTH && typeof value === "object") return Array.isArray(value) ? "[Array]" : "[Object]";
    if (seen.includes(value)) return "[Circular]";
    const inside = (item) => inspect(item, depth + 1, [...seen, value], inline);
    const named = (key) => (typeof key === "symbol" ? `[${String(key)}]` : /[^\w$]/.test(key) ? inspect(key, 0, []) : key);
    const members = (keys) => {
      const symbols = Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
      return [...keys, ...symbols].map((key) => `${named(key)}: ${inside(value[key])}`);
    };
    const joined = (items) => (inline ? (items.length > 0 ? ` ${items.join(", ")} ` : "") : indented(items, depth));
    if (typeof value === "function") {
      const keys = Object.keys(value);
      const name = value.name ? `: ${value.name}` : " (anonymous)";
      return `[Function${name}]${keys.length > 0 ? ` { ${members(keys).join(", ")} }` : ""}`;
    }
    if (Array.isArray(value)) {
      if (value.length === 0) return "[]";
      const items = Array.from(value, (item, index) => (index in value ? inside(item) : ""));
      items.push(...members(Object.keys(value).filter((key) => !(String(Number(key)) === key && key in value))));
      return !inline && items.some((item) => item.includes("\n")) ? `[${indented(items, depth)}]` : `[ ${items.join(", ")} ]`;
    }
    if (value instanceof Error) {
      const items = members(Object.keys(value));
      if ("cause" in value && !Object.keys(value).includes("cause")) items.unshift(`[cause]: ${inside(value.cause)}`);
      return items.length === 0 ? `[${String(value)}]` : `{ [${String(value)}] ${items.join(", ")} }`;
    }
    if (typeof value.inspect === "function") return value.inspect();
    if (value instanceof Map) {
      const key = (item) => inspect(item, depth + 1, [...seen, value], true);
      const items = [...value].map(([name, item]) => `${key(name)} => ${inside(item)}`);
      return `Map (${value.size}) {${joined(items)}}`;
    }
    if (value instanceof Set) return `Set (${value.size}) {${joined([...value].map(inside))}}`;
    if (value instanceof WeakMap) return "WeakMap { ? }";
    if (value instanceof WeakSet) return "WeakSet { ? }";
    if ([Number, String, Boolean, BigInt, Symbol].some((kind) => value instanceof kind)) {
      return `Object(${inspect(value.valueOf(), depth, seen)})`;
    }
    if (value instanceof Date || value instanceof RegExp) return String(value);
    const prototype = Object.getPrototypeOf(value);
    const plain = prototype === Object.prototype;
    const bare = prototype === null ? "null prototype" : "";
    const tag = !plain && Symbol.toStringTag in value ? tagOf(value) : bare ? "Object" : "";
    const maker = plain || typeof value.constructor !== "function" ? "" : value.constructor.name ? `${value.constructor.name} ` : "";
    const marks = [tag, bare].filter(Boolean).join(": ");
    const start = maker + (marks ? `[${marks}] ` : "");
    const items = members(Object.keys(value));
    return items.length === 0 ? `${start}{}` : `${start}{${joined(items)}}`;
  };

  own.inspected = (value) => {
    try {
      return String(inspect(value, 0, []));
    } catch (error) {
      return "[a value that can't be read]";
    }
  };
}
