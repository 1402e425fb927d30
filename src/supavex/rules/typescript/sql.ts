/** SQL's =; false if a side is NULL. */
function same(a: unknown, b: unknown): boolean {
  return !isNull(a) && !isNull(b) && equalValues(a, b);
}

/** SQL's <>; false if a side is NULL. */
function differ(a: unknown, b: unknown): boolean {
  return !isNull(a) && !isNull(b) && !equalValues(a, b);
}

/** SQL's <; false if a side is NULL. NaN is greater than all other numbers, and equal to itself. */
function less(a: unknown, b: unknown): boolean {
  return !isNull(a) && !isNull(b) && (ordered(a) < ordered(b) || (Number.isNaN(b) && !Number.isNaN(a)));
}

/** SQL's <=; false if a side is NULL. */
function atMost(a: unknown, b: unknown): boolean {
  return !isNull(a) && !isNull(b) && (ordered(a) <= ordered(b) || Number.isNaN(b));
}

/** A value whose order is PostgreSQL's: a date's day. Texts of dates before Christ or after 9999 have another order. */
const ordered = (value: unknown) => (typeof value === "string" && !value.includes(":") ? dayOf(value) : value) as number;

/** = and <> of jsonb, whose NULL is undefined. JSON's null is a value. */
const sameJson = (a: unknown, b: unknown) => a !== undefined && b !== undefined && equalValues(a, b);
const differJson = (a: unknown, b: unknown) => a !== undefined && b !== undefined && !equalValues(a, b);
/** COALESCE of jsonb. */
const firstJson = (...values: unknown[]) => values.find((one) => one !== undefined);
/** The jsonb in a field that holds null for NULL. */
const jsonOf = (value: unknown) => value ?? undefined;

/** IS NOT DISTINCT FROM. */
function notDistinct(a: unknown, b: unknown): boolean {
  return isNull(a) || isNull(b) ? isNull(a) && isNull(b) : equalValues(a, b);
}

function equalValues(a: unknown, b: unknown): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) return equalValues([...new Uint8Array(a)], [...new Uint8Array(b)]);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [Object.entries(a), b as Record<string, unknown>];
  return one.length === Object.keys(other).length && one.every(([k, v]) => Object.hasOwn(other, k) && equalValues(v, other[k]));
}

/** Whether `value = ANY (array)` is true. */
function equalsAny(value: unknown, array: readonly unknown[] | null | undefined): boolean {
  return !isNull(array) && array!.some((one) => same(value, one));
}

/** Whether `value <> ALL (array)` is true. */
function differsFromAll(value: unknown, array: readonly unknown[] | null | undefined): boolean {
  return !isNull(array) && array!.every((one) => differ(value, one));
}

/** Whether `value = ALL (array)` is true. */
function equalsAll(value: unknown, array: readonly unknown[] | null | undefined): boolean {
  return !isNull(array) && array!.every((one) => same(value, one));
}

/** Whether `value <> ANY (array)` is true. */
function differsFromAny(value: unknown, array: readonly unknown[] | null | undefined): boolean {
  return !isNull(array) && array!.some((one) => differ(value, one));
}

/** EXISTS: whether `test` accepts one of the rows. */
async function some<T>(rows: AsyncIterable<T>, test: (row: T) => boolean | Promise<boolean> = () => true): Promise<boolean> {
  for await (const row of rows) if (await test(row)) return true;
  return false;
}

/** LEFT JOIN: the rows that `on` accepts; if there is none, one row whose fields are all NULL. */
async function* orNullRow<T>(rows: AsyncIterable<T>, on: (row: T) => boolean | Promise<boolean> = () => true) {
  let found = false;
  for await (const row of rows) {
    if (!(await on(row))) continue;
    found = true;
    yield row as Partial<T>;
  }
  if (!found) yield {} as Partial<T>;
}

/** The results of `values` for all rows, in one array. */
async function gathered<T, V>(rows: AsyncIterable<T>, values: (row: T) => V[] | Promise<V[]>): Promise<V[]> {
  const found: V[] = [];
  for await (const row of rows) found.push(...(await values(row)));
  return found;
}

