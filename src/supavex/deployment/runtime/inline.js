// Convex's module for a query that comes with a request: `query`, with a reader of the database.
(own) => {
  "use strict";
  const { base64, unbase64 } = own;
  const body = function (__scope, __export, Convex) {
  return (async function () {
    "use strict";
    __export({ query: () => query, internalQuery: () => query });

    const call = async (operation, argument) => {
      try {
        return JSON.parse(await Convex.asyncSyscall(operation, JSON.stringify(argument)));
      } catch (error) {
        throw new Error(error.message);
      }
    };
    const bytes = (size, write) => {
      const buffer = new ArrayBuffer(size);
      write(new DataView(buffer));
      return base64(new Uint8Array(buffer));
    };
    const special = (value) => !Number.isFinite(value) || Object.is(value, -0);
    const coded = (value) => {
      if (typeof value === "bigint") return { $integer: bytes(8, (view) => view.setBigInt64(0, value, true)) };
      if (typeof value === "number" && special(value)) return { $float: bytes(8, (view) => view.setFloat64(0, value, true)) };
      if (value instanceof ArrayBuffer) return { $bytes: base64(new Uint8Array(value)) };
      if (Array.isArray(value)) return value.map(coded);
      if (typeof value === "object" && value !== null) {
        const members = Object.entries(value).filter(([, member]) => member !== undefined);
        return Object.fromEntries(members.map(([key, member]) => [key, coded(member)]));
      }
      if (!["string", "number", "boolean"].includes(typeof value) && value !== null) {
        throw new Error(`${String(value)} is not a supported Convex type.`);
      }
      return value;
    };
    const decoded = (data) => {
      if (Array.isArray(data)) return data.map(decoded);
      if (typeof data !== "object" || data === null) return data;
      const keys = Object.keys(data);
      if (keys.length === 1 && keys[0].startsWith("$")) {
        const raw = unbase64(data[keys[0]]);
        const view = new DataView(raw.buffer);
        if (keys[0] === "$integer") return view.getBigInt64(0, true);
        if (keys[0] === "$float") return view.getFloat64(0, true);
        if (keys[0] === "$bytes") return raw.buffer;
      }
      return Object.fromEntries(keys.map((key) => [key, decoded(data[key])]));
    };
    const literal = (value) => ({ $literal: value === undefined ? { $undefined: null } : coded(value) });
    const expression = (value) => (value instanceof Expression ? value.data : literal(value));
    class Expression {
      constructor(data) {
        this.data = data;
      }
    }
    const filters = { field: (path) => new Expression({ $field: path }) };
    for (const name of ["eq", "neq", "lt", "lte", "gt", "gte", "add", "sub", "mul", "div", "mod"]) {
      filters[name] = (left, right) => new Expression({ [`$${name}`]: [expression(left), expression(right)] });
    }
    for (const name of ["and", "or"]) {
      filters[name] = (...parts) => new Expression({ [`$${name}`]: parts.map(expression) });
    }
    for (const name of ["not", "neg"]) filters[name] = (part) => new Expression({ [`$${name}`]: expression(part) });

    class Range {
      parts = [];
    }
    for (const name of ["Eq", "Gt", "Gte", "Lt", "Lte"]) {
      Range.prototype[name.toLowerCase()] = function (fieldPath, value) {
        this.parts.push({ type: name, fieldPath, value: value === undefined ? { $undefined: null } : coded(value) });
        return this;
      };
    }

    class Query {
      constructor(table) {
        this.table = table;
        this.source = { type: "FullTableScan", tableName: table, order: null };
        this.operators = [];
      }
      withIndex(name, build = (range) => range) {
        this.source = { type: "IndexRange", indexName: `${this.table}.${name}`, range: build(new Range()).parts, order: null };
        return this;
      }
      order(order) {
        this.source.order = order;
        return this;
      }
      filter(build) {
        this.operators.push({ filter: expression(build(filters)) });
        return this;
      }
      async *[Symbol.asyncIterator]() {
        const query = { source: this.source, operators: this.operators };
        const { queryId } = JSON.parse(Convex.syscall("1.0/queryStream", JSON.stringify({ query })));
        for (;;) {
          const { value, done } = await call("1.0/queryStreamNext", { queryId });
          if (done) return;
          yield decoded(value);
        }
      }
      async collect() {
        const found = [];
        for await (const document of this) found.push(document);
        return found;
      }
      async take(count) {
        this.operators.push({ limit: count });
        return await this.collect();
      }
      async first() {
        return (await this.take(1))[0] ?? null;
      }
      async unique() {
        const found = await this.take(2);
        if (found.length > 1) throw new Error(`unique() query returned more than one result from table ${this.table}`);
        return found[0] ?? null;
      }
      async paginate({ numItems, cursor = null, endCursor = null }) {
        const query = { source: this.source, operators: this.operators };
        const page = await call("1.0/queryPage", { query, cursor, endCursor, pageSize: numItems });
        return { ...page, page: page.page.map(decoded) };
      }
    }
    const reader = (isSystem) => ({
      query: (table) => new Query(table),
      get: async (first, second) => {
        const named = second === undefined ? { id: first } : { table: first, id: second };
        return decoded(await call("1.0/get", { ...named, isSystem }));
      },
      normalizeId: (table, idString) =>
        JSON.parse(Convex.syscall("1.0/db/normalizeId", JSON.stringify({ table, idString }))).id,
    });
    const context = {
      db: { ...reader(false), system: reader(true) },
      auth: { getUserIdentity: () => call("1.0/getUserIdentity", {}) },
      storage: { getUrl: (storageId) => call("1.0/storageGetUrl", { storageId }) },
    };
    const query = (definition) => {
      const handler = typeof definition === "function" ? definition : definition.handler;
      return {
        invokeQuery: async (args) => {
          const result = await handler(context, ...JSON.parse(args).map(decoded));
          return JSON.stringify(coded(result === undefined ? null : result));
        },
      };
    };
  })();
  };
  own.define({ path: "_inline/wrappers.js", requires: [], imports: {}, body, stars: [] });
}
