"""Writes the query function that replaces a ``select``."""

from __future__ import annotations

from collections.abc import Sequence

from supavex.convex.typescript import quoted
from supavex.usage.advice.code import awaited, joined
from supavex.usage.advice.conditions import Condition, absent, is_scalar, member
from supavex.usage.advice.embeds import Embedding
from supavex.usage.advice.indexes import Wanted, choose
from supavex.usage.advice.tables import ColumnSide


class Reading(Embedding):
    """Writes the lines of a query function."""

    def lines(self, conditions: list[Condition]) -> list[str]:
        """The handler's lines."""
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
        self._say_nulls()
        self._say_each(left)
        sort = "" if choice is None or choice.ordered or query.head or self.result.search else self._sort()
        if query.head:
            self._note("Convex counts nothing by itself: keep a count in a document, or use the aggregate component.")
            self._say_whole()
            counted = f"({awaited([*links, '.collect()'])})"
            return [f"return {counted}{f'.filter((row) => {code})' if code else ''}.length;"]
        if query.count:
            self._note("The count of all rows is another query; Convex gives none beside a page.")
        if not code and not sort:
            return self._direct(links)
        self._say_whole()
        rows = [f"({awaited([*links, '.collect()'])})"]
        rows += [f".filter((row) => {code})"] if code else []
        return self._rows([*rows, sort] if sort else rows)

    def _direct(self, links: list[str]) -> list[str]:
        """A query whose rows are returned unchanged."""
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
                return [f"return {awaited(links)};"]
            page = self._mapped("page.page", embedded)
            return [f"const page = {awaited(links)};", f"return {{ ...page, page: {page} }};"]
        if query.limit is not None:
            return self._many([*links, f".take({self._limit()})"])
        return self._many([*links, ".collect()"])

    def _say_each(self, left: Sequence[Condition]) -> None:
        """Suggests one indexed query for each value of a list."""
        assert self.side.definition is not None
        equal = self.result.choice.equal if self.result.choice is not None else ()
        for one in left:
            plain = one.filter.operator == "in" and not one.filter.negated and not one.filter.maybe
            if plain and is_scalar(one.column):
                found = choose(self.side.definition, Wanted((*equal, one.column.field)))
                if found.index is not None and not found.rest:
                    each = f"a query of {found.index.name} for each {one.column.field}, with Promise.all"
                    self._note(f"{one.filter}: {each}, reads less.")

    def _say_nulls(self) -> None:
        for name, desc in self.query.order if not self.query.head else ():
            column = self.side.column(name)
            # In Convex, absent fields come before all values. In SQL, NULL comes after them by default.
            first = self.query.nulls_first.get(name, desc)
            if column.field and absent(column) and first is not (not desc):
                asked = "as in SQL" if name not in self.query.nulls_first else "as this query asks"
                self._note(f"Rows without {column.field} sort as the least, and not as the greatest, {asked}.")

    def _limit(self) -> str:
        limit = self.query.limit
        if limit is not None and limit.kind == "number" and limit.text.isdigit():
            return limit.text
        return self.arguments.add("limit", "v.number()")

    def _rows(self, links: list[str]) -> list[str]:
        """Rows that code filters and sorts, reduced to the requested part."""
        query = self.query
        if query.paged:
            ends = [self.arguments.add(name, "v.number()") for name in ("from", "to")]
            links = [*links, f".slice({ends[0]}, {ends[1]} + 1)"]
        elif query.limit is not None and not query.single:
            links = [*links, f".slice(0, {self._limit()})"]
        rows = joined(links)
        if query.single:
            if query.limit is not None and query.limit.text in ("1", "1.0"):
                return self._found([f"const row = {rows}[0] ?? null;"])
            several = f"if (rows.length > 1) throw new Error({quoted(f'more than one row in {self.side.target}')});"
            return self._found([f"const rows = {rows};", several, "const row = rows[0] ?? null;"])
        embedded = self._embedded()
        if not embedded:
            return [f"return {rows};"]
        return [f"const rows = {rows};", f"return {self._mapped('rows', embedded)};"]

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
            return [f"return {awaited(links)};"]
        return [f"const rows = {awaited(links)};", f"return {self._mapped('rows', embedded)};"]

    def _one(self, links: list[str]) -> list[str]:
        if self.query.single == "maybeSingle" and not self._embedded():
            return [f"return {awaited(links)};"]
        return self._found([f"const row = {awaited(links)};"])

    def _found(self, lines: list[str]) -> list[str]:
        """The lines that return the row in the variable ``row``, after ``lines``."""
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
            missing = "return null;"
            if self.query.single == "single":
                missing = f"throw new Error({quoted(f'no such row in {self.side.target}')});"
            lines.append(f"if (row === null || !({test})) {missing}")
            return [*lines, f"return {self._embedded() or 'row'};"]
        if self.query.single != "single" and not self._embedded():
            return [f"return await ctx.db.get({by_id.operand});"]
        return self._found(lines)