/** A subquery as a value: NULL without a row, an error for several. */
function single<V>(values: V[]): V | undefined {
  if (values.length > 1) throw new Error("more than one row returned by a subquery used as an expression");
  return values[0];
}

/** ORDER BY … LIMIT 1. A row is its value, then its sort keys. NULL is last, or first if the key descends. */
function firstBy<V>(rows: [V, ...unknown[]][], descending: boolean[]): V | undefined {
  const order = (a: unknown, b: unknown) =>
    isNull(a) || isNull(b) ? Number(isNull(a)) - Number(isNull(b)) : Number(less(b, a)) - Number(less(a, b));
  const sorted = [...rows].sort((a, b) => {
    for (const [at, down] of descending.entries()) {
      const found = order(a[at + 1], b[at + 1]) * (down ? -1 : 1);
      if (found !== 0) return found;
    }
    return 0;
  });
  return sorted[0]?.[0];
}

/** A function that returns NULL if an argument is NULL. */
function strict<A extends unknown[], R>(made: (...args: A) => R) {
  return (...args: { [K in keyof A]: A[K] | null | undefined }): R | null => (args.some(isNull) ? null : made(...(args as A)));
}

/** A function of jsonb that returns NULL if an argument is NULL. */
function strictJson<A extends unknown[], R>(made: (json: unknown, ...args: A) => R) {
  return (json: unknown, ...args: { [K in keyof A]: A[K] | null | undefined }): R | null =>
    json === undefined || args.some((one) => one === undefined) ? null : made(json, ...(args as A));
}

const lower = strict((text: string) => text.toLowerCase());
const upper = strict((text: string) => text.toUpperCase());
const length = strict((text: string) => [...text].length);
const trimmedLeft = strict((text: string, of: string = " ") => {
  const characters = [...text];
  while (characters.length > 0 && of.includes(characters[0]!)) characters.shift();
  return characters.join("");
});
const trimmedRight = strict((text: string, of: string = " ") => {
  const characters = [...text];
  while (characters.length > 0 && of.includes(characters[characters.length - 1]!)) characters.pop();
  return characters.join("");
});
const trimmed = strict((text: string, of: string = " ") => trimmedLeft(trimmedRight(text, of), of));
const leftOf = strict((text: string, count: number) => [...text].slice(0, count).join(""));
const rightOf = strict((text: string, count: number) =>
  count < 0 ? [...text].slice(-count).join("") : count === 0 ? "" : [...text].slice(-count).join(""),
);
const substring = strict((text: string, start: number, count: number = Infinity) => {
  if (count < 0) throw new Error("negative substring length not allowed");
  return [...text].slice(Math.max(start - 1, 0), Math.max(start - 1 + count, 0)).join("");
});
/** An assignment to a variable of varchar(n). It cuts spaces, and throws for other characters. */
const limited = strict((text: string, most: number) => {
  const characters = [...text];
  if (characters.slice(most).some((one) => one !== " ")) throw new Error("value too long for type character varying");
  return characters.slice(0, most).join("");
});
const replaced = strict((text: string, part: string, by: string) => (part === "" ? text : text.split(part).join(by)));
const splitPart = strict((text: string, by: string, at: number) => {
  if (at === 0) throw new Error("field position must not be zero");
  const parts = by === "" ? [text] : text.split(by);
  return parts[at > 0 ? at - 1 : parts.length + at] ?? "";
});
const positionOf = strict((text: string, part: string) => {
  const at = text.indexOf(part);
  return at < 0 ? 0 : [...text.slice(0, at)].length + 1;
});
const startsWith = strict((text: string, start: string) => text.startsWith(start));
const splitText = strict((text: string, by: string) => (text === "" ? [] : by === "" ? [text] : text.split(by)));
const concatenated = strict((a: string, b: string) => a + b);
const concat = (...parts: (string | null | undefined)[]) => parts.map((part) => part ?? "").join("");
const matches = strict((text: string, pattern: string) => new RegExp(pattern, "u").test(text));
/** current_setting of a setting that no request sets: an error, as in PostgreSQL. */
function unsetParameter(name: string): string | null {
  throw new ConvexError({ code: "setting", message: `unrecognized configuration parameter "${name}"` });
}
/** True. Throws if the role may not EXECUTE a function that the expression after it calls. */
function mayCall(caller: Caller, denied: string[]): true {
  if (denied.includes(caller.role)) throw new ConvexError({ code: "rights", message: "permission denied for function" });
  return true;
}
const nullIf = <V>(value: V, other: unknown): V | undefined => (same(value, other) ? undefined : value);

