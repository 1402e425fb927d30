// The globals of functions in files for Node: Deno's API of Node, within the permissions of the process, and the
// deployment's variables as the environment. The process's own pipes are hidden.
(own) => {
  "use strict";
  const { process, fetch, AbortController, AbortSignal, Request } = globalThis;
  const { NotCapable } = own.deno.errors;
  const run = { kind: "", importing: false, analyzing: false, clock: null, ended: new AbortController() };
  own.web = run;
  run.begin = (kind) => Object.assign(run, { kind });
  run.end = () => run.ended.abort();
  own.realNow = Date.now;
  own.beginClock = own.seed = () => {};
  own.seeded = () => null;

  const hidden = { writable: true, configurable: true, enumerable: false };
  const put = (name, value) => Object.defineProperty(globalThis, name, { value, ...hidden });
  own.setEnvironment = (environment) => Object.defineProperty(process, "env", { value: { ...environment }, ...hidden });
  // A namespace keeps the module's exports even if the module's object changes later.
  const { load } = own.node;
  own.node.load = async (name) => {
    const found = await load(name);
    if (name !== "node:process") return found;
    const env = { get: () => process.env, enumerable: true };
    return Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(found), env });
  };
  const { Writable, Readable } = own.node.streams;
  for (const name of ["stdout", "stderr"]) {
    const level = name === "stdout" ? "LOG" : "ERROR";
    const write = (chunk, encoding, done) => (own.line(level, [String(chunk).trimEnd()]), done());
    Object.defineProperty(process, name, { value: new Writable({ write, decodeStrings: false }), ...hidden });
  }
  Object.defineProperty(process, "stdin", { value: Readable.from([]), ...hidden });
  put("require", own.node.require);
  put("fetch", (input, init) => fetched(input, init));
  const fetched = async (input, init) => {
    const request = new Request(input, init);
    try {
      return await fetch(request, { signal: AbortSignal.any([request.signal, run.ended.signal]) });
    } catch (error) {
      throw error instanceof NotCapable ? own.refusal(error, request.url) : error;
    }
  };
  const refuse = () => {
    throw new Error("A function does not end the process.");
  };
  const exit = (code) => {
    const error = new Error(`process.exit() called ${code === undefined ? "with no exit code" : `with exit code ${code}`}`);
    own.rejected(error, "process.exit");
    throw error;
  };
  Object.assign(process, { exit, abort: refuse, reallyExit: refuse, kill: refuse });
  own.listen(globalThis.addEventListener.bind(globalThis));
  put("Deno", own.deno); // Deno's own parts of Node look for it
}
