"""The common part of all suggested functions: the filters as Convex code, the index that serves them, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from supavex.convex.schema import SearchIndex
from supavex.convex.typescript import quoted
from supavex.postgres.catalog import ignores_case
from supavex.usage.advice.code import Snippet, listed
from supavex.usage.advice.conditions import (
    LIKES,
    Arguments,
    Condition,
    absent,
    alternatives,
    condition,
    is_scalar,
    is_text,
    search_index,
)
from supavex.usage.advice.indexes import Choice, Wanted, choose
from supavex.usage.advice.tables import ColumnSide, Sides, TableSide
from supavex.usage.finding.queries import Filter, Query


@dataclass(slots=True)
class Written:
    """The replacement of a query: the function, the index that serves it, and notes for the reader."""

    snippet: Snippet | None = None
    choice: Choice | None = None
    search: SearchIndex | None = None
    add_search: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Writer:
    """The state of writing one query as a function."""

    #: All tables of the project.
    sides: Sides
    #: The query's own table.
    side: TableSide
    #: The query, as the app wrote it.
    query: Query
    #: The arguments of the function, which grow while the filters are written.
    arguments: Arguments = field(default_factory=Arguments)
    #: Lines that the module has to import, in order.
    imports: dict[str, None] = field(default_factory=dict)
    #: The function and its notes, as far as they are written.
    result: Written = field(default_factory=Written)
    #: Whether the code lacks a filter without which it would be wrong.
    hopeless: bool = False

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)

    def _omit(self, filter_: Filter, why: str) -> None:
        """Notes that the function does not have a filter."""
        # Without one of its filters, a change affects too many rows, and a part of the rows is another part.
        query = self.query
        partial = query.single or query.paged or query.head or query.limit is not None
        no_code = bool(partial) or query.operation in ("update", "delete")
        self.hopeless = self.hopeless or no_code
        self._note(f"{'No code' if no_code else 'Not in this code'}: {filter_}: {why}.")

    # The filters as conditions

    def conditions(self) -> list[Condition]:
        """The query's filters that Convex code can express."""
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
            if name == self.side.key and column.field != "_id" and filter_.operator in ("eq", "in", "neq"):
                self._note(f"{name} is _id in Convex; the old one is kept in the field {column.field}.")
                column = ColumnSide(name, "_id")
            if not column.field:
                self._omit(filter_, f"{name} {column.why}")
                continue
            if filter_.operator in ("eq", "neq", "in", "contains", "overlaps"):
                self._say_case(name)
            text_search = filter_.operator == "textSearch"
            if text_search and (self.query.head or self.query.single or any(_searches(one) for one in found)):
                made = None
            else:
                made = condition(self.side, column, filter_, self.arguments, in_mutation=mutates)
            if made is None:
                if text_search and is_text(column):
                    self._omit(filter_, "PostgreSQL compares stems of words; a search of Convex finds other rows")
                    self._say_search(filter_, column, [])
                else:
                    self._omit(filter_, "Convex has nothing like it; compare in code")
                continue
            if made.interprets:
                self._note(f"{made.operand} is the whole pattern: % and _ in it count, and \\ takes them as they are.")
            if column.is_time and made.operand.startswith("args."):
                self._note(f"{column.field} is milliseconds since the epoch, not a text.")
            found.append(made)
        return found

    def _say_case(self, name: str) -> None:
        """Notes that PostgreSQL compared a column's texts without regard to case, and that Convex compares exactly."""
        plan = self.side.plan
        column = plan.source.column(name) if plan is not None else None
        if plan is None or column is None or not ignores_case(column):
            return
        advice = "Move it in lower case (`supavex check` has the line), and lower-case what is looked for."
        if any(field_.column == column and field_.expression for field_ in plan.fields):
            advice = "If its `sql` moves it in lower case, lower-case what is looked for and what is written."
        self._note(f"{name} is citext: PostgreSQL found it in any case, and Convex in one only. {advice}")

    def say_columns(self) -> None:
        """Notes the field of each column that the query names, if its name differs or it has none."""
        query = self.query
        columns = () if query.head else query.columns
        for column in columns:
            if column.aggregate:
                self.hopeless = True
                self._note(f"No code: {column}: read the rows and compute it, or use the aggregate component.")
            elif not column.known:
                self._note(f"Which columns {column} names is not known here: return the fields that the app needs.")
        named = [column.name for column in columns if column.known and not column.aggregate and column.name != "*"]
        named += [name.partition("->")[0].strip('"') for name, _ in query.order]
        for payload in [query.payload, *(query.payload.items if query.payload is not None else ())]:
            named += [name for name, _ in payload.fields] if payload is not None else []
        for name in dict.fromkeys(name for name in named if name):
            if not name.replace("_", "").isalnum() or any(name == embed.alias for embed in query.embeds):
                continue
            column_side = self.side.column(name)
            if not column_side.field:
                if not any(f"{name} {column_side.why}" in note for note in self.result.notes):
                    self._note(f"{name} {column_side.why}.")
            elif column_side.field not in (name, "_id"):
                self._note(f"{name} is {column_side.field} in Convex.")

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
        """The links of the query's expression up to its order, and the conditions that are still to be filtered."""
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
            # One bound on each side. A second bound on the same side goes to the filter.
            sides: dict[str, Condition] = {}
            for c in [c for c in left if c.is_range and c.column.field == choice.ranged]:
                if sides.setdefault(c.filter.operator[:2], c) is c:
                    left.remove(c)
            column = next(iter(sides.values())).column
            if "gt" not in sides and absent(column):
                # Absent fields come before all values. In SQL, NULL is not less than anything.
                calls.append(f".gt({quoted(choice.ranged)}, {absent(column)})")
            bounds = [sides[side] for side in ("gt", "lt") if side in sides]
            calls += [f".{c.filter.operator}({quoted(choice.ranged)}, {c.operand})" for c in bounds]
        if not calls:
            return f".withIndex({quoted(choice.index.name)})"
        return f".withIndex({quoted(choice.index.name)}, (q) => q{''.join(calls)})"

    def _say_search(self, filter_: Filter, column: ColumnSide, left: Sequence[Condition]) -> None:
        """Notes what a search index of the field finds, with the line that adds one if it is missing."""
        have = search_index(self.side, column)
        if have is None:
            equal = [c for c in left if c.is_equal and c.column.field != "_id"]
            filters = list(dict.fromkeys(c.column.field for c in equal))
            with_filters = f", filter_fields={listed(filters)}" if filters else ""
            name = quoted(f"search_{column.field}")
            self.result.add_search = f".search_index({name}, search_field={quoted(column.field)}{with_filters})"
        called = f"the search index {have.name}" if have is not None else "a search index"
        self._note(f"{filter_}: {called} finds words by their beginnings, not any part of a text.")

    def _search(self, left: list[Condition]) -> str:
        """The link that searches a text, if the query asks for it and there is a search index."""
        for text in [c for c in left if c.filter.operator in LIKES and not (c.filter.negated or c.filter.maybe)]:
            # A pattern with a fixed beginning is not a text search. A pattern that matches anywhere may be meant as
            # one.
            anywhere = all(pattern[:1] in ("%", "*") for pattern in text.patterns)
            if self.query.operation == "select" and anywhere:
                self._say_search(text.filter, text.column, left)
        for text in [c for c in left if _searches(c)]:
            equal = [c for c in left if c.is_equal and c.column.field != "_id"]
            found = search_index(self.side, text.column)
            assert found is not None
            calls = [f".search({quoted(found.search_field)}, {text.operand})"]
            left.remove(text)
            for c in equal:
                if c.column.field in found.filter_fields and c in left:
                    calls.append(f".eq({quoted(c.column.field)}, {c.operand})")
                    left.remove(c)
            self.result.search = found
            self._note("A search gives the best matches first, at most 1024 of them, in no other order.")
            self._note(
                "These are not the same rows: Convex finds any of the words, by their beginnings; "
                "PostgreSQL compares stems, and knows &, | and !."
            )
            return f".withSearchIndex({quoted(found.name)}, (q) => q{''.join(calls)})"
        return ""

    def _filtered(self, links: list[str], left: Sequence[Condition]) -> tuple[list[str], str]:
        """The links with a ``.filter``, if Convex can express all conditions; else a condition on a row, as code."""
        if not left:
            return links, ""
        if not any(c.needs_code for c in left):
            parts = [c.in_filter() for c in left]
            text = parts[0] if len(parts) == 1 else f"q.and({', '.join(parts)})"
            return [*links, f".filter((q) => {text})"], ""
        return links, " && ".join(c.on_row() for c in left)

    def _say_whole(self, more: str = "") -> None:
        choice = self.result.choice
        if choice is not None and choice.index is None and self.result.search is None:
            self._note(f"It reads the whole table{more}.")


def _searches(one: Condition) -> bool:
    return one.filter.operator == "textSearch"
