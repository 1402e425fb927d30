// Time and random numbers as in Convex: the clock stands still in queries and mutations, and a seed gives the numbers.
(own) => {
  "use strict";
  const run = own.web;
  const RealDate = globalThis.Date;
  const now = () => (run.clock === null ? RealDate.now() : run.clock);
  own.realNow = () => RealDate.now();

  function Date(...parts) {
    if (!new.target) return new RealDate(now()).toString();
    return parts.length === 0 ? new RealDate(now()) : new RealDate(...parts);
  }
  Object.assign(Date, { now, parse: RealDate.parse, UTC: RealDate.UTC, prototype: RealDate.prototype });
  RealDate.prototype.constructor = Date;
  Object.defineProperty(globalThis, "Date", { value: Date, writable: true, configurable: true, enumerable: false });

  // xoshiro128**: small, and sufficient for numbers that need not be secret.
  const state = new Uint32Array(4);
  const turned = (x, by) => (x << by) | (x >>> (32 - by));
  const next32 = () => {
    const result = Math.imul(turned(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = turned(state[3], 11);
    return result;
  };
  Math.random = () => ((next32() >>> 5) * 67108864 + (next32() >>> 6)) / 9007199254740992;
  const { set, slice } = Uint32Array.prototype;
  const { apply } = Reflect;
  own.seed = (words) => void apply(set, state, [words]);
  own.seeded = () => apply(slice, state, []);

  // As in Convex, `performance` counts from the push: in queries up to the begin of the run, elsewhere continuously. The
  // begin is the call's, so that all processes of one call count alike.
  let entries = [];
  let begun = { pushed: 0, clock: 0, real: 0 };
  own.beginClock = (pushed, real = RealDate.now()) => {
    begun = { pushed, clock: run.clock ?? real, real };
    entries = [];
  };
  own.hasEntries = () => entries.length > 0;
  const sinceOrigin = () => {
    if (run.importing) return 0;
    return begun.clock - begun.pushed + (run.kind === "query" ? 0 : Math.max(0, RealDate.now() - begun.real));
  };
  class PerformanceEntry {
    constructor(name, entryType, startTime, duration, detail = null) {
      Object.assign(this, { name: String(name), entryType, startTime, duration, detail: structuredClone(detail) });
    }
    toJSON() {
      return { ...this };
    }
  }
  class PerformanceMark extends PerformanceEntry {
    constructor(name, { startTime = sinceOrigin(), detail = null } = {}) {
      if (startTime < 0) throw new TypeError(`A mark's time can't be negative: ${startTime}`);
      super(name, "mark", startTime, 0, detail);
    }
  }
  class PerformanceMeasure extends PerformanceEntry {}
  const timeOf = (mark) => {
    if (typeof mark !== "string") {
      if (mark < 0) throw new TypeError(`A mark can't be negative: ${mark}`);
      return mark;
    }
    const found = entries.findLast((entry) => entry.entryType === "mark" && entry.name === mark);
    if (found === undefined) throw new DOMException(`Cannot find mark: "${mark}"`, "SyntaxError");
    return found.startTime;
  };
  const added = (entry) => (entries.push(entry), entry);
  const only = (name, type) =>
    entries.filter((e) => (name === undefined || e.name === name) && (type === undefined || e.entryType === type));
  const cleared = (type, name) => {
    entries = entries.filter((e) => e.entryType !== type || (name !== undefined && e.name !== name));
  };
  class Performance extends EventTarget {
    now() {
      return sinceOrigin();
    }
    get timeOrigin() {
      return begun.pushed;
    }
    mark(name, options = {}) {
      return added(new PerformanceMark(name, options));
    }
    measure(name, from = {}, endMark = undefined) {
      const given = typeof from === "object" && from !== null ? from : { start: from, end: endMark };
      const { start, end, duration, detail } = given === from && endMark !== undefined ? { ...from, end: endMark } : given;
      if (start !== undefined && end !== undefined && duration !== undefined) {
        throw new TypeError("A measure has no start, end and duration together.");
      }
      const long = duration === undefined ? undefined : timeOf(duration);
      const last = end !== undefined ? timeOf(end) : long !== undefined && start !== undefined ? timeOf(start) + long : sinceOrigin();
      const first = start !== undefined ? timeOf(start) : long !== undefined && end !== undefined ? last - long : 0;
      return added(new PerformanceMeasure(name, "measure", first, last - first, detail ?? null));
    }
    clearMarks(name) {
      cleared("mark", name);
    }
    clearMeasures(name) {
      cleared("measure", name);
    }
    clearResourceTimings() {}
    setResourceTimingBufferSize() {}
    getEntries() {
      return only();
    }
    getEntriesByName(name, type) {
      return only(name, type);
    }
    getEntriesByType(type) {
      return only(undefined, type);
    }
    toJSON() {
      return { timeOrigin: begun.pushed };
    }
  }
  Object.assign(globalThis, { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure });
  globalThis.performance = new Performance();
}
