// The pushed modules: defined once, and instantiated for each run, so that no state outlives a run.
(own) => {
  "use strict";
  const definitions = new Map();
  own.define = (definition) => void definitions.set(definition.path, definition);

  // Node's modules, which only files for Node import.
  const isNode = (path) => path.startsWith("node:");
  const namespaces = new Map();
  const ofNode = (path) => {
    if (own.node === null) throw new Error(`Could not find the module ${path}.`);
    return own.node.load(path);
  };
  // The scope of imports. V8 shows it as the receiver of imported functions: errors.js knows its name.
  class __Imports {}
  const resolved = (path, name) => {
    const parts = path.split("/").slice(0, -1);
    for (const part of name.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    return parts.join("/");
  };
  // A set of instances. Their code reaches the deployment through `Convex`; `mayLoad` throws if `import()` is
  // refused.
  own.instances = (Convex, mayLoad = () => {}) => {
    const instances = new Map();
    const load = (path) => {
      let instance = instances.get(path);
      if (instance === undefined) {
        const definition = definitions.get(path);
        if (definition === undefined) throw new Error(`Could not find the module ${path}.`);
        instance = { exports: {}, done: null };
        instances.set(path, instance);
        instance.done = evaluate(definition, instance.exports);
      }
      return instance;
    };
    const exportsOf = (path) => instances.get(path).exports;
    const evaluate = async ({ path, requires, imports, body, stars }, exports) => {
      for (const required of requires) {
        if (isNode(required) && !namespaces.has(required)) namespaces.set(required, await ofNode(required));
        // Modules that import each other: the first of them is not waited for.
        if (!isNode(required) && !instances.has(required)) await load(required).done;
      }
      const scope = Object.setPrototypeOf(new __Imports(), null);
      for (const [local, [module, name]] of Object.entries(imports)) {
        const from = isNode(module) ? () => namespaces.get(module) : () => exportsOf(module);
        const get = name === "*" ? from : () => from()[name];
        Object.defineProperty(scope, local, { get });
      }
      const define = (getters) => {
        for (const [name, get] of Object.entries(getters)) {
          Object.defineProperty(exports, name, { get, enumerable: true });
        }
      };
      const loaded = async (name) => {
        mayLoad();
        const relative = String(name).startsWith(".");
        if (!relative && own.node !== null) return await own.node.load(`node:${String(name).replace(/^node:/, "")}`);
        return await whole(resolved(path, String(name)));
      };
      // In Convex's form, and only at the first use.
      Object.defineProperty(loaded, "meta", { get: () => { throw new Error("import.meta unsupported"); } });
      const done = body(scope, define, Convex, loaded);
      for (const star of stars.filter((path) => !isNode(path))) {
        for (const name of Object.keys(exportsOf(star))) {
          if (name !== "default" && !Object.hasOwn(exports, name)) define({ [name]: () => exportsOf(star)[name] });
        }
      }
      await done;
    };
    const whole = async (path) => {
      const instance = load(path);
      await instance.done;
      return instance.exports;
    };
    return whole;
  };
}