// Arithmetic of whole numbers. It throws where PostgreSQL's type (of 16, 32 or 64 bits) has no such number, and beyond
// 2^53, where JavaScript's numbers are not exact.
const plus = strict((a: number, b: number, bits: number = 32) => withinBits(a + b, bits));
const minus = strict((a: number, b: number, bits: number = 32) => withinBits(a - b, bits));
const times = strict((a: number, b: number, bits: number = 32) => withinBits(a * b, bits));
const divided = strict((a: number, b: number, bits: number = 32) => {
  if (b === 0) throw new Error("division by zero");
  return withinBits(Math.trunc(a / b), bits);
});
const remainder = strict((a: number, b: number, bits: number = 32) => {
  if (b === 0) throw new Error("division by zero");
  return withinBits(a % b, bits);
});
/** abs. `bits`: the size of a whole number; null for numbers with decimals. */
const absolute = (a: number | null | undefined, bits: number | null = 32): number | null =>
  isNull(a) ? null : bits === null ? Math.abs(a!) : withinBits(Math.abs(a!), bits);
/** The nearest number of 24 bits, as PostgreSQL's type real (float4) holds it. */
const realOf = strict((value: number) => Math.fround(value));
const greatest = <V>(...values: V[]): V | null => greatestOf(values);
const least = <V>(...values: V[]): V | null => leastOf(values);
function greatestOf<V>(values: V[]): V | null {
  return values.reduce<V | null>((best, one) => (isNull(one) || atMost(one, best) ? best : one), null);
}
function leastOf<V>(values: V[]): V | null {
  return values.reduce<V | null>((best, one) => (isNull(one) || atMost(best, one) ? best : one), null);
}
const countTrue = (...values: boolean[]) => values.filter(Boolean).length;
function anyTrue(values: (boolean | null | undefined)[] | null): boolean | null {
  const known = (values ?? []).filter((one) => !isNull(one));
  return known.length === 0 ? null : known.some((one) => one === true);
}
function allTrue(values: (boolean | null | undefined)[] | null): boolean | null {
  const known = (values ?? []).filter((one) => !isNull(one));
  return known.length === 0 ? null : known.every((one) => one === true);
}

/** The milliseconds between two timestamps. */
const elapsed = strict((a: number, b: number) => {
  if (a === b && !Number.isFinite(a)) throw new Error("interval out of range");
  return a - b;
});
/** A timestamp plus an interval of months and milliseconds. */
const later = strict((moment: number, months: number, milliseconds: number) => {
  if (months === 0 || !Number.isFinite(moment)) return moment + milliseconds;
  const found = new Date(moment);
  const day = found.getUTCDate();
  found.setUTCDate(1);
  found.setUTCMonth(found.getUTCMonth() + months);
  const last = new Date(found);
  last.setUTCMonth(found.getUTCMonth() + 1, 0);
  found.setUTCDate(Math.min(day, last.getUTCDate()));
  if (Number.isNaN(found.getTime())) throw new Error("timestamp out of range");
  return found.getTime() + (moment - Math.trunc(moment)) + milliseconds;
});
/** The days from 1970-01-01 to a date in PostgreSQL's notation. JavaScript's dates end in the year 275760. */
const dayOf = strict((date: string): number => {
  if (date.endsWith("infinity")) return date.startsWith("-") ? -Infinity : Infinity;
  const found = /^(\d+)-(\d\d)-(\d\d)( BC)?$/.exec(date);
  if (found === null) throw new Error("invalid input syntax for type date");
  const year = found[4] ? 1 - Number(found[1]) : Number(found[1]);
  // The calendar repeats every 400 years, of 146,097 days each.
  const periods = Math.floor(year / 400);
  const within = Date.UTC(2000 + year - periods * 400, Number(found[2]) - 1, Number(found[3])) / 86_400_000;
  return (periods - 5) * 146_097 + within;
});
function dateOfDay(day: number): string {
  if (!Number.isFinite(day)) return day > 0 ? "infinity" : "-infinity";
  const periods = Math.floor(day / 146_097);
  const within = new Date((day - periods * 146_097) * 86_400_000);
  const year = within.getUTCFullYear() + periods * 400;
  return `${String(year > 0 ? year : 1 - year).padStart(4, "0")}${within.toISOString().slice(4, 10)}${year > 0 ? "" : " BC"}`;
}
const dateOf = strict((moment: number) => dateOfDay(Math.floor(moment / 86_400_000)));
const momentOf = strict((date: string) => dayOf(date)! * 86_400_000);
const daysBetween = strict((a: string, b: string) => {
  const days = dayOf(a)! - dayOf(b)!;
  if (!Number.isFinite(days)) throw new Error("cannot subtract infinite dates");
  return days;
});
const dayAfter = strict((date: string, days: number) => dateOfDay(dayOf(date)! + days));
const dayBefore = strict((date: string, days: number) => dateOfDay(dayOf(date)! - days));

