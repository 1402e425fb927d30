// Convex's console: sends printed lines to the host.
(own) => {
  "use strict";
  const { inspected, placesOf } = own;
  // The host's own limits are lower.
  const MAX_LINES = 300;
  let lines = 0;
  const line = (level, texts) => {
    if (++lines <= MAX_LINES) own.outbox.push([0, 0, "log", level, texts.map((text) => text.slice(0, 40000))]);
  };
  const log = (level, values) => (lines > MAX_LINES ? undefined : line(level, values.map(inspected)));
  const timers = new Map();
  const timed = (label, then, values = []) => {
    const name = label === undefined ? "default" : String(label);
    const start = timers.get(name);
    if (start === undefined) line("WARN", [`Timer '${name}' does not exist`]);
    else {
      const text = `${name}: ${own.realNow() - start}ms`;
      line("INFO", [own.node === null ? text : inspected(text), ...values.map(inspected)]);
    }
    then(name);
  };
  // Only the methods that Convex has, so that a call of another fails here, too.
  const console = Object.assign(Object.create({}), {
    log: (...values) => log("LOG", values),
    debug: (...values) => log("DEBUG", values),
    info: (...values) => log("INFO", values),
    warn: (...values) => log("WARN", values),
    error: (...values) => log("ERROR", values),
    trace: (...values) => line("TRACE", [...values.map(inspected), placesOf(new Error()).join("\n")]),
    time: (label) => {
      const name = label === undefined ? "default" : String(label);
      if (timers.has(name)) line("WARN", [`Timer '${name}' already exists`]);
      else timers.set(name, own.realNow());
    },
    timeLog: (label, ...values) => timed(label, () => {}, values),
    timeEnd: (label) => timed(label, (name) => timers.delete(name)),
  });
  Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
  Object.defineProperty(globalThis, "console", { value: console, writable: true, configurable: true, enumerable: false });
  own.line = line;
  own.hasLines = () => lines > 0 || timers.size > 0;
  own.beginLines = () => {
    timers.clear();
    lines = 0;
  };
}
