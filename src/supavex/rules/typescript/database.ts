/** A document, or a new one that has no id yet. */
export type Row<T extends TableNames> = Omit<Doc<T>, "_id" | "_creationTime"> & {
  _id?: Id<T>;
  _creationTime?: number;
};

type Command = "select" | "insert" | "update" | "delete";
type Answer = boolean | Promise<boolean>;

/** A policy. A row passes if one permissive policy and all restrictive policies accept it. */
interface Policy<T extends TableNames> {
  name: string;
  command: Command | "all";
  /** The roles that the policy applies to; without it, every role. */
  to?: string[];
  restrictive?: true;
  using?: (row: Row<T>, caller: Caller) => Answer;
  check?: (row: Row<T>, caller: Caller) => Answer;
}

interface TableRules<T extends TableNames> {
  /** Whether row level security is enabled. If it is, a table without a policy is closed. */
  security: boolean;
  policies: Policy<T>[];
  /** The commands that each role is granted; without it, every command. */
  grants?: Record<string, Command[]>;
  /** The commands that PostgreSQL refuses a role for every row, and why. */
  throws?: Partial<Record<Command, Record<string, "recursion" | "rights">>>;
}

interface Unique<T extends TableNames> {
  name: string;
  fields: string[];
  index?: string;
  /** The unique fields that begin the index. */
  indexed?: string[];
  nullsNotDistinct?: true;
  where?: (row: Row<T>, caller: Caller) => Answer;
}

interface Constraints<T extends TableNames> {
  /** Types that validators do not check: the value that a column holds for another; undefined if it takes it not. */
  types?: Record<string, (value: unknown) => unknown>;
  /** The values of fields that a new document does not have. */
  defaults?: Record<string, (caller: Caller) => unknown>;
  /** The fields that each update sets to the current time. */
  touched?: (caller: Caller) => Record<string, unknown>;
  /** Fields that hold the key in `_id`, too. An update does not change them, because policies read `_id`. */
  fixed?: string[];
  required?: string[];
  unique?: Unique<T>[];
  checks?: { name: string; fails: (row: Row<T>, caller: Caller) => Answer }[];
  references?: { name: string; field: string; table: TableNames }[];
  children?: Child[];
}

/** A field of `table` that refers to documents. With `null` it holds null for NULL; without, it is absent. */
interface Child {
  table: TableNames;
  field: string;
  index?: string;
  onDelete: "cascade" | "set null" | "restrict";
  /** The fields that PostgreSQL's columns refer to, if these are not the key that `_id` replaces. */
  key?: string[];
  /** What a change of `key` does. */
  onUpdate?: "cascade" | "set null" | "restrict";
  null?: null;
}

/** The caller of a function, and the databases that rules read. */
export interface Caller {
  /** The value of `auth.uid()`; null if nobody is signed in. */
  uid: %UID% | null;
  role: string;
  email: string | null;
  /** The value of `auth.jwt()`. */
  claims: Record<string, unknown>;
  /** Milliseconds since 1970. */
  now: number;
  /** Reads the documents that the caller may see. */
  db: DatabaseReader;
  /** Reads all documents, as a SECURITY DEFINER function does. */
  all: DatabaseReader;
}

/** Builders for the app's functions. Their `ctx.db` enforces the rules. Internal functions replace service_role. */
export const query = customQuery(publicQuery, {
  args: {},
  input: async (ctx) => ({ ctx: { db: (await callerOf(ctx)).db }, args: {} }),
});
export const mutation = customMutation(publicMutation, {
  args: {},
  input: async (ctx) => ({ ctx: { db: guarded(await callerOf(ctx), ctx.db) }, args: {} }),
});

/** The caller of a function, for code that calls the rules itself. */
export async function callerOf(ctx: { auth: Auth; db: DatabaseReader }): Promise<Caller> {
  const db = unguarded.get(ctx.db) ?? ctx.db;
  const caller = { ...(await identityOf({ auth: ctx.auth, db })), now: Date.now(), all: db } as Caller;
  caller.db = reader(caller);
  unguarded.set(caller.db, db);
  return caller;
}
/** The database without rules behind each `ctx.db` of the builders. SECURITY DEFINER functions read it. */
const unguarded = new WeakMap<object, DatabaseReader>();

