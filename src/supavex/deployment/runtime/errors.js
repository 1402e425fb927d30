// Describes thrown errors: the message, the stack, and the data of a ConvexError.
(own) => {
  "use strict";
  const RealError = globalThis.Error;
  const read = (get, otherwise) => {
    try {
      return get();
    } catch {
      return otherwise;
    }
  };

  // Stacks come from V8's list of frames and not from the text of `stack`, because a message may look like a stack.

  // Convex's form of a frame: `crates/common/src/errors.rs` of convex-backend. In Convex, imported functions have no
  // receiver; see modules.js.
  const placed = (site) => {
    const imported = site.getTypeName() === "__Imports";
    const [type, method] = imported ? [null, null] : [site.getTypeName(), site.getMethodName()];
    // V8's name for nameless functions of scripts that are made from texts, as all scripts here are.
    const name = site.isEval() && site.getFunctionName() === "eval" ? null : site.getFunctionName();
    const place = `${site.getScriptNameOrSourceURL()}:${site.getLineNumber()}:${site.getColumnNumber()}`;
    const of = type === null ? "" : `${type}.`;
    // A function without a receiver is written as a method without an object.
    let shown;
    if (site.isConstructor()) shown = `new ${name ?? "<anonymous>"}`;
    else if (name === null) shown = `${of}${method ?? "<anonymous>"}`;
    else {
      const as = method && name.endsWith(method) ? ` [as ${method}]` : "";
      shown = `${type !== null && name.startsWith(type) ? of : ""}${name}${as}`;
    }
    return `${site.isAsync() ? "async " : ""}${shown} (${place})`;
  };
  // The stack as files for Node read it. Packages look for Node's own modules in it.
  const NOT_THE_APPS = /^(?:<anonymous>|own:|ext:|file:|\/)/;
  const COMPONENT = /^@[0-9a-f]{12}\//;
  const nodePlaced = (site) => {
    const file = site.getScriptNameOrSourceURL() ?? "";
    const ours = NOT_THE_APPS.test(file) || file === "";
    const line = site.getLineNumber();
    const place = ours ? "bundledFunctions.js" : file.startsWith("node:") ? file : `convex:/user/${file.replace(COMPONENT, "")}`;
    // A module's own lines begin on the second one of its script; see linking.py.
    const where = `${place}:${place.startsWith("convex:") ? line - 1 : line}:${site.getColumnNumber()}`;
    const name = site.getFunctionName() || site.getMethodName();
    return name ? `${site.isAsync() ? "async " : ""}${name} (${where})` : where;
  };
  const nodeHead = (error) => {
    const message = read(() => String(error.message), "unknown error");
    return message === "" ? "Error" : `Error: ${message}`;
  };
  const stacks = new WeakMap();
  const headOf = Error.prototype.toString;
  Error.prepareStackTrace = (error, sites) => {
    const places = [];
    for (let i = 0; i < sites.length; i++) places[i] = read(() => placed(sites[i]), "");
    stacks.set(error, places);
    if (own.node !== null) {
      const lines = [];
      for (let i = 0; i < sites.length; i++) lines[i] = read(() => nodePlaced(sites[i]), "<unknown location>");
      return [nodeHead(error), ...lines].join("\n    at ");
    }
    return [read(() => headOf.call(error), "Error"), ...places].join("\n    at ");
  };
  const placesOf = (error) => {
    read(() => error.stack); // the first read makes V8 call the function above
    return read(() => stacks.get(error)) ?? [];
  };
  own.placesOf = placesOf;

  const UNREADABLE = "something that can't be read was thrown";
  own.thrown = (error) => {
    const object = (typeof error === "object" || typeof error === "function") && error !== null;
    if (!object || !read(() => error instanceof RealError, false)) {
      const shown = object ? () => `#<${error.constructor.name}>` : () => String(error);
      return { name: "", message: read(shown, object ? "#<Object>" : UNREADABLE), places: [], data: null };
    }
    const marked = read(() => error[Symbol.for("ConvexError")] === true, false);
    return {
      name: read(() => (error.name === undefined ? "Error" : String(error.name)), ""),
      message: read(() => (error.message === undefined ? "" : String(error.message)), UNREADABLE),
      places: placesOf(error),
      data: marked ? read(() => (typeof error.data === "string" ? error.data : null), null) : null,
    };
  };

  // A host that the process may not connect to.
  const ASKED = /net access to "(.*?)(?::\d+)?"/;
  own.refusal = (error, url) => {
    const host = ASKED.exec(error.message)?.[1] ?? "it";
    const why = `${host} is not allowed here. Allow it by \`supavex serve --allow-fetch ${host}\``;
    return new TypeError(`fetch failed: ${url.slice(0, 200)}: ${why}`);
  };

  // Deno calls back from some of Node's functions within promises: what a callback throws is a rejection there, and is none
  // in Node. (A callback that is async rejects in Node, too; stacks do not tell.)
  const calledBack = (reason) => {
    const places = placesOf(reason);
    return places.length > 1 && /\(ext:deno_node\//.test(places[places.length - 1]);
  };

  // Listens for uncaught errors and for the end of all work. `listen` adds a listener to the global object.
  own.listen = (listen) => {
    listen("unhandledrejection", (event) => {
      event.preventDefault();
      own.rejected(event.reason, calledBack(event.reason) ? "uncaughtException" : "unhandledRejection");
    });
    listen("error", (event) => {
      event.preventDefault();
      own.rejected(event.error, "uncaughtException");
    });
    listen("beforeunload", (event) => {
      event.preventDefault();
      own.idle();
    });
  };
}
