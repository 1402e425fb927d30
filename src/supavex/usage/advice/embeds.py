"""Rows of other tables inside a row: PostgREST embeds them, Convex reads them by id or by index."""

from __future__ import annotations

from supavex.convex.schema import TableDefinition
from supavex.convex.typescript import key, quoted
from supavex.usage.advice.code import WIDTH, listed
from supavex.usage.advice.conditions import absent, member
from supavex.usage.advice.indexes import Wanted, choose
from supavex.usage.advice.selected import selected
from supavex.usage.advice.tables import ColumnSide, TableSide
from supavex.usage.advice.writer import Writer
from supavex.usage.finding.selects import Embed


class Embedding(Writer):
    """Writes a row with its embedded rows."""

    def _embeds(self) -> list[Embed]:
        return list(self.query.embeds)

    def _embedded(self) -> str:
        """The object for ``row``; empty if it is the row itself."""
        own = selected(self.query.columns, self.side, "row", whole=not self._embeds(), note=self._note)
        parts = [part for embed in self._embeds() if (part := self._embed(embed))]
        if own is None and not parts:
            return ""
        parts = [*(["...row"] if own is None else own), *parts]
        flat = f"{{ {', '.join(parts)} }}" if parts else "{}"
        return flat if len(flat) <= WIDTH else "{\n  " + ",\n  ".join(parts) + ",\n}"

    def _mapped(self, rows: str, shape: str) -> str:
        """The expression for ``rows``, each in the shape of :meth:`_embedded`."""
        if not shape:
            return rows
        if "await " not in shape:
            return f"{rows}.map(({'' if shape == '{}' else 'row'}) => ({shape}))"
        return f"await Promise.all({rows}.map(async (row) => ({shape})))"

    def _picked(self, found: str, embed: Embed, other: TableSide, *, many: bool) -> str:
        """``found``, one or more documents of another table, reduced to the embedded fields."""
        parts = selected(embed.columns, other, "one", whole=not embed.embeds, note=self._note)
        if parts is None:
            return found
        shape = "{ " + ", ".join(parts) + " }" if parts else "{}"
        if many:
            return f"({found}).map((one) => ({shape}))"
        return f"((one) => one && ({shape}))({found})"

    def _embed(self, embed: Embed) -> str:
        if embed.embeds:
            inner = ", ".join(one.name for one in embed.embeds)
            self._note(f"{embed.name} holds {inner} in its turn: the same again on its documents.")
        for column in embed.columns:
            if not column.known:
                names = f"which columns {column} names is not known here"
                self._note(f"{embed.name}: {names}: return the fields that the app needs.")
            elif column.aggregate and not _counts(embed):
                self._note(f"Not in this code: {embed.name}({column}): compute it of the documents.")
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
        self._say_inner(embed)
        if embed.spread:
            self._note(f"{embed.name}: the spread of many rows makes an array of each column: do it in code.")
            return ""
        return self._children(embed, other)

    def _say_inner(self, embed: Embed) -> None:
        if "inner" in embed.hints:
            self._note(f"Not in this code: {embed.relation}!inner leaves out the rows that have none.")

    def _column_names(self) -> list[str]:
        if self.side.plan is not None:
            return [column.name for column in self.side.plan.source.columns]
        return list(self.side.definition.fields) if self.side.definition is not None else []

    def _parent(self, embed: Embed, column: ColumnSide) -> str:
        at = f"row{member(column.field)}"
        got = f"{at} ? await ctx.db.get({at}) : null" if absent(column) else f"await ctx.db.get({at})"
        if absent(column):
            self._say_inner(embed)
        picked = self._picked(got, embed, self._other(column.refers_to), many=False)
        return f"...({picked})" if embed.spread else f"{key(embed.name)}: {picked}"

    def _other(self, target: str) -> TableSide:
        """The side of a Convex table that may have no source table: names alone tell its fields then."""
        tables = self.sides.schema.tables if self.sides.schema is not None else {}
        known = self.sides.of_target(target)
        return known[0] if known else TableSide(target, "existing", target, definition=tables.get(target))

    def _children(self, embed: Embed, other: TableSide) -> str:
        assert other.definition is not None
        names = [
            name
            for name, validator in other.definition.fields.items()
            if ColumnSide(name, name, "", validator).refers_to == self.side.target
        ]
        if not names:
            return self._through(embed, other)
        name = next((n for n in names if any(n in hint for hint in embed.hints)), names[0])
        rows = self._of_row(other.target, other.definition, name, embed)
        counted = f"[{{ count: ({rows}).length }}]" if _counts(embed) else self._picked(rows, embed, other, many=True)
        return f"{key(embed.name)}: {counted}"

    def _of_row(self, table: str, definition: TableDefinition, name: str, embed: Embed) -> str:
        """The expression for the documents of ``table`` whose field ``name`` is the row's id."""
        choice = choose(definition, Wanted((name,)))
        range_ = f".filter((q) => q.eq(q.field({quoted(name)}), row._id))"
        if choice.index is not None:
            range_ = f".withIndex({quoted(choice.index.name)}, (q) => q.eq({quoted(name)}, row._id))"
        elif choice.add is not None:
            line = f".index({quoted(choice.add[0])}, {listed(choice.add[1])})"
            self._note(f"{table} needs {line} for {embed.name}.")
        return f"await ctx.db.query({quoted(table)}){range_}.collect()"

    def _through(self, embed: Embed, other: TableSide) -> str:
        """The documents behind a join table."""
        tables = self.sides.schema.tables if self.sides.schema is not None else {}
        found = []
        for name, definition in tables.items():
            links = [ColumnSide(field_, field_, "", kind) for field_, kind in definition.fields.items()]
            here = [link.field for link in links if link.refers_to == self.side.target]
            there = [link for link in links if link.refers_to == other.target]
            if len(here) == 1 and len(there) == 1 and not absent(there[0]):
                found.append((name, definition, here[0], there[0].field))
        if len(found) != 1:
            self._note(f"{embed.name}: by which table between the two? Read it by its index, then ctx.db.get.")
            return ""
        name, definition, here_field, there_field = found[0]
        rows = self._of_row(name, definition, here_field, embed)
        if _counts(embed):
            return f"{key(embed.name)}: [{{ count: ({rows}).length }}]"
        got = f"await Promise.all(({rows}).map((one) => ctx.db.get(one{member(there_field)})))"
        parts = selected(embed.columns, other, "one", whole=not embed.embeds, note=self._note)
        if parts is not None:
            shape = "{ " + ", ".join(parts) + " }" if parts else "{}"
            got = f"({got}).map((one) => one && ({shape}))"
        return f"{key(embed.name)}: {got}"


def _counts(embed: Embed) -> bool:
    """Whether the number of the rows is asked for, and not the rows."""
    return [str(column) for column in embed.columns] in (["count"], ["count()"])