type Texts = readonly (string | null | undefined)[];

function refused(code: string, details: Record<string, string | string[]>): ConvexError<Record<string, string | string[]>> {
  return new ConvexError({ code, ...details });
}

// Policies

function rulesOf(table: TableNames): TableRules<TableNames> {
  const found = Object.hasOwn(rules, table) ? rules[table] : undefined;
  if (found === undefined) throw refused("policy", { table, reason: "rules.ts does not name the table" });
  return found as unknown as TableRules<TableNames>;
}

function granted(table: TableNames, command: Command, caller: Caller): boolean {
  const { grants, throws } = rulesOf(table);
  const why = throws?.[command]?.[caller.role];
  if (why !== undefined) throw refused(why, { table, command });
  return grants === undefined || (grants[caller.role]?.includes(command) ?? false);
}

/** Throws if the role may not SELECT. An empty result instead would make NOT EXISTS true. */
function demandSelect(table: TableNames, caller: Caller): void {
  if (!granted(table, "select", caller)) throw refused("policy", { table, command: "select" });
}

async function passes(table: TableNames, command: Command, side: "using" | "check", row: Row<TableNames>, caller: Caller) {
  const { security, policies } = rulesOf(table);
  if (!security) return true;
  const own = policies.filter(
    (policy) => (policy.command === command || policy.command === "all") && (policy.to?.includes(caller.role) ?? true),
  );
  const test = (policy: Policy<TableNames>) => (side === "check" ? (policy.check ?? policy.using) : policy.using);
  const asking = own.length > 0 ? oneLevelDeeper(caller) : caller;
  let open = false;
  for (const policy of own) {
    if (!policy.restrictive && !open) open = (await test(policy)?.(row, asking)) ?? false;
  }
  if (!open) return false;
  for (const policy of own) {
    if (policy.restrictive && !((await test(policy)?.(row, asking)) ?? true)) return false;
  }
  return true;
}

/** The caller for what a policy reads. A policy that reads its own table in a function throws after 100 levels. */
function oneLevelDeeper(caller: Caller): Caller {
  let found = deeper.get(caller);
  if (found === undefined) {
    const level = (levels.get(caller) ?? 0) + 1;
    if (level > 100) throw refused("recursion", { reason: "a policy reads its own table again and again" });
    found = { ...caller };
    found.db = reader(found);
    unguarded.set(found.db, caller.all);
    levels.set(found, level);
    deeper.set(caller, found);
  }
  return found;
}
const deeper = new WeakMap<Caller, Caller>();
const levels = new WeakMap<Caller, number>();

/** Whether the caller may see a document. */
export async function read<T extends TableNames>(table: T, row: Row<T>, caller: Caller): Promise<boolean> {
  return granted(table, "select", caller) && (await passes(table, "select", "using", row as Loose, caller));
}

/** Whether the caller may store a new document. */
export async function insert<T extends TableNames>(table: T, row: Row<T>, caller: Caller): Promise<boolean> {
  return granted(table, "insert", caller) && (await passes(table, "insert", "check", row as Loose, caller));
}

/** Whether the caller may update a document. As in PostgreSQL, the policies of SELECT must show both versions. */
export async function update<T extends TableNames>(table: T, old: Row<T>, row: Row<T>, caller: Caller): Promise<boolean> {
  const [before, after] = [old as Loose, row as Loose];
  return (
    granted(table, "update", caller) &&
    (await read(table, old, caller)) &&
    (await passes(table, "update", "using", before, caller)) &&
    (await passes(table, "update", "check", after, caller)) &&
    (await passes(table, "select", "using", after, caller))
  );
}

/** Whether the caller may remove a document. */
export async function remove<T extends TableNames>(table: T, row: Row<T>, caller: Caller): Promise<boolean> {
  const old = row as Loose;
  return (
    granted(table, "delete", caller) &&
    (await read(table, row, caller)) &&
    (await passes(table, "delete", "using", old, caller))
  );
}

// Reading

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Loose = any;

/** The table of an id. Throws if rules.ts does not name the table. */
function tableOf(db: DatabaseReader, id: string): TableNames {
  for (const table of Object.keys(rules) as TableNames[]) if (db.normalizeId(table, id) !== null) return table;
  throw refused("policy", { reason: "the id is of no table that rules.ts names" });
}