const uuidFromText = strict((text: string) => {
  const found = /^(?:\{((?:[0-9a-f]{4}-?){7}[0-9a-f]{4})\}|((?:[0-9a-f]{4}-?){7}[0-9a-f]{4}))$/i.exec(text);
  if (found === null) throw new Error("invalid input syntax for type uuid");
  const digits = (found[1] ?? found[2]!).replaceAll("-", "").toLowerCase();
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
});
const numberFromText = strict((text: string) => {
  if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text)) throw new Error("invalid input syntax for a number");
  return Number(text);
});
const wholeFromText = strict((text: string, bits: number): number => {
  if (!/^[ \t\n\v\f\r]*[+-]?\d+[ \t\n\v\f\r]*$/.test(text)) throw new Error("invalid input syntax for a whole number");
  return withinBits(Number(text), bits);
});
/** A number as a whole one of some bits, rounded as PostgreSQL rounds. */
const wholeOf = strict((value: number, bits: number): number => withinBits(Math.sign(value) * Math.round(Math.abs(value)), bits));
function withinBits(value: number, bits: number): number {
  const half = 2 ** (bits - 1);
  if (!Number.isSafeInteger(value) || value < -half || value >= half) throw new Error("number out of range");
  return value === 0 ? 0 : value;
}
/** A text as a label of an enum. */
const labelOf = strict((text: string, labels: readonly string[]): string => {
  if (!labels.includes(text)) throw new Error("invalid input value for enum");
  return text;
});
const booleanFromText = strict((text: string) => {
  const word = text.trim().toLowerCase();
  if (["t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"].includes(word)) return true;
  if (["f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"].includes(word)) return false;
  throw new Error("invalid input syntax for type boolean");
});
function numberFromJson(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value !== "number") throw new Error("cannot cast jsonb to a number");
  return value;
}
function booleanFromJson(value: unknown): boolean | null {
  if (value === undefined) return null;
  if (typeof value !== "boolean") throw new Error("cannot cast jsonb to boolean");
  return value;
}
const numberOf = strict((value: bigint | number | boolean) => {
  const found = Number(value);
  if (typeof value === "bigint" && !Number.isSafeInteger(found)) throw new Error("number beyond 2^53");
  return found;
});
const int64Of = strict((value: number) => BigInt(value));
/** A number as numeric. PostgreSQL rounds a double precision to 15 digits then, so more digits throw. */
const decimalOf = strict((value: number) => {
  if (Number(value.toPrecision(15)) !== value) throw new Error("number with more than 15 digits");
  return value;
});
const textOfNumber = strict((value: bigint | number) => String(value));
const textOfBoolean = strict((value: boolean) => (value ? "true" : "false"));
const randomUuid = () => crypto.randomUUID();

