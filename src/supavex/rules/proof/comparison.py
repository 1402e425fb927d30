"""Compares both sides: the documents that each user sees, the writes that are accepted, and their effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supavex.mapping.plan import TablePlan
from supavex.rules.constraints import Constraints
from supavex.rules.form import Constant
from supavex.rules.policies import RuleSet
from supavex.rules.proof.attempts import Attempt, attempts, material
from supavex.rules.proof.convex import ConvexSide
from supavex.rules.proof.postgres import NotSaid, PostgresSide, Tried, made_by_postgres
from supavex.rules.proof.users import User
from supavex.rules.visible import visible_name
from supavex.text import counted

#: Up to this many documents of a table, each is compared. Of more, this many are.
WHOLE = 2000
#: Up to this many documents of a table, all are compared after each write.
_AFTER = 300
#: Up to this many documents of a table, rows without a document are looked for.
_COUNTED = 100_000
#: PostgreSQL's codes for a value that does not fit a column's type, for which the rules can't be compared.
_UNFIT = ("22003", "22007", "22008", "22023", "22P02")
#: The most differences that are kept. All are counted.
LISTED = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between the sides."""

    kind: str
    user: str
    table: str
    detail: str
    policy: str = ""

    def to_json(self) -> dict[str, Any]:
        """The difference in ``verify --rules --json``."""
        return {"kind": self.kind, "user": self.user, "table": self.table, "detail": self.detail, "policy": self.policy}


@dataclass(slots=True)
class Findings:
    """The result of the comparison."""

    #: The users as whom it read and wrote.
    users: list[str] = field(default_factory=list)
    #: The compared tables.
    tables: list[str] = field(default_factory=list)
    #: Documents that were read as some user.
    reads: int = 0
    #: Attempted writes.
    writes: int = 0
    #: Accepted writes.
    taken: int = 0
    #: The number of differences.
    wrong: int = 0
    #: The first differences.
    differences: list[Difference] = field(default_factory=list)
    #: What could not be compared, in words.
    not_tried: dict[str, None] = field(default_factory=dict)
    #: Tables that were compared in part: their documents, and how many of these were compared.
    sampled: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: The first write of each user that a policy refused on both sides: user, table, command, the codes.
    refused: dict[str, str] = field(default_factory=dict)

    def differ(self, difference: Difference) -> None:
        """Counts and records a difference."""
        self.wrong += 1
        if len(self.differences) < LISTED:
            self.differences.append(difference)