function reader(caller: Caller): DatabaseReader {
  const db = caller.all as Loose;
  const get = async (table: TableNames, id: string) => {
    demandSelect(table, caller);
    const row = db.normalizeId(table, id) === null ? null : await db.get(id);
    return row !== null && (await read(table, row, caller)) ? row : null;
  };
  return {
    get: async (first: string, second?: string) =>
      second === undefined ? get(tableOf(db, first), first) : get(first as TableNames, second),
    query: (table: TableNames) => {
      demandSelect(table, caller);
      return visibleOnly(db.query(table), (row) => read(table, row, caller));
    },
    normalizeId: (table: TableNames, id: string) => db.normalizeId(table, id),
    system: db.system,
  } as Loose;
}

/** A Convex query that returns only the documents that `visible` accepts. */
function visibleOnly(query: Loose, visible: (row: Loose) => Promise<boolean>): Loose {
  const links = ["fullTableScan", "withIndex", "withSearchIndex", "order", "filter"];
  async function* rows() {
    for await (const row of query) if (await visible(row)) yield row;
  }
  const take = async (count: number) => {
    const found = [];
    if (count > 0) for await (const row of rows()) if (found.push(row) >= count) break;
    return found;
  };
  const own: Loose = {
    [Symbol.asyncIterator]: rows,
    collect: () => take(Infinity),
    take,
    first: async () => (await take(1))[0] ?? null,
    unique: async () => {
      const found = await take(2);
      if (found.length > 1) throw new Error("unique() query returned more than one result");
      return found[0] ?? null;
    },
    paginate: async (options: Loose) => {
      const page = await query.paginate(options);
      const seen = await Promise.all(page.page.map(visible));
      return { ...page, page: page.page.filter((_: unknown, at: number) => seen[at]) };
    },
  };
  for (const link of links) {
    if (link in query) own[link] = (...args: unknown[]) => visibleOnly(query[link](...args), visible);
  }
  return own;
}

/** The documents of `table` that the caller may see, found by index, each once. */
async function visibleBy<T extends TableNames>(ctx: { auth: Auth; db: DatabaseReader }, table: T, ways: Way<T>[]) {
  const caller = await callerOf(ctx as Loose);
  const found = new Map<string, Doc<T>>();
  demandSelect(table, caller);
  for (const way of ways) {
    for (const { index, exact, fields } of await way(caller)) {
      const db = exact ? caller.all : caller.db;
      for await (const row of find(db, table, fields, index)) found.set(row._id, row);
    }
  }
  return [...found.values()];
}
/** `exact`: every document found is visible, so that no policy has to test it. */
type Found = { index: string | undefined; exact?: true; fields: Record<string, unknown> };
type Way<T extends TableNames> = (caller: Caller) => Promise<Found[]>;

/** The documents whose fields equal `equal`; none if one of its values is NULL. The fields `indexed` begin `index`. */
async function* find<T extends TableNames>(
  db: DatabaseReader,
  table: T,
  equal: Record<string, unknown> = {},
  index?: string,
  indexed: string[] = Object.keys(equal),
): AsyncGenerator<Doc<T>> {
  const entries = Object.entries(equal);
  if (entries.some(([, value]) => value === null || value === undefined)) return;
  const loose = db as Loose;
  if ("_id" in equal) {
    const id = loose.normalizeId(table, equal._id);
    const row = id === null ? null : await loose.get(table, id);
    if (row !== null && entries.every(([name, value]) => equalValues(row[name], value))) yield row;
    return;
  }
  let query = loose.query(table);
  if (index !== undefined) {
    query = query.withIndex(index, (q: Loose) => indexed.reduce((range, name) => range.eq(name, equal[name]), q));
  }
  for await (const row of query) if (entries.every(([name, value]) => equalValues(row[name], value))) yield row;
}

// Writing

