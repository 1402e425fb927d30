// Imports pushed modules and describes them: functions, schema, routes, crons, authentication.
(own) => {
  "use strict";
  const { stringify } = JSON;
  const { web } = own;
  const refuse = (what) => () => {
    throw new Error(`Can't use ${what} while importing a module.`);
  };
  // An auth.config.ts that reads an unset variable is refused, with the text that the official CLI looks for.
  let strict = false;
  let ofComponent = false; // a component's convex.config.ts
  let environment = {};
  // Only the parts that Convex has.
  const variables = (target) => new Proxy(target, {
    get: (target, name) => {
      if (typeof name !== "string") return target[name];
      if (!ofComponent && Object.hasOwn(environment, name)) return environment[name];
      if (ofComponent) {
        throw new Error(
          "Environment variables are only supported in the app's convex.config.ts. " +
            "Learn more at https://docs.convex.dev/components/authoring#environment-variables",
        );
      }
      if (strict) throw new Error(`Environment variable ${name} is used in auth config file but its value was not set`);
      return undefined;
    },
  });
  const forConvex = { env: variables({}) };

  const functionOf = (name, value) => {
    const kinds = [["isQuery", "Query"], ["isMutation", "Mutation"], ["isAction", "Action"]];
    const found = kinds.filter(([flag]) => value[flag] === true);
    if (found.length !== 1 || (value.isPublic === true) === (value.isInternal === true)) return null;
    return {
      name,
      pos: null,
      udfType: found[0][1],
      visibility: { kind: value.isPublic === true ? "public" : "internal" },
      args: typeof value.exportArgs === "function" ? value.exportArgs() : null,
      returns: typeof value.exportReturns === "function" ? value.exportReturns() : null,
    };
  };

  const analyzed = (path, exports) => {
    const result = { functions: [], httpRoutes: null, cronSpecs: null, sourceMapped: null };
    for (const name of Object.keys(exports)) {
      const value = exports[name];
      if (value === null || (typeof value !== "function" && typeof value !== "object")) continue;
      const found = functionOf(name, value);
      if (found !== null) result.functions.push(found);
    }
    if (path === "http.js") {
      if (exports.default?.isRouter !== true) {
        throw new Error("The default export of `convex/http.ts` is not a Router.");
      }
      result.httpRoutes = exports.default.getRoutes().map(([path, method]) => ({ route: { path, method }, pos: null }));
    }
    if (path === "crons.js") {
      if (exports.default?.isCrons !== true) {
        throw new Error("The default export of `convex/crons.ts` is not a Crons object.");
      }
      result.cronSpecs = Object.entries(JSON.parse(exports.default.export()));
    }
    return result;
  };

  const providersOf = (exports) => {
    const providers = exports.default?.providers;
    if (!Array.isArray(providers)) {
      throw new Error("The default export of `convex/auth.config.ts` has no list of providers.");
    }
    // If an issuer's tokens name no application, Convex answers with null, and the CLI requires it.
    return JSON.parse(JSON.stringify(providers)).map((provider) =>
      provider?.type === "customJwt" ? { ...provider, applicationID: provider.applicationID ?? null } : provider,
    );
  };

  const schemaOf = (exports) => {
    const schema = exports.default;
    if (schema === undefined) return { missing: true };
    if (typeof schema?.export !== "function") return { invalid: true };
    return { text: schema.export() };
  };

  const definitionOf = (exports) => {
    if (!Object.hasOwn(exports, "default")) return { problem: "missing default export" };
    const definition = exports.default;
    if (definition === null || typeof definition !== "object") return { problem: "the default export is not an object" };
    if (Object.keys(exports).length !== 1) return { problem: "`convex.config.ts` has more than one export" };
    if (!("export" in definition)) {
      return { problem: "missing `export` property on the default export of `convex.config.ts`" };
    }
    const app = "(where `app` is the default export of `convex.config.ts`)";
    if (typeof definition.export !== "function") return { problem: `\`app.export\` ${app} is not a function` };
    const said = definition.export();
    if (said === null || typeof said !== "object") return { problem: `\`app.export()\` ${app} doesn’t return an object` };
    return { text: stringify(said) };
  };

  // Any value can be thrown, and reading it may throw again.
  const said = (read, otherwise) => {
    try {
      return String(read());
    } catch {
      return otherwise;
    }
  };
  const failure = (path, error) => ({
    module: path,
    name: said(() => error?.name ?? "Error", "Error"),
    message: said(() => error?.message ?? error, "something that can't be read was thrown"),
    stack: said(() => error?.stack ?? "", ""),
  });

  const onlyActions = (path, { name, udfType }) =>
    `\`${name}\` defined in \`${path}\` is a ${udfType} function. Only actions can be defined in Node.js. ` +
    "See https://docs.convex.dev/functions/actions for more details.";
  const evaluated = async (request) => {
    const answer = { functions: {}, schema: null, auth: [], definitions: {}, failure: null };
    const [syscall, later] = [refuse("the database"), () => 0];
    const load = own.instances({ syscall, asyncSyscall: syscall, jsSyscall: syscall });
    web.analyzing = web.importing = true;
    // A timer that an import sets never fires, because the process ends before.
    const fetch = () => Promise.reject(new Error("Can't use fetch() while importing a module."));
    if (own.node === null) {
      Object.assign(globalThis, { setTimeout: later, setInterval: later, clearTimeout: later, clearInterval: later, fetch });
    }
    ({ environment } = request);
    own.setEnvironment?.(environment);
    for (const path of request.modules) {
      try {
        strict = path === "auth.config.js";
        const definition = request.definitions[path];
        ofComponent = definition !== undefined && definition !== "";
        if (own.node === null) globalThis.process = forConvex;
        const exports = await load(path);
        if (path === request.schema) answer.schema = schemaOf(exports);
        else if (path === "auth.config.js") answer.auth = providersOf(exports);
        else if (definition !== undefined) {
          answer.definitions[definition] = definitionOf(exports);
          if (answer.definitions[definition].problem !== undefined) break; // Other definitions import it.
        } else answer.functions[path] = analyzed(path, exports);
        const other = own.node === null ? undefined : answer.functions[path]?.functions.find((f) => f.udfType !== "Action");
        if (other !== undefined) throw new Error(onlyActions(path, other));
      } catch (error) {
        answer.failure = failure(path, error);
        break;
      }
    }
    return stringify(answer);
  };
  // The app's toJSON may throw, or never end. The answer is then a text, which has no toJSON of the app.
  const unwritten = '{"failure": {"module": "", "name": "Error", "message": "what the modules say can\'t be written as JSON"}}';
  own.analyze = (request) =>
    evaluated(request).then(own.answer, (error) => own.answer(stringify({ failure: failure("", error) }))).catch(() => own.answer(unwritten));
}
