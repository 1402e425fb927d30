"""The Convex function that does what a Supabase query did, as TypeScript that compiles against the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from supavex.convex.schema import SearchIndex
from supavex.convex.typescript import render, value_text
from supavex.convex.validators import MISSING
from supavex.mapping.usage.conditions import (
    Arguments,
    Condition,
    absent,
    alternatives,
    condition,
    is_now,
    is_scalar,
    key,
    literal,
    member,
    quoted,
)
from supavex.mapping.usage.indexes import Choice, Wanted, choose
from supavex.mapping.usage.queries import Filter, Query
from supavex.mapping.usage.selects import Embed
from supavex.mapping.usage.syntax import Value
from supavex.mapping.usage.tables import ColumnSide, Sides, TableSide

WIDTH = 96
_NOT_HERE = "Not in this code"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A Convex function: ``args`` are TypeScript validators by name, ``body`` the handler's lines.

    ``imports`` are the lines that a module needs besides ``query``, ``mutation`` and ``v``.
    """

    kind: Literal["query", "mutation"]
    args: dict[str, str]
    body: tuple[str, ...]
    imports: tuple[str, ...] = ()

    def function(self) -> str:
        """The whole function, to be exported under a name."""
        if not self.args:
            head, parameters = "", "ctx"
        else:
            names = ", ".join(f"{key(name)}: {text}" for name, text in self.args.items())
            head, parameters = f"  args: {{ {names} }},\n", "ctx, args"
        lines = "".join(f"    {line}\n" for line in self.body)
        return f"{self.kind}({{\n{head}  handler: async ({parameters}) => {{\n{lines}  }},\n}})"


@dataclass(slots=True)
class Written:
    """What can be said of a query: the function, the index that serves it, and what a person has to know besides."""

    snippet: Snippet | None = None
    choice: Choice | None = None
    search: SearchIndex | None = None
    add_search: str = ""
    notes: list[str] = field(default_factory=list)


def write(sides: Sides, side: TableSide, query: Query) -> Written:
    """The Convex side of ``query`` of a table that has one."""
    return _Writer(sides, side, query).write()


