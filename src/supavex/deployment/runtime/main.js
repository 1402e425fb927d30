// The process that runs functions: reads the host's messages, and answers. All of Deno's API is saved here, before any
// code of the app is loaded, and removed from the global object; see web.js.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { setImmediate } from "node:timers";

const { stdin, stdout, exit } = Deno;
// Files for Node have Node's API; others have none of it.
const node = Deno.args[0] === "node" ? await (async () => {
  const [{ createRequire }, streams] = await Promise.all([import("node:module"), import("node:stream")]);
  return { require: createRequire("file:///app/"), streams, load: (name) => import(name) };
})() : null;
const { parse, stringify } = JSON;
const { setInterval } = globalThis;
const evaluated = globalThis.eval;
const unbound = Function.prototype.call.bind.bind(Function.prototype.call);
const [subarray, setBytes] = ["subarray", "set"].map((name) => unbound(Object.getPrototypeOf(Uint8Array.prototype)[name]));
const [charAt, sliced] = ["charAt", "slice"].map((name) => unbound(String.prototype[name]));
const then = unbound(Promise.prototype.then);
const [read, readSync, writeSync] = [stdin.read.bind(stdin), stdin.readSync.bind(stdin), stdout.writeSync.bind(stdout)];
const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
const [decoded, encoded] = [decoder.decode.bind(decoder), encoder.encode.bind(encoder)];
const [toBase64, fromBase64] = [unbound(Uint8Array.prototype.toBase64), Uint8Array.fromBase64.bind(Uint8Array)];
const view = new DataView(new ArrayBuffer(4));
const [getUint32, setUint32] = ["getUint32", "setUint32"].map((name) => DataView.prototype[name].bind(view));
const head = new Uint8Array(view.buffer);
const TOKEN = 32;

// Frames: four bytes of length, then a kind, the run's token, and a text. Received: `R` and a script of this folder,
// `L` and a module, `S` and a step, `F` and the first step of a run that the prepared modules are not for, `A` and modules
// to analyse, `C` for the end of a run. Sent: `+` and an answer, `-` and the reason for a missing one.

let token = ""; // The run's token: messages without it are not the run's.
const received = () => {
  if (!filledSync(head)) return null;
  const body = new Uint8Array(getUint32(0, true));
  return filledSync(body) ? decoded(body) : null;
};
const filledSync = (bytes) => {
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(subarray(bytes, at));
    if (count === null) return false;
    at += count;
  }
  return true;
};
const send = (kind, text) => {
  const body = encoded(kind + token + text);
  const frame = new Uint8Array(4 + body.length);
  setUint32(0, body.length, true);
  setBytes(frame, head, 0);
  setBytes(frame, body, 4);
  for (let at = 0; at < frame.length; ) at += writeSync(subarray(frame, at));
};

// Shared by the scripts of this folder, and unreachable for the app's code.
const own = { AsyncLocalStorage, AsyncResource, deno: Deno, node, outbox: [], base64: toBase64, unbase64: fromBase64, bytes: encoded };

// Turns: when one begins, no microtask of the last is left, and all uncaught rejections have been reported.

let scheduled = false;
let listening = false;
let cleaning = false;
let preparing = false; // modules of the next run
let failure = null; // the error of the last load
const schedule = () => {
  if (scheduled) return;
  scheduled = true;
  setImmediate(turn, false);
};
const turn = (idle) => {
  scheduled = false;
  const next = own.advance === undefined ? "host" : own.advance(idle);
  if (own.outbox.length > 0) {
    send("+", stringify(own.outbox));
    own.outbox.length = 0;
  }
  if (next === "again") schedule();
  else if (next === "loop") own.expects() && listen();
  else if (!listening && !cleaning) take();
};
const take = () => {
  let text;
  do {
    text = received();
    if (text === null) exit(0);
  } while (handle(charAt(text, 0), sliced(text, 1)));
};
// Actions continue while they wait for the host.
const listen = async () => {
  if (listening) return;
  listening = true;
  await filled(head);
  const body = new Uint8Array(getUint32(0, true));
  await filled(body);
  listening = false;
  const text = decoded(body);
  if (handle(charAt(text, 0), sliced(text, 1))) take();
};
const filled = async (bytes) => {
  for (let at = 0; at < bytes.length; ) {
    const count = await read(subarray(bytes, at));
    if (count === null) exit(0);
    at += count;
  }
};

// Whether the next message is read at once.
const handle = (kind, text) => {
  if (kind === "R") evaluated(text)(own);
  else if (kind === "L") define(text);
  else if (kind === "K") {
    token = "";
    if (failure === null) own.keep();
    send(failure === null ? "+" : "-", failure === null ? "" : stringify(failure));
  } else if (kind === "A") analyze(text);
  else {
    token = sliced(text, 0, TOKEN);
    // Before the run's step is read: nothing of what the prepared modules have changed may see it.
    if (kind === "F" && own.forget() !== "") send("-", "changed");
    else if (kind === "S" || kind === "F") {
      own.step(parse(sliced(text, TOKEN)));
      schedule();
    } else cleaning = true; // until no work is left: see own.idle
  }
  return kind === "R" || kind === "L" || kind === "K";
};
const define = (text) => {
  const path = text.slice(0, text.indexOf("\n"));
  try {
    own.define(evaluated(text.slice(path.length + 1)));
  } catch (error) {
    failure ??= { module: path, name: "SyntaxError", message: String(error.message) };
  }
};
const analyze = (text) => {
  setInterval(() => {}, 1 << 30); // Keeps the process alive until the answer.
  if (failure === null) own.analyze(parse(text));
  else own.answer(stringify({ failure }));
};
own.answer = (text) => {
  send("+", text);
  exit(0);
};
own.wake = schedule;
// Called when Deno has no work left. Returns whether that was expected. A run's leftovers must not reach the modules that
// are prepared for the next one. What preparing leaves is that run's: it is tested after it, or before any other one.
own.idle = () => {
  if (!cleaning) {
    setImmediate(turn, true);
    return;
  }
  const left = preparing && own.endPreparing() ? "" : own.clean();
  preparing = !preparing && left === "" && own.prepare();
  if (preparing) return;
  cleaning = false;
  send("+", left);
  schedule();
};
schedule();
