// Whether a run has left everything as it was.
(own) => {
  "use strict";
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, isExtensible } = Reflect;
  const { freeze, is } = Object;

  // Between two runs everything that both could see must be as it was: all that is reached from the global object, and
  // what syntax alone reaches. Nothing here may depend on what a function could have changed: no iterators, no methods.

  const hidden = [function* () {}, async function () {}, async function* () {}, [].keys(), new Map().keys(),
    new Set().keys(), ""[Symbol.iterator](), "".matchAll(/a/g), Iterator.from({ next() {} }), [].values().map(() => 1)]
    .map((value) => getPrototypeOf(value));
  let kept = [];
  own.keep = () => {
    kept = [];
    own.keepGlobals();
    const queue = [globalThis, ...hidden];
    const seen = new Set(queue);
    const reach = (value) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
      seen.add(value);
      queue.push(value);
    };
    for (const object of queue) {
      const [names, values, accessors, getters, setters] = [[], [], [], [], []];
      for (const key of ownKeys(object)) {
        const property = getOwnPropertyDescriptor(object, key);
        if ("value" in property) {
          names.push(key);
          values.push(property.value);
        } else {
          accessors.push(key);
          getters.push(property.get);
          setters.push(property.set);
        }
        [property.value, property.get, property.set].forEach(reach);
      }
      const prototype = getPrototypeOf(object);
      reach(prototype);
      // Of a method, nobody changes but the place where it is found: frozen, it need not be looked at. A process for Node
      // runs one action, and Node's packages do change some.
      if (own.node === null && typeof object === "function" && !names.includes("prototype")) {
        freeze(object);
        continue;
      }
      const extensible = isExtensible(object);
      kept.push({ object, prototype, extensible, names, values, accessors, getters, setters });
    }
  };
  const unchanged = ({ object, prototype, extensible, names, values, accessors, getters, setters }) => {
    if (getPrototypeOf(object) !== prototype || isExtensible(object) !== extensible) return false;
    if (ownKeys(object).length !== names.length + accessors.length) return false;
    for (let i = 0; i < names.length; i++) if (!is(object[names[i]], values[i])) return false;
    for (let i = 0; i < accessors.length; i++) {
      const property = getOwnPropertyDescriptor(object, accessors[i]);
      if (property === undefined || property.get !== getters[i] || property.set !== setters[i]) return false;
    }
    return true;
  };
  own.clean = () => {
    for (let i = 0; i < kept.length; i++) if (!unchanged(kept[i])) return "changed";
    own.clear();
    own.outbox.length = 0;
    /(?:)/.test(""); // or the last match would be seen by the next run
    return "";
  };
}