function guarded(caller: Caller, db: DatabaseWriter): DatabaseWriter {
  const all = db as Loose;
  const old = async (table: TableNames, id: string, command: Command): Promise<Loose> => {
    const row = all.normalizeId(table, id) === null ? null : await all.get(id);
    if (row === null || !(await read(table, row, caller))) throw refused("policy", { table, command });
    return row;
  };
  const change = async (args: Loose[], made: (row: Loose, fields: Loose) => Loose) => {
    const [table, id, given] = args.length > 2 ? args : [tableOf(all, args[0]), ...args];
    const fields = typed(table, given);
    const before = await old(table, id, "update");
    const touched = constraintsOf(table).touched?.(caller) ?? {};
    const after = withoutAbsent({ ...made(before, fields), ...touched, _id: before._id, _creationTime: before._creationTime });
    const moved = constraintsOf(table).fixed?.some((name) => !isNull(before[name]) && before[name] !== after[name]);
    if (moved || !(await update(table, before, after, caller))) throw refused("policy", { table, command: "update" });
    await checkConstraints(table, after, caller, before);
    await changeWithChildren(table, before, after, caller, all);
  };
  const made = {
    ...(caller.db as Loose),
    vars: all.vars,
    insert: async (table: TableNames, fields: Loose) => {
      rulesOf(table);
      const row = await withDefaults(table, withoutAbsent(typed(table, fields)), caller);
      if (!(await insert(table, row, caller))) throw refused("policy", { table, command: "insert" });
      await checkConstraints(table, row, caller);
      return all.insert(table, row);
    },
    patch: (...args: Loose[]) => change(args, (row, fields) => ({ ...row, ...fields })),
    replace: (...args: Loose[]) => change(args, (_row, fields) => fields),
    delete: async (...args: Loose[]) => {
      const [table, id] = args.length > 1 ? args : [tableOf(all, args[0]), args[0]];
      const row = await old(table, id, "delete");
      if (!(await remove(table, row, caller))) throw refused("policy", { table, command: "delete" });
      await removeWithChildren(table, row, caller, all);
    },
  } as Loose;
  unguarded.set(made, db);
  return made;
}

