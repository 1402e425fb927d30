// Values for console.log; judged by the npm package object-inspect, which Convex's own console uses.
class Point {
  constructor(
    public x: number,
    public y: number,
  ) {}
}
class Shy {
  #secret = 1;
}
class Tagged {
  get [Symbol.toStringTag]() {
    return "Tag";
  }
}
export const SAMPLES: Record<string, () => unknown> = {
  numbers: () => [0, -0, 1.5, NaN, Infinity, -Infinity, 1e21, 12345678901234567890n],
  strings: () => ["", "a'b", 'a"b', "a\\b", "a\nb\tc\r\f\b\v\0\x1b", "\x7f", "é😀\u2028", "\ud800"],
  text: () => "a 'quoted' text\nand a line",
  literals: () => [null, undefined, true, false],
  empty: () => [[], {}, [[]], [{}], { a: {} }],
  object: () => ({ a: 1, b: "two", c: [1, 2, 3] }),
  nested: () => ({ a: { b: { c: { d: { e: { f: { g: 1 } } } } } } }),
  nestedArrays: () => [[[[[[[1]]]]]]],
  mixedArray: () => [1, { a: 1 }, [2, { b: [] }]],
  keys: () => ({ "a-b": 1, "": 2, 3: 4, $d: 5, "é": 6, "it's": 7 }),
  symbols: () => ({ [Symbol("s")]: 1, a: Symbol("t"), b: Symbol.iterator }),
  sparse: () => [1, , 3],
  arrayWithKeys: () => Object.assign([1, 2], { name: "x" }),
  circular: () => {
    const value: any = { a: 1, list: [] };
    value.self = value;
    value.list.push(value);
    return value;
  },
  functions: () => [function named() {}, () => {}, class Own {}, async () => {}, Object.assign(function f() {}, { x: 1 })],
  errors: () => {
    const plain = new Error("plain");
    const caused = new Error("outer", { cause: new TypeError("inner") });
    const extended = Object.assign(new RangeError("r"), { code: 7, more: { a: 1 } });
    return [plain, caused, extended];
  },
  error: () => new TypeError("alone"),
  dates: () => [new Date(0), new Date(NaN)],
  patterns: () => [/a/gi, new RegExp("/")],
  maps: () => [new Map(), new Map<any, any>([["a", 1], [{ k: 1 }, new Map([["b", [1]]])]])],
  sets: () => [new Set(), new Set<any>([1, "a", { b: new Set([2]) }])],
  weak: () => [new WeakMap(), new WeakSet()],
  boxed: () => [new Number(3), new String("s"), new Boolean(false), Object(3n), Object(Symbol("q"))],
  classes: () => [new Point(1, 2), new Shy(), new Tagged()],
  bare: () => Object.assign(Object.create(null), { a: 1 }),
  inherited: () => Object.create({ a: 1 }),
  bytes: () => [new Uint8Array([1, 2, 3]), new ArrayBuffer(4), new Float64Array([1.5])],
  dataView: () => new DataView(new ArrayBuffer(2)),
  promise: () => Promise.resolve(1),
  getters: () => ({ get a() { return 1; }, b: 2 }),
  throwingGetter: () => ({ get a() { throw new Error("no"); } }),
  arguments: () => (function (..._rest: any[]) { return arguments; })(1, 2),
  longString: () => "y".repeat(100),
  generator: () => (function* g() {})(),
  globalJson: () => JSON,
  custom: () => ({ a: 1, inspect: () => "of its own", nested: { inspect: (depth: number) => `at ${depth}` } }),
  customDeep: () => ({ a: { inspect: () => ({ b: 1 }) } }),
  longText: () => "z".repeat(33_000),
  number: () => 5,
  nothing: () => undefined,
  elements: () => ({ nodeName: "DIV", attributes: [] }),
};
