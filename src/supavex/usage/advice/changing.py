"""Writes the mutation that replaces an ``insert``, ``upsert``, ``update`` or ``delete``."""

from __future__ import annotations

from collections.abc import Callable

from supavex.convex.field_rules import MISSING
from supavex.convex.typescript import key, quoted, render, value_text
from supavex.usage.advice.code import awaited
from supavex.usage.advice.conditions import Condition, absent, is_now, literal, member
from supavex.usage.advice.embeds import Embedding
from supavex.usage.advice.indexes import Wanted, choose
from supavex.usage.advice.tables import ColumnSide
from supavex.usage.finding.values import Value


class Changing(Embedding):
    """Writes the lines of a mutation."""

    def check(self) -> None:
        """Says why there is no code, if a change might affect other rows than the query did."""
        query = self.query
        why = [f"what {name} does to a change is not known here" for name in query.others]
        if query.operation in ("update", "delete"):
            if not query.filters:
                why.append("no filter is seen here, and it would change every row")
            elif all(one.maybe for one in query.filters):
                why.append("each filter is added in some cases only, and without one it would change every row")
            if query.limit is not None or query.paged:
                why.append("a limit: which rows it takes, and whether it does, is up to the version of PostgREST")
        for one in why:
            self._note(f"No code: {one}.")
        self.hopeless = self.hopeless or bool(why)

    def _most(self) -> list[str]:
        """The lines that fail, as the query does, if the number of ``rows`` is not allowed."""
        query, error = self.query, f"not the rows of {self.side.target} that it should change"
        signs = {"single": "!== 1", "maybeSingle": "> 1"}
        wanted = [signs[query.single]] if query.single else []
        if query.most is not None:
            known = query.most.kind == "number" and query.most.text.isdigit()
            wanted.append(f"> {query.most.text if known else self.arguments.add('most', 'v.number()')}")
        return [f"if (rows.length {one}) throw new Error({quoted(error)});" for one in wanted]

    def lines(self, conditions: list[Condition]) -> list[str]:
        """The handler's lines."""
        if self.query.operation == "insert":
            return self._insert()
        if self.query.operation == "upsert":
            return self._upsert()
        return self._change(conditions)

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
        if column.is_time and is_now(value):
            return "Date.now()"
        if value.kind == "null" and absent(column):
            return absent(column) if patch or column.nullable else ""
        if column.is_time:
            self._note(f"{column.field} is milliseconds since the epoch, not a text.")
        inner = column.inner
        text = render(inner) if inner is not None else "v.any()"
        # A value that the code names may be missing at times. In a patch, that would remove the field.
        return self.arguments.add(column.field, text, optional=column.optional and not patch)

    def _document(self, payload: Value | None) -> str:
        """The inserted object, if the code names its fields; else an argument of the table's document type."""
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
            return numeric.is_time and ("now()" in default or "current_timestamp" in default)
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
            if len(payload.items) == 1 and payload.whole:
                payload = payload.items[0]
            else:
                self.imports['import schema from "./schema";'] = None
                kind = f"v.array(schema.tables{member(self.side.target)}.validator)"
                documents = self.arguments.add("documents", kind)
                self._say_counted(payload.items[0] if payload.items else None)
                if self.query.returning:
                    ids = f"await Promise.all({documents}.map((document) => ctx.db.insert({table}, document)))"
                    rows = "(await Promise.all(ids.map((id) => ctx.db.get(id)))).filter((row) => row !== null)"
                    returned = self._mapped("rows", self._embedded())
                    return [f"const ids = {ids};", f"const rows = {rows};", f"return {returned};"]
                return [f"for (const document of {documents}) await ctx.db.insert({table}, document);"]
        document = self._document(payload)
        self._say_counted(payload)
        if self.query.returning:
            return [f"const id = await ctx.db.insert({table}, {document});", *self._returned("await ctx.db.get(id)")]
        return [f"return await ctx.db.insert({table}, {document});"]

    def _say_counted(self, payload: Value | None) -> None:
        """Names the numbers that PostgreSQL counted for a new row, because Convex has no counters."""
        source = self.side.plan.source if self.side.plan is not None else None
        given = {name for name, _ in payload.fields} if payload is not None else set()
        for column in source.columns if source is not None else ():
            side = self.side.column(column.name)
            if (column.identity or "nextval(" in (column.default or "")) and column.name not in given and side.field:
                what = "its _id names the document" if column.name == self.side.key else "Convex counts nothing"
                self._note(
                    f"PostgreSQL counted {column.name}: {what}; for a number that people see, keep the last one in a "
                    "document that the same mutation reads and writes."
                )

    def _returned(self, found: str) -> list[str]:
        """The lines that return one document, in the requested shape. ``found``: an expression for it or null."""
        shape = self._embedded()
        single = self.query.single == "single"
        if not (shape or single):
            return [f"return {found};"]
        lines = [f"const row = {found};"]
        if single:
            lines.append(f"if (row === null) throw new Error({quoted(f'no such row in {self.side.target}')});")
        elif shape:
            lines.append("if (row === null) return null;")
        return [*lines, f"return {shape or 'row'};"]

    def _rows_returned(self, *, deletes: bool) -> list[str]:
        """The lines that return the changed rows, whose old state is in ``rows``."""
        if not self.query.returning:
            return []
        shape, single = self._embedded(), bool(self.query.single)
        again = "rows" if deletes else "(await Promise.all(rows.map((row) => ctx.db.get(row._id))))"
        again = again if deletes else f"{again}.filter((row) => row !== null)"
        if not single:
            return [f"return {self._mapped(again, shape)};"]
        lines = [f"const row = {again}[0] ?? null;"]
        if self.query.single == "single":
            # The number of rows was checked before the change.
            return [*lines, f"return {f'row && ({shape})' if shape else 'row'};"]
        return [*lines, *(["if (row === null) return null;"] if shape else []), f"return {shape or 'row'};"]

    def _say_unique(self) -> None:
        for fields in self.side.uniques:
            self._note(f"{', '.join(fields)} was unique: look for it by an index first, in the same mutation.")

    def _upsert(self) -> list[str]:
        payload = self.query.payload
        self._say_counted(payload)
        conflict = [self.side.column(name) for name in self.query.conflict]
        table = quoted(self.side.target)
        if not conflict:
            own = self.arguments.add("id", f"v.optional(v.id({table}))")
            document = self._whole_document()
            if self.query.returning:
                return self._upserted(f"{own} !== undefined", own, document, "replace")
            then = [] if self.query.ignore_duplicates else [f"  await ctx.db.replace({own}, {document});"]
            return [
                f"if ({own} !== undefined) {{",
                *then,
                f"  return {own};",
                "}",
                f"return await ctx.db.insert({table}, {document});",
            ]
        if not all(column.field and column.field != "_id" for column in conflict):
            self._note("On conflict of a column that is not a field: look for the document by its id.")
            return []
        for column in conflict:
            self._say_case(column.column)
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
        self._note("A mutation is one transaction: no other call inserts between the read and the insert.")
        change = [] if self.query.ignore_duplicates else [f"  await ctx.db.patch(existing._id, {document});"]
        found = f"const existing = {awaited([*links, '.unique()'])};"
        if self.query.returning:
            return [found, *self._upserted("existing !== null", "existing._id", document, "patch")]
        return [
            found,
            "if (existing !== null) {",
            *change,
            "  return existing._id;",
            "}",
            f"return await ctx.db.insert({table}, {document});",
        ]

    def _upserted(self, there: str, id_: str, document: str, change: str) -> list[str]:
        """The lines that change the document ``id_`` if it is ``there``, else insert one, and return it."""
        table = quoted(self.side.target)
        returned = self._returned("await ctx.db.get(id)")
        if self.query.ignore_duplicates:
            # An existing row is not returned.
            error = quoted(f"no such row in {self.side.target}")
            missing = f"throw new Error({error});" if self.query.single == "single" else "return null;"
            return [f"if ({there}) {missing}", f"const id = await ctx.db.insert({table}, {document});", *returned]
        return [
            f"if ({there}) await ctx.db.{change}({id_}, {document});",
            f"const id = {there} ? {id_} : await ctx.db.insert({table}, {document});",
            *returned,
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
        """Updates or deletes by id, or all rows that the filters find."""
        deletes = self.query.operation == "delete"
        if deletes:
            self._say_cascades()

        def change(id_: str) -> str:
            return f"await ctx.db.delete({id_});" if deletes else f"await ctx.db.patch({id_}, {patch});"

        patch = "" if deletes else self._patch()
        by_id = next((c for c in conditions if c.column.field == "_id" and not c.filter.maybe), None)
        others = [c for c in conditions if c is not by_id]
        if by_id is not None and by_id.filter.operator == "eq" and not by_id.filter.negated:
            return self._change_one(by_id.operand, others, change, deletes=deletes)
        if by_id is not None and by_id.filter.operator == "in" and not by_id.filter.negated and not others:
            if most := self._most():
                found = f"(await Promise.all({by_id.operand}.map((id) => ctx.db.get(id))))"
                rows = f"const rows = {found}.filter((row) => row !== null);"
                loop = "for (const row of rows) " + change("row._id")
                return [rows, *most, loop, *self._rows_returned(deletes=deletes)]
            if self.query.returning:
                found = f"(await Promise.all({by_id.operand}.map((id) => ctx.db.get(id))))"
                rows = f"const rows = {found}.filter((row) => row !== null);"
                loop = "for (const row of rows) " + change("row._id")
                return [rows, loop, *self._rows_returned(deletes=deletes)]
            return [f"for (const id of {by_id.operand}) {change('id')}"]
        links, left = self._base(conditions, ordered=False)
        links, code = self._filtered(links, left)
        self._say_whole()
        equal = set(self.result.choice.equal) if self.result.choice is not None else set()
        if not any(equal.issuperset(fields) for fields in self.side.uniques):
            self._note("Where it may be thousands of documents, in batches: ctx.scheduler.runAfter.")
        rows = awaited([*links, ".collect()"])
        most = self._most()
        after = self._rows_returned(deletes=deletes)
        if (most or after) and code:
            return [
                f"const rows = ({rows}).filter((row) => {code});",
                *most,
                "for (const row of rows) " + change("row._id"),
                *after,
            ]
        loop = "for (const row of rows) " + (f"if ({code}) " if code else "")
        return [f"const rows = {rows};", *most, loop + change("row._id"), *after]

    def _change_one(
        self, id_: str, others: list[Condition], change: Callable[[str], str], *, deletes: bool
    ) -> list[str]:
        """Updates or deletes the document of one id, if it passes the other filters."""
        returning, test = self.query.returning, " && ".join(c.on_row() for c in others)
        single = self.query.single == "single"
        if not others and not returning:
            return [change(id_)]
        if not others and not deletes and not single:
            return [change(id_), *self._returned(f"await ctx.db.get({id_})")]
        if not returning:
            return [f"const row = await ctx.db.get({id_});", f"if (row !== null && {test}) {change('row._id')}"]
        # The filters are expressions over `row`.
        lines = [f"const row = await ctx.db.get({id_});"]
        missing = f"throw new Error({quoted(f'no such row in {self.side.target}')});" if single else "return null;"
        lines += [f"if (row === null || !({test})) {missing}" if others else f"if (row === null) {missing}"]
        shape = self._embedded()
        if deletes:
            # Embedded rows are read before the row is deleted.
            kept = f"const gone = {shape};" if shape else ""
            return [*lines, *([kept] if kept else []), change("row._id"), f"return {'gone' if shape else 'row'};"]
        again = ["const changed = await ctx.db.get(row._id);"]
        if not shape:
            return [*lines, change("row._id"), "return await ctx.db.get(row._id);"]
        if "await " in shape:
            shaped = f"return changed && (await (async (row) => ({shape}))(changed));"
        else:
            shaped = f"return changed && ((row) => ({shape}))(changed);"
        return [*lines, change("row._id"), *again, shaped]

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