/** jsonb's text, as PostgreSQL writes it. */
const textOfJson = strictJson((value: unknown): string => jsonbText(value));
function jsonbText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonbText).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return `{${keys.map((key) => `${JSON.stringify(key)}: ${jsonbText((value as Record<string, unknown>)[key])}`).join(", ")}}`;
}
/** jsonb's ->. JSON's null is a value; a key that does not exist gives NULL (undefined). */
function jsonAt(value: unknown, key: string | number | null): unknown {
  if (typeof value !== "object" || value === null || key === null) return undefined;
  if (Array.isArray(value)) return typeof key === "number" ? value.at(key) : undefined;
  return typeof key === "string" && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
function jsonText(value: unknown, key: string | number | null): string | null {
  const found = jsonAt(value, key);
  return isNull(found) ? null : typeof found === "string" ? found : jsonbText(found);
}
function jsonAtPath(value: unknown, path: readonly string[]): unknown {
  return path.reduce((found, key) => jsonAt(found, Array.isArray(found) && /^-?\d+$/.test(key) ? Number(key) : key), value);
}
function jsonTextAtPath(value: unknown, path: readonly string[]): string | null {
  const found = jsonAtPath(value, path);
  return isNull(found) ? null : typeof found === "string" ? found : jsonbText(found);
}
const jsonHas = strictJson((value: unknown, key: string) => {
  if (Array.isArray(value)) return value.includes(key);
  return typeof value === "object" && value !== null ? Object.hasOwn(value, key) : value === key;
});
const jsonHasAny = strictJson((value: unknown, keys: Texts) => keys.some((key) => jsonHas(value, key)));
const jsonHasAll = strictJson((value: unknown, keys: Texts) => keys.every((key) => jsonHas(value, key)));
const jsonContains = strictJson((whole: unknown, part: unknown): boolean => containsJson(whole, part, true));
function containsJson(whole: unknown, part: unknown, top: boolean): boolean {
  if (Array.isArray(whole)) {
    if (!Array.isArray(part)) return top && (typeof part !== "object" || part === null) && whole.includes(part);
    return part.every((one) => whole.some((other) => containsJson(other, one, false)));
  }
  if (typeof whole !== "object" || whole === null) return whole === part;
  if (typeof part !== "object" || part === null || Array.isArray(part)) return false;
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && containsJson((whole as Record<string, unknown>)[key], value, false),
  );
}
const jsonType = strictJson((value: unknown) =>
  Array.isArray(value) ? "array" : value === null ? "null" : (typeof value as string),
);
const jsonLength = strictJson((value: unknown) => {
  if (!Array.isArray(value)) throw new Error("cannot get array length of a non-array");
  return value.length;
});
const jsonTexts = strictJson((value: unknown) => {
  if (!Array.isArray(value)) throw new Error("cannot extract elements from what is no array");
  return value.map((one) => (isNull(one) ? null : typeof one === "string" ? one : jsonbText(one)));
});