function withoutAbsent(fields: Loose): Loose {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Fields as their columns hold them. Throws if the type of one does not take its value. */
function typed(table: TableNames, fields: Loose): Loose {
  const found = { ...fields };
  for (const [name, held] of Object.entries(constraintsOf(table).types ?? {})) {
    if (isNull(found[name])) continue;
    found[name] = held(found[name]);
    if (found[name] === undefined) throw refused("type", { table, fields: [name] });
  }
  return found;
}

/** A new document, with the defaults of fields that it does not have. */
async function withDefaults(table: TableNames, fields: Loose, caller: Caller): Promise<Loose> {
  for (const [name, value] of Object.entries(constraintsOf(table).defaults ?? {})) {
    if (!Object.hasOwn(fields, name)) fields[name] = await value(caller);
  }
  return withoutAbsent(fields);
}

// Constraints

function constraintsOf(table: TableNames): Constraints<TableNames> {
  return ((Object.hasOwn(constraints, table) ? constraints[table as keyof typeof constraints] : undefined) ??
    {}) as Constraints<TableNames>;
}

const isNull = (value: unknown) => value === null || value === undefined;

/** Throws a ConvexError with the code, the table and the constraint if a document breaks one. */
async function checkConstraints(table: TableNames, row: Loose, caller: Caller, old?: Loose): Promise<void> {
  const own = constraintsOf(table);
  for (const field of own.required ?? []) {
    if (isNull(row[field])) throw refused("not_null", { table, fields: [field] });
  }
  for (const { name, fails } of own.checks ?? []) {
    if (await fails(row, caller)) throw refused("check", { table, constraint: name });
  }
  for (const unique of own.unique ?? []) {
    if (await isDuplicate(table, unique, row, caller)) {
      throw refused("unique", { table, fields: unique.fields, constraint: unique.name });
    }
  }
  for (const { name, field, table: parent } of own.references ?? []) {
    if (isNull(row[field]) || row[field] === old?.[field]) continue;
    if ((await (caller.all as Loose).get(row[field])) === null) {
      throw refused("foreign_key", { table, fields: [field], constraint: name, references: parent });
    }
  }
}

async function isDuplicate(table: TableNames, unique: Unique<TableNames>, row: Loose, caller: Caller): Promise<boolean> {
  if (!unique.nullsNotDistinct && unique.fields.some((field) => isNull(row[field]))) return false;
  if (unique.where !== undefined && !(await unique.where(row, caller))) return false;
  let query = (caller.all as Loose).query(table);
  // An index finds texts, numbers and booleans. Arrays, objects, bytes and NaN are compared one by one.
  const findable = (value: unknown) => value !== undefined && typeof value !== "object" && !Number.isNaN(value);
  if (unique.index !== undefined && unique.indexed?.every((field) => findable(row[field]))) {
    query = query.withIndex(unique.index, (q: Loose) =>
      (unique.indexed ?? []).reduce((range, field) => range.eq(field, row[field]), q),
    );
  }
  const equal = (a: unknown, b: unknown) => equalValues(a, b) || (isNull(a) && isNull(b));
  for await (const other of query) {
    const same = other._id !== row._id && unique.fields.every((field) => equal(other[field], row[field]));
    if (same && (unique.where === undefined || (await unique.where(other, caller)))) return true;
  }
  return false;
}

/** The documents of a child table that refer to the document `id`. */
async function* referring(child: Child, id: string, db: Loose): AsyncGenerator<Loose> {
  let query = db.query(child.table);
  if (child.index !== undefined) query = query.withIndex(child.index, (q: Loose) => q.eq(child.field, id));
  for await (const found of query) if (found[child.field] === id) yield found;
}

/** Replaces a document, and applies ON UPDATE to those that refer to a changed key. Checks all before the first write. */
async function changeWithChildren(table: TableNames, old: Loose, row: Loose, caller: Caller, db: Loose): Promise<void> {
  const fields = new Set([...Object.keys(old), ...Object.keys(row)].filter((name) => !equalValues(old[name], row[name])));
  const changed = new Map([[old._id as string, { table, old, row, fields }]]);
  for (const [id, one] of changed) {
    for (const child of constraintsOf(one.table).children ?? []) {
      if (!child.key?.some((name) => one.fields.has(name))) continue;
      for await (const found of referring(child, id, db)) {
        if (child.onUpdate === "restrict") {
          throw refused("foreign_key", { table: child.table, fields: [child.field], references: one.table });
        }
        const next = changed.get(found._id) ?? {
          table: child.table,
          old: found,
          row: { ...found, ...constraintsOf(child.table).touched?.(caller) },
          fields: new Set<string>(),
        };
        if (child.onUpdate === "set null" || child.key.some((name) => isNull(one.row[name]))) next.row[child.field] = child.null;
        next.fields.add(child.field);
        changed.set(found._id, next);
      }
    }
  }
  for (const [id, one] of changed) {
    if (id !== old._id) await checkConstraints(one.table, one.row, caller, one.old);
  }
  for (const [id, one] of changed) await db.replace(id, withoutAbsent(one.row));
}

/** Deletes a document, and applies ON DELETE to the documents that refer to it. Checks all before the first write. */
async function removeWithChildren(table: TableNames, row: Loose, caller: Caller, db: Loose): Promise<void> {
  const removed = new Map<string, TableNames>([[row._id, table]]);
  const cleared = new Map<string, { table: TableNames; old: Loose; row: Loose }>();
  for (const [id, of] of removed) {
    // PostgreSQL looks for other references before the rows that it has just removed remove theirs.
    const held: { id: string; table: TableNames; field: string }[] = [];
    for (const child of constraintsOf(of).children ?? []) {
      for await (const found of referring(child, id, db)) {
        if (child.onDelete === "cascade") removed.set(found._id, child.table);
        else if (child.onDelete === "set null") {
          const before = cleared.get(found._id)?.row ?? { ...found, ...constraintsOf(child.table).touched?.(caller) };
          cleared.set(found._id, { table: child.table, old: found, row: { ...before, [child.field]: child.null } });
        }
        else held.push({ id: found._id, table: child.table, field: child.field });
      }
    }
    for (const { id: holder, table: child, field } of held) {
      if (!removed.has(holder)) throw refused("foreign_key", { table: child, fields: [field], references: of });
    }
  }
  for (const id of removed.keys()) await db.delete(id);
  for (const [id, { table: of, old, row: after }] of cleared) {
    if (removed.has(id)) continue;
    await checkConstraints(of, after, caller, old);
    await changeWithChildren(of, old, after, caller, db);
  }
}
