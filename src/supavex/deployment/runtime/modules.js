// The pushed modules: defined once, instantiated anew for each run, so that nothing in them outlives one.
(own) => {
  "use strict";
  const definitions = new Map();
  own.define = (definition) => void definitions.set(definition.path, definition);

  // Node's own modules: enough to import a file for actions in Node, whose functions don't run here.
  const anything = new Proxy(function () {}, {
    get: (target, key) => (key === Symbol.toPrimitive ? () => "" : key === "then" ? undefined : anything),
    apply: () => anything,
    construct: () => anything,
  });
  const isNode = (path) => path.startsWith("node:");
  const from = (path, name) => {
    const parts = path.split("/").slice(0, -1);
    for (const part of name.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    return parts.join("/");
  };

  // A set of instances. `Convex` is what their code reaches the deployment by; `mayLoad` throws where `import()` is
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
        // Modules that import each other: the one that began first is not waited for.
        if (!isNode(required) && !instances.has(required)) await load(required).done;
      }
      const scope = Object.create(null);
      for (const [local, [module, name]] of Object.entries(imports)) {
        const get = isNode(module)
          ? () => anything
          : name === "*"
            ? () => exportsOf(module)
            : () => exportsOf(module)[name];
        Object.defineProperty(scope, local, { get });
      }
      const define = (getters) => {
        for (const [name, get] of Object.entries(getters)) {
          Object.defineProperty(exports, name, { get, enumerable: true });
        }
      };
      const loaded = async (name) => {
        mayLoad();
        return await whole(from(path, String(name)));
      };
      // As Convex has it, and only where it is asked for.
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