@dataclass(slots=True)
class _Writer:
    sides: Sides
    side: TableSide
    query: Query
    arguments: Arguments = field(default_factory=Arguments)
    imports: dict[str, None] = field(default_factory=dict)
    result: Written = field(default_factory=Written)
    omitted: bool = False

    def write(self) -> Written:
        query, result = self.query, self.result
        conditions = self._conditions()
        self._say_columns()
        if query.operation == "select":
            body = self._select(conditions)
        elif query.operation == "insert":
            body = self._insert()
        elif query.operation == "upsert":
            body = self._upsert()
        elif query.operation in ("update", "delete"):
            body = self._change(conditions)
        else:
            return result
        if body:
            kind: Literal["query", "mutation"] = "query" if query.operation == "select" else "mutation"
            result.snippet = Snippet(kind, self.arguments.validators, tuple(body), tuple(self.imports))
        return result

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)

    def _omit(self, filter_: Filter, why: str) -> None:
        """Says of a filter that the function does not have it."""
        self.omitted = True
        self._note(f"{_NOT_HERE if self.query.operation == 'select' else 'No code'}: {filter_}: {why}.")

    # What the filters come to

    def _conditions(self) -> list[Condition]:
        found = []
        mutates = self.query.operation != "select"
        for filter_ in self.query.filters:
            if filter_.operator == "or":
                made = alternatives(self.side, filter_, self.arguments, in_mutation=mutates)
                if made is None:
                    self._omit(filter_, "q.or(…) in .filter, or one query for each condition")
                else:
                    found.append(made)
                    self._note("An index serves one condition of an or: a query for each may be faster.")
                continue
            name = filter_.column.partition("->")[0]
            if not name:
                self._omit(filter_, "the column is not known here")
                continue
            if "." in name:
                self._omit(filter_, "of an embedded table; compare it on the document that ctx.db.get gives")
                continue
            if name != filter_.column:
                self._omit(filter_, "inside JSON; compare it in code")
                continue
            column = self.side.column(name)
            if not column.field:
                self._omit(filter_, f"{name} {column.why}")
                continue
            made = condition(self.side, column, filter_, self.arguments, in_mutation=mutates)
            if made is None:
                self._omit(filter_, "Convex has nothing like it; compare in code")
                continue
            if column.moment and made.operand.startswith("args."):
                self._note(f"{column.field} is milliseconds since the epoch, not a text.")
            found.append(made)
        return found

    def _say_columns(self) -> None:
        named = [name for name in self.query.columns if name != "*" and "(" not in name and "$" not in name]
        named += [name for name, _ in self.query.order]
        for payload in [self.query.payload, *(self.query.payload.items if self.query.payload is not None else ())]:
            named += [name for name, _ in payload.fields] if payload is not None else []
        for name in dict.fromkeys(name.partition("->")[0].strip('"') for name in named if name):
            if not name.replace("_", "").isalnum() or any(name == embed.alias for embed in self.query.embeds):
                continue
            column = self.side.column(name)
            if not column.field:
                if not any(f"{name} {column.why}" in note for note in self.result.notes):
                    self._note(f"{name} {column.why}.")
            elif column.field not in (name, "_id"):
                self._note(f"{name} is {column.field} in Convex.")

    # Reading

    def _wanted(self, conditions: Sequence[Condition]) -> Wanted:
        equal = tuple(dict.fromkeys(c.column.field for c in conditions if c.is_equal and c.column.field != "_id"))
        ranged = tuple(dict.fromkeys(c.column.field for c in conditions if c.is_range and c.column.field != "_id"))
        order = []
        for name, desc in self.query.order:
            column = self.side.column(name.partition("->")[0]) if name else ColumnSide("")
            if column.field and (column.field == "_id" or is_scalar(column)):
                order.append((column.field, desc))
        return Wanted(equal, ranged, tuple(order), self.side.created)

    def _base(self, conditions: Sequence[Condition], *, ordered: bool) -> tuple[list[str], list[Condition]]:
        """The links of the query's expression up to its order, and the conditions that are left to filter by."""
        assert self.side.definition is not None
        wanted = self._wanted(conditions)
        if not ordered:
            wanted = Wanted(wanted.equal, wanted.ranged)
        choice = choose(self.side.definition, wanted)
        self.result.choice = choice
        links = ["ctx.db", f".query({quoted(self.side.target)})"]
        left = list(conditions)
        searched = self._search(left)
        if searched:
            return [*links, searched], left
        if choice.index is not None:
            links.append(self._range(choice, left))
        order = wanted.sorted_by
        if order and choice.ordered and order[0][1]:
            links.append('.order("desc")')
        return links, left

    def _range(self, choice: Choice, left: list[Condition]) -> str:
        assert choice.index is not None
        calls = []
        for name in choice.equal:
            used = next(c for c in left if c.is_equal and c.column.field == name)
            left.remove(used)
            calls.append(f".eq({quoted(name)}, {used.operand})")
        if choice.ranged:
            # One bound on each side; a second one of the same side is left for the filter.
            sides: dict[str, Condition] = {}
            for c in [c for c in left if c.is_range and c.column.field == choice.ranged]:
                if sides.setdefault(c.filter.operator[:2], c) is c:
                    left.remove(c)
            column = next(iter(sides.values())).column
            if "gt" not in sides and absent(column):
                # Absent fields come before all values; NULL is less than nothing in SQL.
                calls.append(f".gt({quoted(choice.ranged)}, {absent(column)})")
            bounds = [sides[side] for side in ("gt", "lt") if side in sides]
            calls += [f".{c.filter.operator}({quoted(choice.ranged)}, {c.operand})" for c in bounds]
        if not calls:
            return f".withIndex({quoted(choice.index.name)})"
        return f".withIndex({quoted(choice.index.name)}, (q) => q{''.join(calls)})"

    def _search(self, left: list[Condition]) -> str:
        """The link that searches a text, where a search index is there for it; else the line that adds one."""
        assert self.side.definition is not None
        texts = [c for c in left if c.filter.operator in ("like", "ilike", "textSearch") and not c.filter.negated]
        texts = [c for c in texts if not c.filter.maybe]
        for text in texts:
            equal = [c for c in left if c.is_equal and c.column.field != "_id"]
            have = [i for i in self.side.definition.search_indexes if i.search_field == text.column.field]
            found = next((index for index in have if not index.staged), None)
            if found is None:
                filters = list(dict.fromkeys(c.column.field for c in equal))
                name = f"search_{text.column.field}"
                with_filters = f", filter_fields={_list(filters)}" if filters else ""
                self.result.add_search = (
                    f".search_index({quoted(name)}, search_field={quoted(text.column.field)}{with_filters})"
                )
                self._note(f"{text.filter}: a search index finds words by their beginnings, not any part of a text.")
                continue
            calls = [f".search({quoted(found.search_field)}, {text.operand})"]
            left.remove(text)
            for c in equal:
                if c.column.field in found.filter_fields and c in left:
                    calls.append(f".eq({quoted(c.column.field)}, {c.operand})")
                    left.remove(c)
            self.result.search = found
            self._note("A search gives the best matches first, at most 1024 of them, in no other order.")
            return f".withSearchIndex({quoted(found.name)}, (q) => q{''.join(calls)})"
        return ""

    def _filtered(self, links: list[str], left: Sequence[Condition]) -> tuple[list[str], str]:
        """The links with a ``.filter`` where Convex can say all of it; else the condition on a row, as code."""
        if not left:
            return links, ""
        if not any(c.needs_code for c in left):
            parts = [c.in_filter() for c in left]
            text = parts[0] if len(parts) == 1 else f"q.and({', '.join(parts)})"
            return [*links, f".filter((q) => {text})"], ""
        return links, " && ".join(c.on_row() for c in left)

    def _select(self, conditions: list[Condition]) -> list[str]:
        query = self.query
        by_id = next((c for c in conditions if c.column.field == "_id" and not c.filter.maybe), None)
        if by_id is not None and by_id.filter.operator == "eq" and not by_id.filter.negated:
            return self._get(by_id, [c for c in conditions if c is not by_id])
        if by_id is not None and by_id.filter.operator == "in" and not by_id.filter.negated:
            others = [c.on_row() for c in conditions if c is not by_id]
            test = " && ".join(["row !== null", *others])
            found = f"(await Promise.all({by_id.operand}.map((id) => ctx.db.get(id))))"
            sort = self._sort()
            return self._rows([found, f".filter((row) => {test})", *([sort] if sort else [])])
        links, left = self._base(conditions, ordered=not query.head)
        links, code = self._filtered(links, left)
        choice = self.result.choice
        sort = "" if choice is None or choice.ordered or query.head or self.result.search else self._sort()
        if query.head:
            self._note("Convex counts nothing by itself: keep a count in a document, or use the aggregate component.")
            self._say_whole()
            counted = f"({_awaited([*links, '.collect()'])})"
            return [f"return {counted}{f'.filter((row) => {code})' if code else ''}.length;"]
        if query.count:
            self._note("The count of all rows is another query; Convex gives none beside a page.")
        if not code and not sort:
            return self._direct(links)
        self._say_whole()
        rows = [f"({_awaited([*links, '.collect()'])})"]
        rows += [f".filter((row) => {code})"] if code else []
        return self._rows([*rows, sort] if sort else rows)

    def _say_whole(self, more: str = "") -> None:
        choice = self.result.choice
        if choice is not None and choice.index is None and self.result.search is None:
            self._note(f"It reads the whole table{more}.")

    def _direct(self, links: list[str]) -> list[str]:
        """A query whose rows come as Convex gives them."""
        query = self.query
        one = query.limit is not None and query.limit.text in ("1", "1.0")
        if query.single or query.limit is not None or query.paged:
            if any(link.startswith(".filter") for link in links):
                self._say_whole(", as far as it must")
        else:
            self._say_whole(": .take(n) or .paginate where it grows")
        if query.single:
            return self._one([*links, ".first()" if one else ".unique()"])
        if query.paged:
            self.imports['import { paginationOptsValidator } from "convex/server";'] = None
            options = self.arguments.add("paginationOpts", "paginationOptsValidator")
            self._note("Pages go by cursor, not by number: usePaginatedQuery.")
            links = [*links, f".paginate({options})"]
            embedded = self._embedded()
            if not embedded:
                return [f"return {_awaited(links)};"]
            return [
                f"const page = {_awaited(links)};",
                f"return {{ ...page, page: await Promise.all(page.page.map(async (row) => {embedded})) }};",
            ]
        if query.limit is not None:
            return self._many([*links, f".take({self._limit()})"])
        return self._many([*links, ".collect()"])

    def _limit(self) -> str:
        limit = self.query.limit
        if limit is not None and limit.kind == "number" and limit.text.isdigit():
            return limit.text
        return self.arguments.add("limit", "v.number()")

    def _rows(self, links: list[str]) -> list[str]:
        """Rows that code filters and sorts, cut to what is wanted."""
        query = self.query
        if query.paged:
            ends = [self.arguments.add(name, "v.number()") for name in ("from", "to")]
            links = [*links, f".slice({ends[0]}, {ends[1]} + 1)"]
        elif query.limit is not None and not query.single:
            links = [*links, f".slice(0, {self._limit()})"]
        rows = _joined(links)
        if query.single:
            return self._found([f"const row = {rows}[0] ?? null;"])
        embedded = self._embedded()
        if not embedded:
            return [f"return {rows};"]
        return [f"const rows = {rows};", f"return await Promise.all(rows.map(async (row) => {embedded}));"]

    def _sort(self) -> str:
        parts = []
        for name, desc in self.query.order:
            column = self.side.column(name.partition("->")[0]) if name else ColumnSide("")
            if column.field:
                pair = [f"a{member(column.field)}", f"b{member(column.field)}"]
                parts.append(f"compareValues({', '.join(pair[::-1] if desc else pair)})")
        if not parts:
            return ""
        self.imports['import { compareValues } from "convex/values";'] = None
        return f".sort((a, b) => {' || '.join(parts)})"

    def _many(self, links: list[str]) -> list[str]:
        embedded = self._embedded()
        if not embedded:
            return [f"return {_awaited(links)};"]
        return [
            f"const rows = {_awaited(links)};",
            f"return await Promise.all(rows.map(async (row) => {embedded}));",
        ]

    def _one(self, links: list[str]) -> list[str]:
        if self.query.single == "maybeSingle" and not self._embeds():
            return [f"return {_awaited(links)};"]
        return self._found([f"const row = {_awaited(links)};"])

    def _found(self, lines: list[str]) -> list[str]:
        """What is returned of the one row that ``lines`` leave in ``row``."""
        embedded = self._embedded()
        if self.query.single == "single":
            lines = [*lines, f"if (row === null) throw new Error({quoted(f'no such row in {self.side.target}')});"]
        elif embedded:
            lines = [*lines, "if (row === null) return null;"]
        return [*lines, f"return {embedded or 'row'};"]

    def _get(self, by_id: Condition, others: Sequence[Condition]) -> list[str]:
        lines = [f"const row = await ctx.db.get({by_id.operand});"]
        if others:
            test = " && ".join(c.on_row() for c in others)
            lines.append(f"if (row === null || !({test})) return null;")
        elif self.query.single != "single" and not self._embeds():
            return [f"return await ctx.db.get({by_id.operand});"]
        return self._found(lines)

    # Rows of other tables inside a row

    def _embeds(self) -> list[Embed]:
        return list(self.query.embeds)

    def _embedded(self) -> str:
        parts = [part for embed in self._embeds() if (part := self._embed(embed))]
        return f"({{ ...row, {', '.join(parts)} }})" if parts else ""

    def _embed(self, embed: Embed) -> str:
        if embed.embeds:
            inner = ", ".join(one.name for one in embed.embeds)
            self._note(f"{embed.name} holds {inner} in its turn: the same again on its documents.")
        own = self.side.column(embed.relation)
        if own.refers_to:
            return self._parent(embed, own)
        other = self.sides.table(embed.relation)
        if other.definition is None:
            self._note(f"{embed.name}: {embed.relation} has no table in Convex.")
            return ""
        parents = [self.side.column(name) for name in self._column_names()]
        parents = [column for column in parents if column.refers_to == other.target]
        hinted = [c for c in parents if any(c.column == hint or c.column in hint for hint in embed.hints)]
        if len(parents) == 1 or hinted:
            return self._parent(embed, (hinted or parents)[0])
        if len(parents) > 1:
            names = ", ".join(column.field for column in parents)
            self._note(f"{embed.name}: by which of {names}? ctx.db.get of that one.")
            return ""
        return self._children(embed, other)

    def _column_names(self) -> list[str]:
        if self.side.plan is not None:
            return [column.name for column in self.side.plan.source.columns]
        return list(self.side.definition.fields) if self.side.definition is not None else []

    def _parent(self, embed: Embed, column: ColumnSide) -> str:
        at = f"row{member(column.field)}"
        got = f"{at} ? await ctx.db.get({at}) : null" if absent(column) else f"await ctx.db.get({at})"
        return f"{key(embed.name)}: {got}"

    def _children(self, embed: Embed, other: TableSide) -> str:
        assert other.definition is not None
        names = [
            name
            for name, validator in other.definition.fields.items()
            if ColumnSide(name, name, "", validator).refers_to == self.side.target
        ]
        if not names:
            self._note(
                f"{embed.name}: no field links the two; read the table between them by its index, then ctx.db.get."
            )
            return ""
        name = next((n for n in names if any(n in hint for hint in embed.hints)), names[0])
        choice = choose(other.definition, Wanted((name,)))
        range_ = f".filter((q) => q.eq(q.field({quoted(name)}), row._id))"
        if choice.index is not None:
            range_ = f".withIndex({quoted(choice.index.name)}, (q) => q.eq({quoted(name)}, row._id))"
        elif choice.add is not None:
            self._note(
                f"{other.target} needs .index({quoted(choice.add[0])}, {_list(choice.add[1])}) for {embed.name}."
            )
        rows = f"await ctx.db.query({quoted(other.target)}){range_}.collect()"
        return f"{key(embed.name)}: " + (f"({rows}).length" if embed.columns == ("count",) else rows)

    # Writing

    def _fields(self, payload: Value, *, patch: bool) -> list[tuple[str, str]]:
        found = []
        for name, value in payload.fields:
            column = self.side.column(name)
            if column.field == "_id":
                self._note("Convex gives each document its _id.")
            if column.field in ("", "_id"):
                continue
            found.append((column.field, self._given(column, value, patch=patch)))
        return [(name, text) for name, text in found if text]

    def _given(self, column: ColumnSide, value: Value, *, patch: bool) -> str:
        fixed = literal(column, value)
        if fixed is not None:
            return fixed
        if column.moment and is_now(value):
            return "Date.now()"
        if value.kind == "null" and absent(column):
            return absent(column) if patch or column.nullable else ""
        if column.moment:
            self._note(f"{column.field} is milliseconds since the epoch, not a text.")
        inner = column.inner
        text = render(inner) if inner is not None else "v.any()"
        # A value that the code names may be missing at times.
        return self.arguments.add(column.field, text, optional=column.optional)

    def _document(self, payload: Value | None) -> str:
        """The object that is inserted, where the code says its fields; else an argument of the table's own type."""
        fields = self.side.definition.fields if self.side.definition is not None else {}
        if payload is None or payload.kind != "object" or not payload.whole or not fields or not payload.fields:
            return self._whole_document()
        given = dict(self._fields(payload, patch=False))
        for name, validator in fields.items():
            column = ColumnSide(name, name, "", validator)
            if name in given or column.optional:
                continue
            default = column.inner.rules.default if column.inner is not None else MISSING
            if default is not MISSING:
                given[name] = value_text(default)
            elif self._is_now(name):
                given[name] = "Date.now()"
            else:
                given[name] = self.arguments.add(name, render(validator))
        return "{ " + ", ".join(f"{key(name)}: {text}" for name, text in given.items()) + " }"

    def _is_now(self, field_: str) -> bool:
        plan = self.side.plan
        names = [column.column for column in self.side.columns.values() if column.field == field_] or [field_]
        column = plan.source.column(names[0]) if plan is not None else None
        numeric = self.side.column(names[0])
        if column is not None:
            default = (column.default or "").lower()
            return numeric.moment and ("now()" in default or "current_timestamp" in default)
        return field_ in ("created_at", "updated_at")

    def _whole_document(self) -> str:
        self.imports['import schema from "./schema";'] = None
        definition = self.side.definition
        if definition is not None and any(v.rules.default is not MISSING for v in definition.fields.values()):
            self._note("withDefaults of convex/defaults.ts fills in what were column defaults.")
        return self.arguments.add("document", f"schema.tables{member(self.side.target)}.validator")

    def _insert(self) -> list[str]:
        self._say_unique()
        table, payload = quoted(self.side.target), self.query.payload
        if payload is not None and payload.kind == "list":
            if len(payload.items) == 1 and payload.whole and payload.items[0].kind == "object":
                payload = payload.items[0]
            else:
                self.imports['import schema from "./schema";'] = None
                kind = f"v.array(schema.tables{member(self.side.target)}.validator)"
                documents = self.arguments.add("documents", kind)
                return [f"for (const document of {documents}) await ctx.db.insert({table}, document);"]
        document = self._document(payload)
        if self.query.returning:
            return [f"const id = await ctx.db.insert({table}, {document});", "return await ctx.db.get(id);"]
        return [f"return await ctx.db.insert({table}, {document});"]

    def _say_unique(self) -> None:
        for fields in self.side.uniques:
            self._note(f"{', '.join(fields)} was unique: look for it by an index first, in the same mutation.")

    def _upsert(self) -> list[str]:
        payload = self.query.payload
        conflict = [self.side.column(name) for name in self.query.conflict]
        table = quoted(self.side.target)
        if not conflict:
            own = self.arguments.add("id", f"v.optional(v.id({table}))")
            document = self._whole_document()
            then = [] if self.query.ignore_duplicates else [f"  await ctx.db.replace({own}, {document});"]
            return [
                f"if ({own} !== undefined) {{",
                *then,
                f"  return {own};",
                "}",
                f"return await ctx.db.insert({table}, {document});",
            ]
        if not all(column.field and column.field != "_id" for column in conflict):
            self._note("On conflict of a column that is no field: look for the document by its id.")
            return []
        document = self._whole_document()
        if payload is not None and payload.kind == "list":
            self._note("For many rows, do it for each.")
        assert self.side.definition is not None
        choice = choose(self.side.definition, Wanted(tuple(column.field for column in conflict)))
        self.result.choice = choice
        links = ["ctx.db", f".query({table})"]
        at = {column.field: f"{document}{member(column.field)}" for column in conflict}
        if choice.index is not None:
            calls = "".join(f".eq({quoted(name)}, {at[name]})" for name in choice.equal)
            links.append(f".withIndex({quoted(choice.index.name)}, (q) => q{calls})")
        left = [f"q.eq(q.field({quoted(name)}), {at[name]})" for name in at if name not in choice.equal]
        if left:
            links.append(f".filter((q) => {left[0] if len(left) == 1 else 'q.and(' + ', '.join(left) + ')'})")
        self._note("A mutation is one transaction: nobody inserts between the look and the insert.")
        change = [] if self.query.ignore_duplicates else [f"  await ctx.db.patch(existing._id, {document});"]
        return [
            f"const existing = {_awaited([*links, '.unique()'])};",
            "if (existing !== null) {",
            *change,
            "  return existing._id;",
            "}",
            f"return await ctx.db.insert({table}, {document});",
        ]

    def _patch(self) -> str:
        payload, definition = self.query.payload, self.side.definition
        if payload is not None and payload.kind == "object" and payload.whole and payload.fields:
            fields = self._fields(payload, patch=True)
            return "{ " + ", ".join(f"{key(name)}: {text}" for name, text in fields) + " }" if fields else "{}"
        if definition is None or not definition.fields:
            return self.arguments.add("patch", "v.any()")
        self.imports['import schema from "./schema";'] = None
        return self.arguments.add("patch", f"schema.tables{member(self.side.target)}.validator.partial()")

    def _change(self, conditions: list[Condition]) -> list[str]:
        """Update or delete, by id or by whatever the filters find."""
        if self.omitted:
            # Without a filter it would change rows that it must not.
            return []
        deletes = self.query.operation == "delete"
        if deletes:
            self._say_cascades()

        def change(id_: str) -> str:
            return f"await ctx.db.delete({id_});" if deletes else f"await ctx.db.patch({id_}, {patch});"

        patch = "" if deletes else self._patch()
        by_id = next((c for c in conditions if c.column.field == "_id" and not c.filter.maybe), None)
        others = [c for c in conditions if c is not by_id]
        if by_id is not None and by_id.filter.operator == "eq" and not by_id.filter.negated:
            after = ["return await ctx.db.get(" + by_id.operand + ");"] if self.query.returning and not deletes else []
            if not others:
                return [change(by_id.operand), *after]
            test = " && ".join(c.on_row() for c in others)
            return [
                f"const row = await ctx.db.get({by_id.operand});",
                f"if (row !== null && {test}) {change('row._id')}",
            ]
        if by_id is not None and by_id.filter.operator == "in" and not by_id.filter.negated and not others:
            return [f"for (const id of {by_id.operand}) {change('id')}"]
        links, left = self._base(conditions, ordered=False)
        links, code = self._filtered(links, left)
        self._say_whole()
        self._note("Where it may be thousands of documents, in batches: ctx.scheduler.runAfter.")
        loop = "for (const row of rows) " + (f"if ({code}) " if code else "")
        return [f"const rows = {_awaited([*links, '.collect()'])};", loop + change("row._id")]

    def _say_cascades(self) -> None:
        plan = self.sides.plan
        if plan is None or self.side.plan is None:
            return
        own = self.side.plan.source
        for table in plan.tables:
            for foreign in table.source.foreign_keys:
                to_own = (foreign.referenced_schema, foreign.referenced_table) == (own.schema, own.name)
                if to_own and foreign.on_delete in ("CASCADE", "SET NULL") and table.target:
                    what = "deleted" if foreign.on_delete == "CASCADE" else f"cleared {', '.join(foreign.columns)} of"
                    self._note(f"PostgreSQL {what} its {table.target} too: do it in the mutation, by their index.")


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(map(quoted, names)) + "]"


def _awaited(links: Sequence[str]) -> str:
    return _joined([f"await {links[0]}", *links[1:]])


def _joined(links: Sequence[str]) -> str:
    flat = "".join(links)
    if len(flat) <= WIDTH and "\n" not in flat:
        return flat
    # `ctx.db` and its table stay together.
    first = 2 if links[0].endswith("ctx.db") else 1
    return "\n  ".join(["".join(links[:first]), *links[first:]])
