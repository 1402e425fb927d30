"""Writes ``convex/rules.ts``: policies by table, constraints, functions, and the wrapper of the database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from supavex.convex.typescript import MARK, key, quoted
from supavex.rules.column_types import TypeCheck
from supavex.rules.constraints import Constraints, TableConstraints
from supavex.rules.policies import CALLERS, PolicyRule, RuleSet, TableRules, is_true
from supavex.rules.typescript.expressions import Writer
from supavex.rules.typescript.functions import function_text
from supavex.rules.typescript.notation import grouped, type_of
from supavex.rules.visible import Visibility, Way, visibility, visible_name

_DIGEST = re.compile(r"^// sha256: ([0-9a-f]{64})$", re.MULTILINE)
_BLOCK = re.compile(r"^(?:async )?(?:function\*?|const) (\w+)", re.MULTILINE)
_IMPORTS = """\
import { ConvexError } from "convex/values";
import type { Auth } from "convex/server";
import { customMutation, customQuery } from "convex-helpers/server/customFunctions";
import type { Doc, Id, TableNames } from "./_generated/dataModel";
import {
  mutation as publicMutation,
  query as publicQuery,
  type DatabaseReader,
  type DatabaseWriter,
} from "./_generated/server";
"""


@dataclass(frozen=True, slots=True)
class Module:
    """The text of rules.ts, and for each table how the rows that a caller may see are found."""

    text: str
    visible: Mapping[str, Visibility]


def module(rules: RuleSet, constraints: Constraints) -> Module:
    """rules.ts of a project."""
    used: set[str] = set()
    tables = [_table(table, rules, used) for table in rules.tables.values()]
    found = {name: visibility(table, rules) for name, table in rules.tables.items()}
    carried = [text for name, own in constraints.tables.items() if (text := _constraints(name, own, Writer(used)))]
    functions = [function_text(function, used) for function in rules.functions]
    readers = [_visible(name, found[name], used) for name in rules.tables]
    identity, uses = _identity(rules)
    used |= uses
    runtime = _runtime(used | {"equalValues"})
    numbers = {}
    if "tableNumbers" in runtime:
        numbers = {name: rules.work.source.numbers[name] for name in rules.tables}
    parts = [
        _IMPORTS,
        "const rules: { [T in TableNames]: TableRules<T> } = {\n" + "".join(tables) + "};\n",
        _stubs(rules),
        "const constraints: { [T in TableNames]?: Constraints<T> } = {\n" + "".join(carried) + "};\n",
        "".join(f"\n{text}\n" for text in functions).lstrip("\n"),
        "\n".join(readers),
        identity,
        _numbers(numbers),
        _database().replace("%UID%", type_of(rules.work.source.uid)),
        runtime,
    ]
    body = "\n".join(part for part in parts if part)
    return Module(_headed(body), found)


def _headed(body: str) -> str:
    digest = hashlib.sha256(body.encode()).hexdigest()
    return (
        f"{MARK} rules from the policies and constraints of the source. What you change in here, the command leaves:\n"
        f"// it writes this file only as long as it is as it was written.\n// sha256: {digest}\n\n{body}"
    )


def is_changed(text: str) -> bool:
    """Whether a person has changed a rules.ts that supavex wrote."""
    found = _DIGEST.search(text)
    if found is None:
        return True
    body = text[found.end() :].removeprefix("\n\n")
    return hashlib.sha256(body.encode()).hexdigest() != found[1]


def _table(table: TableRules, rules: RuleSet, used: set[str]) -> str:
    lines = [f"  {key(table.target)}: {{"]
    if table.source is None:
        lines.insert(0, "  // The source has no such table. It is closed until you write policies for it.")
    lines.append(f"    security: {'true' if table.security else 'false'},")
    if table.grants is not None:
        some = ", ".join(f"{command} to {role}" for one, role, command in rules.grants_by_column if one is table)
        if some:
            lines.append(f"    // PostgreSQL grants {some} for some columns. Here it is refused for the whole table.")
        pairs = [f"{role}: [{', '.join(map(quoted, c))}]" for role, c in table.grants.items()]
        lines.append(f"    grants: {{ {', '.join(pairs)} }},")
    for command, roles in table.throws.items():
        why = ", ".join(f"{role}: {quoted(reason)}" for role, reason in roles.items())
        if command == next(iter(table.throws)):
            lines += [f"    // {_THROWS[reason]}" for reason in dict.fromkeys(_reasons(table))]
            lines.append("    throws: {")
        lines.append(f"      {command}: {{ {why} }},")
    lines += ["    },"] if table.throws else []
    # One that is true is looked at first: then no other is.
    policies = sorted((rule for rule in table.policies if rule.roles), key=lambda rule: not is_true(rule.using))
    lines += [
        f"    // {_one_line(rule.policy.name)}: for {', '.join(rule.policy.roles)} alone."
        for rule in table.policies
        if not rule.roles
    ]
    if not policies:
        return "\n".join([*lines, "    policies: [],", "  },\n"])
    lines.append("    policies: [")
    for policy in policies:
        lines += _policy(policy, table, used)
    return "\n".join([*lines, "    ],", "  },\n"])


_THROWS = {
    "recursion": "PostgreSQL refuses these: infinite recursion in the policies.",
    "rights": "PostgreSQL refuses these: the policies read a table or call a function without the right to it.",
}


def _reasons(table: TableRules) -> list[str]:
    return [reason for roles in table.throws.values() for reason in roles.values()]


def _policy(rule: PolicyRule, table: TableRules, used: set[str]) -> list[str]:
    policy = rule.policy
    lines = ["      {", f"        name: {quoted(policy.name)},", f"        command: {quoted(policy.command.lower())},"]
    if set(rule.roles) != set(CALLERS):
        lines.append(f"        to: [{', '.join(map(quoted, rule.roles))}],")
    if not policy.permissive:
        lines.append("        restrictive: true,")
    for side, sql, expression in (("using", policy.using, rule.using), ("check", policy.with_check, rule.check)):
        if sql is None and expression is None:
            continue
        word = "USING" if side == "using" else "WITH CHECK"
        about = "The same for new rows. Their key is not known yet." if sql is None else f"{word} ({_bare(sql)})"
        lines += [f"        // {line}" for line in _sql_lines(about)]
        if rule.reason:
            lines.append(f"        {side}: {_stub_name(table, rule)},")
            continue
        assert expression is not None
        text = Writer(used).rule(expression)
        lines.append(f"        {side}: {_arrow(text)},")
    return [*lines, "      },"]


def _arrow(text: str) -> str:
    parameters = ["row", "caller"]
    uses = [bool(re.search(rf"\b{name}\b", text)) for name in parameters]
    names = "" if not any(uses) else "row" if not uses[1] else "row, caller" if uses[0] else "_row, caller"
    asynchronous = "async " if "await " in text else ""
    body = text.replace("\n", "\n          ")
    return f"{asynchronous}({names}) => {body}" if "\n" not in text else f"{asynchronous}({names}) =>\n          {body}"


def _bare(sql: str) -> str:
    """An expression without the parentheses around the whole of it."""
    sql = sql.strip()
    return sql[1:-1] if grouped_whole(sql) else sql


def grouped_whole(sql: str) -> bool:
    """Whether one pair of parentheses encloses the whole of ``sql``."""
    if not (sql.startswith("(") and sql.endswith(")")):
        return False
    depth = 0
    for at, character in enumerate(re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", lambda m: "x" * len(m[0]), sql)):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return at == len(sql) - 1
    return False


def _sql_lines(sql: str) -> list[str]:
    return [line.strip() for line in re.split(r"[\n\r\u2028\u2029]+", sql) if line.strip()]


def _one_line(text: str) -> str:
    return re.sub(r"[\n\r\u2028\u2029]+", " ", text)


def _stub_name(table: TableRules, rule: PolicyRule) -> str:
    words = re.sub(r"\W+", "_", f"{table.target}_{rule.policy.name}", flags=re.ASCII).strip("_")
    return f"untranslated_{words}"


def _stubs(rules: RuleSet) -> str:
    found: dict[str, str] = {}
    for table, rule in rules.refused:
        name = _stub_name(table, rule)
        comment = [f"// {_one_line(rule.policy.name)} on {table.target}: {_one_line(rule.reason)}"]
        comment.append("// It refuses every row until you write its condition here.")
        parameters = f"_row: Row<{quoted(table.target)}>, _caller: Caller"
        found[name] = "\n".join([*comment, f"function {name}({parameters}): Answer {{", "  return false;", "}\n"])
    return "\n".join(found.values())


def _constraints(name: str, own: TableConstraints, writer: Writer) -> str:
    lines: list[str] = []
    if own.types:
        lines.append("    types: {")
        lines += [f"      {key(field)}: {_type_text(check, writer.used)}," for field, check in own.types.items()]
        lines.append("    },")
    if own.defaults:
        lines.append("    defaults: {")
        for field, value in own.defaults.items():
            text = writer.value(value)
            # A field that takes no null is absent where the default is NULL.
            missing = "undefined" if field not in own.nulls else "null" if value.kind.name == "json" else ""
            text = f"{grouped(text)} ?? {missing}" if value.nullable and missing else text
            rights = writer.rights(value)
            text = f"{rights} && ({text})" if rights else text
            lines.append(f"      {key(field)}: {_arrow_of_caller(text)},")
        lines.append("    },")
    if own.touched:
        touched = ", ".join(f"{key(name)}: caller.now" for name in own.touched)
        lines.append(f"    touched: (caller) => ({{ {touched} }}),")
    if own.fixed:
        lines.append(f"    fixed: [{', '.join(map(quoted, own.fixed))}],")
    if own.required:
        lines.append(f"    required: [{', '.join(map(quoted, own.required))}],")
    if own.unique:
        lines.append("    unique: [")
        for rule in own.unique:
            parts = [f"name: {quoted(rule.name)}", f"fields: [{', '.join(map(quoted, rule.fields))}]"]
            if rule.index:
                parts += [f"index: {quoted(rule.index)}", f"indexed: [{', '.join(map(quoted, rule.indexed))}]"]
            if rule.nulls_not_distinct:
                parts.append("nullsNotDistinct: true")
            if rule.where is not None:
                parts.append(f"where: {_arrow(writer.rule(rule.where))}")
            lines.append(f"      {{ {', '.join(parts)} }},")
        lines.append("    ],")
    if own.checks:
        lines.append("    checks: [")
        lines += [
            f"      {{ name: {quoted(check)}, fails: {_arrow(writer.not_false(expression))} }},"
            for check, expression in own.checks
        ]
        lines.append("    ],")
    if own.references:
        lines.append("    references: [")
        for reference in own.references:
            pairs = zip(("name", "field", "table"), reference, strict=True)
            lines.append(f"      {{ {', '.join(f'{k}: {quoted(v)}' for k, v in pairs)} }},")
        lines.append("    ],")
    if own.children:
        lines.append("    children: [")
        for child in own.children:
            index = f", index: {quoted(child.index)}" if child.index else ""
            head = f"table: {quoted(child.table)}, field: {quoted(child.field)}{index}"
            clears = child.on_delete == "set null" or (child.key and child.on_update != "restrict")
            null = ", null: null" if child.takes_null and clears else ""
            actions = f"onDelete: {quoted(child.on_delete)}"
            if child.key:
                actions += f", key: [{', '.join(map(quoted, child.key))}], onUpdate: {quoted(child.on_update)}"
            lines.append(f"      {{ {head}, {actions}{null} }},")
        lines.append("    ],")
    return "\n".join([f"  {key(name)}: {{", *lines, "  },\n"]) if lines else ""


def _type_text(check: TypeCheck, used: set[str]) -> str:
    used.add(check.name)
    made_with = [
        _type_text(one, used) if isinstance(one, TypeCheck) else "null" if one is None else f"{one:_}"
        for one in check.made_with
    ]
    return f"{check.name}({', '.join(made_with)})" if made_with else check.name


def _arrow_of_caller(text: str) -> str:
    asynchronous = "async " if "await " in text else ""
    return f"{asynchronous}({'caller' if 'caller' in text else ''}) => {f'({text})' if text.startswith('{') else text}"


def _visible(name: str, found: Visibility, used: set[str]) -> str:
    title = visible_name(name)
    context = "(ctx: { auth: Auth; db: DatabaseReader })"
    if found.ways is None:
        wanted = [f'.index("by_{field}", ["{field}"])' for field in found.add]
        hint = f" In schema.py, {' and '.join(wanted)} would find them." if wanted else ""
        return (
            f"/** The documents of {name} that the caller may see: all are read, and those are kept.{hint} */\n"
            f"export const {title} = async {context} =>\n"
            f"  (await callerOf(ctx)).db.query({quoted(name)}).collect();\n"
        )
    ways = "".join(f"    {_way_text(way, used)},\n" for way in found.ways)
    return (
        f"/** The documents of {name} that the caller may see, found by index. */\n"
        f"export const {title} = {context} =>\n  visibleBy(ctx, {quoted(name)}, [\n{ways}  ]);\n"
    )


def _way_text(way: Way, used: set[str]) -> str:
    writer = Writer(used)
    index = f"index: {quoted(way.index)}, " if way.index else "index: undefined, "
    index += "exact: true, " if way.exact else ""
    if way.each is None:
        fields = ", ".join(f"{key(name)}: {writer.value(value)}" for name, value in way.fields)
        found = f"[{{ {index}fields: {{ {fields} }} }}]"
    else:
        values = writer.value(way.each)
        values = values if not way.each.nullable else f"{grouped(values)} ?? []"
        each = f"{{ {index}fields: {{ {key(way.field)}: value }} }}"
        found = f"[...new Set({values})].map((value) => ({each}))"
    if set(way.roles) != set(CALLERS):
        found = f"{' || '.join(f'caller.role === {quoted(role)}' for role in way.roles)} ? {found} : []"
    caller = "caller" if "caller" in found else ""
    return f"async ({caller}) => {found}"


def _identity(rules: RuleSet) -> tuple[str, set[str]]:
    """The code that converts the caller's identity to ``auth.uid()``, and the runtime's functions that it needs."""
    users = rules.plan.project.users
    uid, sub = _UIDS["convex-auth" if users.kind == "convex-auth" and not users.field else "subject"]
    used: set[str] = set()
    if users.field:
        table, _, name = users.field.partition(".")
        definition = rules.plan.schema.tables.get(table)
        index = next((i.name for i in definition.indexes if i.fields[:1] == (name,)), "") if definition else ""
        arguments = f"{{ {key(name)}: identity.subject }}" + (f", {quoted(index)}" if index else "")
        uid = f"(await gathered(find(ctx.db, {quoted(table)}, {arguments}), (user) => [user._id]))[0] ?? null"
        sub, used = "uid === null ? undefined : uuidOf(uid)", {"gathered", "uuidOf", "find"}
    elif users.kind == "convex-auth":
        used = {"uuidOf"}
    return _IDENTITY.replace("%UID%", uid).replace("%SUB%", sub), used


_UIDS = {"subject": ("identity.subject", "uid"), "convex-auth": ('identity.subject.split("|")[0]!', "uuidOf(uid)")}
_IDENTITY = """\
/** The caller by the identity: the values of `auth.uid()`, `auth.role()`, `auth.email()` and `auth.jwt()`. */
async function identityOf(ctx: { auth: Auth; db: DatabaseReader }): Promise<Omit<Caller, "now" | "db" | "all">> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) return { uid: null, role: "anon", email: null, claims: { role: "anon" } };
  const uid = %UID%;
  const claims = { ...identity, sub: %SUB%, role: "authenticated" };
  return { uid, role: "authenticated", email: identity.email ?? null, claims };
}
"""


def _numbers(numbers: Mapping[str, int]) -> str:
    if not numbers:
        return ""
    pairs = "".join(f"  {key(name)}: {number},\n" for name, number in numbers.items())
    comment = "/** The numbers of tables in their ids, as supavex.lock pins them. */"
    return f"{comment}\nconst tableNumbers: Record<string, number> = {{\n{pairs}}};\n"


def _resource(name: str) -> str:
    return resources.files("supavex.rules.typescript").joinpath(name).read_text(encoding="utf-8")


def _database() -> str:
    return _resource("database.ts")


def _runtime(used: set[str]) -> str:
    """The called functions of sql.ts, with those that they call."""
    blocks = _blocks(_resource("sql.ts"))
    wanted: dict[str, None] = {}
    waiting = sorted(used)
    while waiting:
        name = waiting.pop()
        if name in wanted or name not in blocks:
            continue
        wanted[name] = None
        waiting += [other for other in re.findall(r"\b\w+\b", blocks[name]) if other in blocks and other not in wanted]
    return "\n".join(text for name, text in blocks.items() if name in wanted)


def _blocks(text: str) -> dict[str, str]:
    """The top-level functions and constants of a module by name, each with its comment."""
    found: dict[str, str] = {}
    pending: list[str] = []
    name = ""
    for line in text.splitlines():
        start = _BLOCK.match(line)
        if line.startswith("/**"):
            name, pending = "", [line]
            continue
        if start is not None:
            name = start[1]
            found[name] = "\n".join([*pending, line])
            pending = []
        elif name and line:
            found[name] += f"\n{line}"
        elif pending and line:
            pending.append(line)
    return {key_: f"{block}\n" for key_, block in found.items()}