class Comparison:
    """Compares the sides for one user after another. ``partial``: Convex tables that lack rows in PostgreSQL."""

    def __init__(
        self,
        postgres: PostgresSide,
        convex: ConvexSide,
        rules: RuleSet,
        constraints: Constraints,
        partial: Collection[str] = (),
    ) -> None:
        self.postgres, self.convex, self.rules, self.constraints = postgres, convex, rules, constraints
        self._partial = partial
        self.findings = Findings(tables=[table.name for table in postgres.tables.values()])
        self._left = {one.constraint for one in constraints.left}
        self._closure = {name: _descendants(name, constraints) for name in postgres.tables}
        self._small = {name for name in postgres.tables if convex.deployment.count(name) <= _AFTER}
        self._documents = {name: convex.documents(name, WHOLE) for name in postgres.tables}
        for name, count in postgres.begin({name: convex.ids(name) for name in self._countable()}).items():
            said = f"{counted(count, 'row')} without a document (rejected, or written since the migration)"
            self.findings.not_tried[f"{postgres.tables[name].name}: {said}: left out in PostgreSQL"] = None
        self._equal = {name: self._comparable(name) for name in postgres.tables}
        for name, table in postgres.tables.items():
            self._say_left(name, table)

    def _countable(self) -> list[str]:
        """The tables whose rows are compared with their documents' ids before anything else."""
        count = self.convex.deployment.count
        return [name for name in self.postgres.tables if name not in self._partial and count(name) <= _COUNTED]

    def _say_left(self, name: str, table: TablePlan) -> None:
        from supavex.rules.constraints import touched_by

        for trigger in table.source.triggers:
            if touched_by(trigger) is None:
                self.findings.not_tried[f"{table.name}: the trigger {trigger.name} was off while writes were tried"] = (
                    None
                )
        for planned in table.fields:
            if made_by_postgres(planned):
                said = f"{table.name}: what {planned.name} holds after a write, for PostgreSQL makes it itself"
                self.findings.not_tried[said] = None
        count = self.convex.deployment.count(name)
        if count > WHOLE:
            self.findings.sampled[table.name] = (count, WHOLE)
            self.findings.not_tried[f"{table.name}: documents beyond the first {WHOLE:,} of {count:,}"] = None
        if count > _COUNTED and name not in self._partial:
            said = f"rows without a document, for it has more than {_COUNTED:,}: writes and subqueries meet them"
            self.findings.not_tried[f"{table.name}: {said} in PostgreSQL alone"] = None
        if self._is_partial(name):
            said = "writes, for not all rows of it, or of what it refers to or is referred to by, were copied"
            self.findings.not_tried[f"{table.name}: {said}"] = None

    def ids(self, name: str) -> set[str]:
        """The ids of the compared documents of a table."""
        return {str(document["_id"]) for document in self._documents[name]}

    def _is_partial(self, name: str) -> bool:
        """Whether PostgreSQL lacks rows that a write of the table might meet."""
        parents = {parent for _, _, parent in self.constraints.tables[name].references}
        return not parents.union(self._closure[name], (name,)).isdisjoint(self._partial)

    def _comparable(self, name: str) -> set[str]:
        """The fields whose forms are equal on both sides before anything is written."""
        if name not in self._small:
            return set()
        table = self.postgres.tables[name]
        rows = self.postgres.state(table)
        documents = {str(d["_id"]): _forms(table, d) for d in self._documents[name]}
        fields = {f for forms in rows.values() for f in forms}
        shared = rows.keys() & documents.keys()
        return {f for f in fields if all(_same(rows[id_].get(f), documents[id_].get(f)) for id_ in shared)}

    def changed(self) -> None:
        """Finds rows that have changed since the migration, for which PostgreSQL says nothing about the documents."""
        for name, table in self.postgres.tables.items():
            known = {str(document["_id"]): document for document in self._documents[name]}
            rows = self.postgres.state(table, list(known))
            gone = len(known.keys() - rows.keys())
            forms = {id_: _forms(table, known[id_]) for id_ in known.keys() & rows.keys()}
            fields = {f for one in rows.values() for f in one}
            unlike = {f: {id_ for id_, own in forms.items() if not _same(rows[id_].get(f), own.get(f))} for f in fields}
            # A field that differs in every row has another representation.
            other = set[str]().union(*(ids for ids in unlike.values() if len(ids) < len(forms) or len(forms) == 1))
            for count, word in ((gone, "gone"), (len(other), "changed")):
                if count:
                    detail = f"{counted(count, 'row')} {word} since the migration: run supavex migrate, and try again"
                    self.findings.differ(Difference("changed", "", table.name, detail))

    def of_user(self, user: User, tables: Collection[str] | None = None) -> None:
        """Compares everything as one user; with ``tables``, only these Convex tables."""
        self.findings.users.append(str(user))
        for name in self.postgres.tables:
            if tables is not None and name not in tables:
                continue
            self._writes(user, name, self.reads(user, name))

    def reads(self, user: User, name: str) -> set[str]:
        """Compares the documents of a table that the user sees. Returns the ids that PostgreSQL shows."""
        table = self.postgres.tables[name]
        known = {str(document["_id"]) for document in self._documents[name]}
        some = sorted(known) if self.convex.deployment.count(name) > WHOLE else None
        left, right = self.postgres.visible(table, user, some), self.convex.visible(table, user, some)
        self.findings.reads += len(known)
        if isinstance(left, str) or isinstance(right, str):
            # An error on both sides shows nothing on both.
            shown = right if isinstance(left, str) else left
            if isinstance(shown, set) and shown & known:
                error = left if isinstance(left, str) else right
                side = "PostgreSQL" if isinstance(left, str) else "rules.ts"
                self.findings.differ(Difference("read", str(user), table.name, f"{side} throws: {error}"))
            return set()
        if not right and self._some_columns(user, table, "select"):
            return left & known
        for id_ in sorted((left ^ right) & known):
            where = (
                "shown by rules.ts, hidden by PostgreSQL" if id_ in right else "hidden by rules.ts, shown by PostgreSQL"
            )
            self.findings.differ(Difference("read", str(user), table.name, f"{id_}: {where}", self._policies(name)))
        if some is None:
            self._by_index(user, name, right)
        return left & known

    def _some_columns(self, user: User, table: TablePlan, command: str) -> bool:
        """Whether the user's role has the right for some columns only, which rules.ts refuses. It records that."""
        found = any(g.role == user.role and command.upper() in g.by_column for g in table.source.grants)
        if found:
            said = f"{command} as {user.role}, who is granted some of its columns only: rules.ts refuses it"
            self.findings.not_tried[f"{table.name}: {said}"] = None
        return found

    def _by_index(self, user: User, name: str, shown: set[str]) -> None:
        """Compares ``visible<Table>``, which reads by indexes, with the documents that the builders show."""
        function = visible_name(name)
        found = self.convex.by_index(function, user)
        if found is not None and found != shown:
            said = found if isinstance(found, str) else f"{counted(len(found ^ shown), 'document')} more or less"
            detail = f"{function} gives other documents than the builders show: {said}"
            self.findings.differ(Difference("read", str(user), self.postgres.tables[name].name, detail))

    def _policies(self, name: str) -> str:
        rules = self.rules.tables[name]
        own = [rule.policy.name for rule in rules.policies if rule.policy.command in ("ALL", "SELECT")]
        return ", ".join(own) or ("row level security without a policy" if rules.security else "")

    def _writes(self, user: User, name: str, seen: set[str]) -> None:
        if self._is_partial(name):
            return
        rules, own = self.rules.tables[name], self.constraints.tables[name]
        documents = self._documents[name]
        made_of = material(rules, own, self.postgres.numbers)
        visible = [d for d in documents if str(d["_id"]) in seen]
        hidden = [d for d in documents if str(d["_id"]) not in seen]
        for attempt in attempts(made_of, user, visible, hidden):
            self._try(user, attempt)

    def _try(self, user: User, attempt: Attempt) -> None:
        name = attempt.table
        table = self.postgres.tables[name]
        tables = [each for each in self._closure[name] if each in self._small]
        args = (user, attempt.command, name, attempt.id, attempt.fields, tables)
        try:
            left = self.postgres.attempt(*args)
        except NotSaid as error:
            self.findings.not_tried[f"{table.name}: {attempt.command}: {error}"] = None
            return
        if not left.taken and (left.constraint in self._left or left.code == "23502"):
            why = f"the constraint {left.constraint} is not carried over" if left.constraint else "a NOT NULL column"
            self.findings.not_tried[f"{table.name}: {attempt.command}: {why}"] = None
            return
        if left.code in _UNFIT:
            self.findings.not_tried[f"{table.name}: {attempt.command}: a value that its column does not take"] = None
            return
        right = self.convex.attempt(*args)
        self.findings.writes += 1
        self.findings.taken += left.taken
        # An update or a delete reads the document first, which requires the right to all of its columns.
        needed = {attempt.command} | ({"select"} if attempt.command != "insert" else set())
        if left.taken and not right.taken and any(self._some_columns(user, table, one) for one in sorted(needed)):
            return
        if left.taken != right.taken:
            if _no_place(right):
                self.findings.not_tried[f"{table.name}: {attempt.command}: the schema does not take the document"] = (
                    None
                )
                return
            said = f"PostgreSQL {_said(left)}, rules.ts {_said(right)}: {attempt.about}"
            detail = f"{attempt.command} {attempt.id or 'a new row'}: {said}"
            self.findings.differ(Difference("write", str(user), table.name, detail, self._command(name, attempt)))
        elif not left.taken and right.code == "policy":
            said = f"{name}: {attempt.about}: policy, as in PostgreSQL ({left.code})"
            self.findings.refused.setdefault(str(user), said)
        elif left.taken and not _moves(table, attempt):
            self._compare_after(user, attempt, left, right)

    def _command(self, name: str, attempt: Attempt) -> str:
        wanted = ("ALL", attempt.command.upper())
        return ", ".join(r.policy.name for r in self.rules.tables[name].policies if r.policy.command in wanted)

    def _compare_after(self, user: User, attempt: Attempt, left: Tried, right: Tried) -> None:
        for name, rows in left.after.items():
            table = self.postgres.tables[name]
            known = {str(document["_id"]) for document in self._documents[name]}
            documents = right.after.get(name, {})
            fields = self._equal[name] - self._unsure(name, attempt)
            wrong = [
                id_
                for id_ in sorted(known)
                if (id_ in rows) != (id_ in documents)
                or (id_ in rows and any(not _same(rows[id_].get(f), documents[id_].get(f)) for f in fields))
            ]
            new = [
                Counter(_shown(forms, fields) for id_, forms in side.items() if id_ not in known)
                for side in (rows, documents)
            ]
            rejected = len(rows.keys() - known) - sum((new[1]).values())
            if wrong or (new[1] - new[0]) or (name == attempt.table and attempt.command == "insert" and rejected < 0):
                about = (
                    f"{attempt.command} {attempt.about}: other data afterwards: {', '.join(wrong[:3]) or 'the new one'}"
                )
                self.findings.differ(Difference("data", str(user), table.name, about))

    def _unsure(self, name: str, attempt: Attempt) -> set[str]:
        """Fields whose values depend on time or chance, or are computed by PostgreSQL."""
        own = self.constraints.tables[name]
        made = {f.name for f in self.postgres.tables[name].fields if made_by_postgres(f)}
        given = attempt.fields if name == attempt.table else {}
        random = {f for f, value in own.defaults.items() if not isinstance(value, Constant) and f not in given}
        return random | made | set(own.touched)


def _moves(table: TablePlan, attempt: Attempt) -> bool:
    """Whether a row gets another key. PostgreSQL's row is then another document, but Convex's document
    stays the same.
    """
    own = {f.name for f in table.fields if f.column is not None and table.key and f.column.name in table.key.columns}
    return attempt.command == "update" and bool(own & attempt.fields.keys())


def _forms(table: TablePlan, document: Mapping[str, Any]) -> dict[str, object]:
    from supavex.rules.proof.postgres import forms_of

    return forms_of(table, document)


def _same(left: object, right: object) -> bool:
    return repr(left) == repr(right) or left == right


def _shown(forms: Mapping[str, object], fields: set[str]) -> str:
    return repr({f: forms.get(f) for f in sorted(fields)})


def _said(tried: Tried) -> str:
    return "takes it" if tried.taken else f"refuses it ({' '.join(filter(None, [tried.code, tried.constraint]))[:200]})"


def _no_place(tried: Tried) -> bool:
    """Whether Convex's own validation refused, because of a required field."""
    return "does not match the schema" in tried.code


def _descendants(name: str, constraints: Constraints) -> Sequence[str]:
    found = [name]
    for each in found:
        found += [child.table for child in constraints.tables[each].children if child.table not in found]
    return found