/** The integer types of some bits. These functions give the value that a column holds, or undefined if it takes none. */
function integerType(bits: number) {
  const half = 2 ** (bits - 1);
  return (value: unknown) => {
    const whole = typeof value === "string" ? /^(0|-?[1-9]\d*)$/.test(value) : typeof value === "bigint" || Number.isInteger(value);
    if (typeof value === "string") return whole && BigInt(value) >= -half && BigInt(value) < half ? value : undefined;
    return whole && (value as number) >= -half && (value as number) < half ? (value === 0 ? 0 : value) : undefined;
  };
}
/** numeric(digits, scale), which rounds. */
function numericType(digits: number, scale: number) {
  return (value: unknown) => {
    if (typeof value !== "number" || Number.isNaN(value)) return value;
    const [mantissa, exponent = "0"] = String(Math.abs(value)).split("e");
    const shifted = Number(`${mantissa}e${Number(exponent) + scale}`);
    const rounded = shifted < 2 ** 53 ? Number(`${Math.round(shifted)}e${-scale}`) : Math.abs(value);
    return rounded < 10 ** (digits - scale) ? Math.sign(value) * rounded + 0 : undefined;
  };
}
/** numeric(digits, scale) as text; without digits, numeric. */
function numericTextType(digits: number | null, scale: number) {
  return (value: unknown) => {
    const found = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/.exec(value as string);
    if (found === null) return value === "NaN" || (digits === null && /^-?Infinity$/.test(value as string)) ? value : undefined;
    if (digits === null) return value;
    const fraction = (found[3] ?? "").padEnd(scale + 1, "0");
    const more = 10n ** BigInt(fraction.length - scale);
    const rounded = (BigInt(found[2]! + fraction) + more / 2n) / more;
    if (rounded >= 10n ** BigInt(digits)) return undefined;
    const text = String(rounded).padStart(scale + 1, "0");
    const parts = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
    return rounded === 0n ? parts : found[1] + parts;
  };
}
/** real: the shortest decimal number of the nearest one of 24 bits. */
function realType(value: unknown) {
  if (typeof value !== "number" || !Number.isFinite(value)) return value;
  const real = Math.fround(value);
  if (!Number.isFinite(real) || (real === 0 && value !== 0)) return undefined;
  if (real === 0) return real; // -0 has its sign.
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].find((count) => Math.fround(Number(real.toPrecision(count))) === real);
  return Number(real.toPrecision(digits));
}
/** char(most), which pads. A check refuses longer texts. */
function charType(most: number) {
  return (value: unknown) => {
    if (typeof value !== "string") return value;
    const characters = [...value];
    const more = characters.slice(most).some((one) => one !== " ");
    return more ? value : characters.slice(0, most).join("") + " ".repeat(Math.max(most - characters.length, 0));
  };
}
function uuidType(value: unknown) {
  try {
    return uuidFromText(value as string);
  } catch {
    return undefined;
  }
}
/** date, from 4714-11-24 BC. */
function dateType(value: unknown) {
  try {
    const day = dayOf(value as string)!;
    const taken = !Number.isFinite(day) || (day >= -2_440_588 && day <= 2_145_042_905);
    return taken && dateOfDay(day) === value ? value : undefined;
  } catch {
    return undefined;
  }
}
/** time, as PostgreSQL writes it; with a length, cut to that many characters. */
function timeType(length: number) {
  return (value: unknown) => {
    const text = length === 5 ? `${value}:00` : String(value);
    const taken = /^(([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{0,5}[1-9])?|24:00:00)$/.test(text);
    return taken && (length === 0 || String(value).length === length) ? value : undefined;
  };
}
/** Timestamps from 4714-11-24 BC to the year 294276. */
function timestampType(value: unknown) {
  if (typeof value !== "number" || Number.isNaN(value)) return undefined;
  const taken = !Number.isFinite(value) || (value >= -210_866_803_200_000 && value < 9_224_318_016_000_000);
  return taken ? value : undefined;
}
/** The midnight of a timestamp's date. */
function midnightType(value: unknown) {
  const day = 86_400_000;
  return timestampType(value) === undefined ? undefined : Number.isFinite(value) ? Math.floor((value as number) / day) * day : value;
}
function arrayType(held: (value: unknown) => unknown) {
  return (value: unknown) => {
    if (!Array.isArray(value)) return value;
    const found = value.map((one) => (isNull(one) ? one : held(one)));
    return found.includes(undefined) ? undefined : found;
  };
}

const list = <V>(...values: V[]): V[] => values;
const element = strict(<V>(array: readonly V[], at: number): V | undefined => array[at - 1]);
const joined = strict(<V>(a: readonly V[], b: readonly V[]): V[] => [...a, ...b]);
const containsAll = strict((whole: readonly unknown[], part: readonly unknown[]) => part.every((one) => equalsAny(one, whole)));
const overlaps = strict((a: readonly unknown[], b: readonly unknown[]) => a.some((one) => equalsAny(one, b)));
const arrayLength = strict((array: readonly unknown[]) => (array.length === 0 ? null : array.length));
const cardinality = strict((array: readonly unknown[]) => array.length);
const nullIfEmpty = <V>(array: V[]): V[] | null => (array.length === 0 ? null : array);

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
/** The id of the row of `table` whose key is the uuid `text`. */
const idOf = strict((table: string, text: string): string => {
  const digits = text.replaceAll("-", "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) throw new Error("invalid input syntax for type uuid");
  return encodedId(table, digits.match(/../g)!.map((pair) => parseInt(pair, 16)));
});
/** The id of the row of `table` whose key is a whole number. */
const idOfNumber = strict((table: string, key: number): string => {
  const bytes = BigInt.asUintN(64, BigInt(key)).toString(16).padStart(16, "0").match(/../g)!;
  return encodedId(table, [..."supavex0"].map((c) => c.charCodeAt(0)).concat(bytes.map((pair) => parseInt(pair, 16))));
});
/** The id of the row of `table` whose key is a text. It is made from the first 16 bytes of the SHA-256 of the text. */
const idOfText = strict((table: string, key: string): string => encodedId(table, sha256(key).slice(0, 16)));
/** The id in `table` of the row with the same key as the row with the id `id`. */
const idInTable = strict((table: string, id: string): string => encodedId(table, keyBytes(id)));
const idsOfNumbers = strict((table: string, keys: readonly (number | null | undefined)[]) => keys.map((key) => idOfNumber(table, key)));
const idsOfTexts = strict((table: string, keys: Texts) => keys.map((key) => idOfText(table, key)));
/** The text of the whole number that a row's id is made from. */
const numberTextOf = strict((id: string): string =>
  BigInt.asIntN(64, keyBytes(id).slice(8).reduce((number, byte) => number * 256n + BigInt(byte), 0n)).toString(),
);
const idsOf = strict((table: string, texts: Texts) => texts.map((text) => idOf(table, text)));
const uuidsOf = strict((ids: Texts) => ids.map((id) => uuidOf(id)));
function encodedId(table: string, key: number[]): string {
  const bytes: number[] = [];
  for (let number = tableNumbers[table]!; ; number >>>= 7) {
    bytes.push(number > 127 ? (number & 127) | 128 : number);
    if (number <= 127) break;
  }
  bytes.push(...key);
  let [low, high] = [0, 0];
  for (const byte of bytes) {
    low = (low + byte) & 255;
    high = (high + low) & 255;
  }
  bytes.push(low, high);
  let [bits, count, text] = [0, 0, ""];
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    for (count += 8; count >= 5; count -= 5) text += DIGITS[(bits >> (count - 5)) & 31];
  }
  return count > 0 ? text + DIGITS[(bits << (5 - count)) & 31] : text;
}
/** The uuid that a row's id is made from; for an id that Convex chose, its 16 bytes as a uuid. */
const uuidOf = strict((id: string): string => {
  const key = keyBytes(id).map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return key.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
});
/** The 16 bytes of a row's key in its id. */
function keyBytes(id: string): number[] {
  let [bits, count] = [0, 0];
  const bytes: number[] = [];
  for (const digit of id) {
    bits = ((bits << 5) | DIGITS.indexOf(digit)) & 0xffff;
    count += 5;
    if (count >= 8) bytes.push((bits >> (count -= 8)) & 255);
  }
  const start = bytes.findIndex((byte) => byte < 128) + 1;
  return bytes.slice(start, start + 16);
}
/** SHA-256 of a text (FIPS 180-4). Convex's queries have no synchronous call for it. */
function sha256(text: string): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root: number) => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
  const constants = primes.map((prime) => fraction(Math.cbrt(prime)));
  const turned = (x: number, by: number) => (x >>> by) | (x << (32 - by));
  const bytes = [...new TextEncoder().encode(text)];
  const bits = bytes.length * 8;
  bytes.push(128);
  while (bytes.length % 64 !== 56) bytes.push(0);
  for (let at = 7; at >= 0; at--) bytes.push(Math.floor(bits / 2 ** (8 * at)) & 255);
  let state = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
  for (let block = 0; block < bytes.length; block += 64) {
    const words = Array.from({ length: 16 }, (_, at) => bytes.slice(block + 4 * at, block + 4 * at + 4).reduce((w, b) => (w << 8) | b, 0));
    for (let at = 16; at < 64; at++) {
      const [a, b] = [words[at - 15]!, words[at - 2]!];
      const [one, two] = [turned(a, 7) ^ turned(a, 18) ^ (a >>> 3), turned(b, 17) ^ turned(b, 19) ^ (b >>> 10)];
      words.push((words[at - 16]! + one + words[at - 7]! + two) | 0);
    }
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
    for (let at = 0; at < 64; at++) {
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[at]! + words[at]!) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    state = [a, b, c, d, e, f, g, h].map((word, at) => (word + state[at]!) | 0);
  }
  return state.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
}
