"""Compares both sides: the documents that each user sees, the writes that are accepted, and their effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from supavex.mapping.plan import TablePlan
from supavex.rules.constraints import Constraints
from supavex.rules.form import Field, parts_in
from supavex.rules.policies import RuleSet, refusing_policies, tables_asked
from supavex.rules.proof.attempts import Attempt, attempts, material
from supavex.rules.proof.convex import ConvexSide
from supavex.rules.proof.findings import Difference, Findings
from supavex.rules.proof.postgres import NotSaid, PostgresSide, Tried, compared_fields, forms_of, made_by_postgres
from supavex.rules.proof.states import form_text, has_no_place, moves, said_of, same, unlike, varies
from supavex.rules.proof.users import User
from supavex.rules.touching import touched_by
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
#: PostgreSQL's code where a policy asks for rows that it is about. Which rows it has looked at then is chance.
_ENDLESS = "54001"
#: PostgreSQL's codes where it refuses by a policy, or finds no row that one shows.
_REFUSED = ("42501", "no rows")
#: Why PostgreSQL refuses, in the words of rules.ts.
_REASONS = {
    **dict.fromkeys(_REFUSED, "policy"), **dict.fromkeys(("23001", "23503"), "foreign_key"), "23502": "not_null",
    "23505": "unique", "23514": "check", "42P17": "recursion", **dict.fromkeys(_UNFIT, "type"),
}  # fmt: skip


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
        self._left = {(one.table, one.constraint) for one in constraints.left}
        self._closure = {name: _descendants(name, constraints) for name in postgres.tables}
        self._small = {name for name in postgres.tables if convex.deployment.count(name) <= _AFTER}
        self._documents = {name: convex.documents(name, WHOLE) for name in postgres.tables}
        for name, count in postgres.begin({name: convex.ids(name) for name in self._countable()}).items():
            said = f"{counted(count, 'row')} without a document (rejected, or written since the migration)"
            self.findings.not_tried[f"{postgres.tables[name].name}: {said}: left out in PostgreSQL"] = None
        self._equal = {name: self._comparable(name) for name in postgres.tables}
        #: The fields whose values PostgreSQL makes itself.
        self._made = {n: {f.name for f in t.fields if made_by_postgres(f)} for n, t in postgres.tables.items()}
        for name, table in postgres.tables.items():
            self._say_left(name, table)
            self._say_not_compared(name, table)

    def _countable(self) -> list[str]:
        """The tables whose rows are compared with their documents' ids before anything else."""
        count = self.convex.deployment.count
        return [name for name in self.postgres.tables if name not in self._partial and count(name) <= _COUNTED]

    def _say_left(self, name: str, table: TablePlan) -> None:
        for trigger in table.source.triggers:
            if touched_by(trigger, table.source) is None:
                self.findings.not_tried[f"{table.name}: the trigger {trigger.name} was off while writes were tried"] = (
                    None
                )
        for made in filter(made_by_postgres, table.fields):
            said = f"{table.name}: what {made.name} holds after a write, for PostgreSQL makes it itself"
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

    def _say_not_compared(self, name: str, table: TablePlan) -> None:
        """Lists the documents and fields that are not compared after a write, or not at all."""
        said = self.findings.not_tried
        count = self.convex.deployment.count(name)
        if not count:
            said[f"{table.name}: everything, for it has no document"] = None
        if count > WHOLE:
            said[f"{table.name}: {visible_name(name)}, for it has more than {WHOLE:,} documents"] = None
        if count > _AFTER:
            said[f"{table.name}: what its documents hold after a write, for it has more than {_AFTER}"] = None
            return
        compared = {planned.name for planned in compared_fields(table)}
        unlike = compared - self._equal[name] if count else set()
        for planned in table.fields:
            if planned.name in unlike or planned.name not in compared:
                why = "it is held in another way" if planned.name in unlike else "no single column gives it"
                said[f"{table.name}: what {planned.name} holds after a write, for {why}"] = None

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
        documents = {str(d["_id"]): forms_of(table, d) for d in self._documents[name]}
        fields = {f for forms in rows.values() for f in forms}
        shared = rows.keys() & documents.keys()
        return {f for f in fields if all(same(rows[id_].get(f), documents[id_].get(f)) for id_ in shared)}

    def changed(self) -> None:
        """Finds rows that have changed since the migration, for which PostgreSQL says nothing about the documents."""
        for name, table in self.postgres.tables.items():
            known = {str(document["_id"]): document for document in self._documents[name]}
            rows = self.postgres.state(table, list(known))
            gone = len(known.keys() - rows.keys())
            forms = {id_: forms_of(table, known[id_]) for id_ in known.keys() & rows.keys()}
            fields = {f for one in rows.values() for f in one}
            unlike = {f: {id_ for id_, own in forms.items() if not same(rows[id_].get(f), own.get(f))} for f in fields}
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
        if isinstance(right, str) and self._some_columns(user, table, "select"):
            return left & known if isinstance(left, set) else set()
        if isinstance(left, str) or isinstance(right, str):
            # An error on both sides shows nothing on both.
            shown = right if isinstance(left, str) else left
            if isinstance(left, str) and shown and self._refuses(name, "select"):
                return set()
            if isinstance(shown, set) and shown & known:
                error = left if isinstance(left, str) else right
                side = "PostgreSQL" if isinstance(left, str) else "rules.ts"
                self.findings.differ(Difference("read", str(user), table.name, f"{side} throws: {error}"))
            return set()
        wrong = (left ^ right) & known
        if wrong & left and self._refuses(name, "select"):
            wrong -= left
        for id_ in sorted(wrong):
            sides = ("rules.ts", "PostgreSQL") if id_ in right else ("PostgreSQL", "rules.ts")
            where = f"shown by {sides[0]}, hidden by {sides[1]}"
            self.findings.differ(Difference("read", str(user), table.name, f"{id_}: {where}", self._policies(name)))
        if some is None:
            self._by_index(user, name, right)
            self._by_every_way(user, name, right)
        return left & known

    def _some_columns(self, user: User, table: TablePlan, command: str) -> bool:
        """Whether the user's role has the right for some columns only, which rules.ts refuses. It records that.

        Of the tables that its policies ask for, too.
        """
        asked = [self.rules.tables[name].source for name in tables_asked(table.target, self.rules.tables)]
        found = False
        for each, wanted in ((table, command), *((one, "select") for one in asked if one is not None)):
            if any(g.role == user.role and wanted.upper() in g.by_column for g in each.source.grants):
                said = f"{wanted} as {user.role}, who is granted some of its columns only: rules.ts refuses it"
                self.findings.not_tried[f"{each.name}: {said}"] = None
                found = True
        return found

    def _refuses(self, name: str, command: str) -> bool:
        """Whether rules.ts has a policy that refuses where PostgreSQL may let pass: that is said."""
        policies = refusing_policies(name, self.rules.tables, command)
        for policy in policies:
            said = f"{command} by {policy}, which refuses in rules.ts"
            self.findings.not_tried[f"{self.postgres.tables[name].name}: {said}"] = None
        return bool(policies)

    def _by_every_way(self, user: User, name: str, shown: set[str]) -> None:
        """``get``, ``collect`` and all other ways of ``ctx.db`` give what its pages show."""
        table = self.postgres.tables[name]
        ids = sorted(str(document["_id"]) for document in self._documents[name])
        ways: dict[str, set[str] | str] = {"get": self.convex.visible(table, user, ids)} if ids else {}
        if name in self._small:
            found = self.convex.by_every_way(table, user)
            ways |= found if isinstance(found, dict) else {"query": found}
        for way, seen in ways.items():
            if seen != shown:
                said = seen if isinstance(seen, str) else f"{counted(len(seen ^ shown), 'document')} more or less"
                detail = f"ctx.db: {way} gives other documents than paginate: {said}"
                self.findings.differ(Difference("read", str(user), table.name, detail))

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
        made_of = material(rules, own, self.postgres.numbers, self._parents(name))
        visible = [d for d in documents if str(d["_id"]) in seen]
        hidden = [d for d in documents if str(d["_id"]) not in seen]
        for attempt in attempts(made_of, user, visible, hidden):
            self._try(user, attempt)

    def _parents(self, name: str) -> set[str]:
        """The documents of a table that others refer to: of each reference one, of more than one child if there is."""
        found = set[str]()
        for child in self.constraints.tables[name].children:
            counts = Counter(str(d[child.field]) for d in self._documents.get(child.table, ()) if d.get(child.field))
            found |= {id_ for id_, _ in counts.most_common(2)}
        return found

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
        if not left.taken and (self._is_left(left, attempt) or self._is_unknown(left, attempt)):
            what = "NOT NULL of" if left.code == "23502" else "the constraint"
            self.findings.not_tried[
                f"{table.name}: {attempt.command}: {what} {left.constraint} is not carried over"
            ] = None
            return
        if left.code in _UNFIT and not attempt.unfit:
            self.findings.not_tried[f"{table.name}: {attempt.command}: a value that its column does not take"] = None
            return
        if left.code == _ENDLESS:
            self.findings.not_tried[f"{table.name}: {attempt.command}: PostgreSQL's stack ends, by a policy"] = None
            return
        right = self.convex.attempt(*args)
        self.findings.writes += 1
        self.findings.taken += left.taken
        # An update or a delete reads the document first, which requires the right to all of its columns.
        needed = {attempt.command} | ({"select"} if attempt.command != "insert" else set())
        allowed = left.taken or left.code not in _REFUSED
        if allowed and right.code == "policy" and self._refuses(name, attempt.command):
            return
        if allowed and right.code == "policy" and attempt.command == "insert" and self._reads_key(name):
            self.findings.not_tried[f"{table.name}: insert: a policy reads the key that Convex chooses"] = None
            return
        refuses = not right.taken and allowed and (left.taken or right.code == "policy")
        if refuses and any(self._some_columns(user, table, one) for one in sorted(needed)):
            return
        if attempt.command == "update" and not attempt.fields:
            whole = self.convex.attempt(user, "replace", name, attempt.id, {}, [])
            if whole.taken != right.taken:
                detail = f"replace {attempt.id}: {said_of(whole)}, patch {said_of(right)}: {attempt.about}"
                self.findings.differ(Difference("write", str(user), table.name, detail, self._command(name, attempt)))
        if left.taken != right.taken and not (left.taken and moves(table, attempt)):
            made = self._made[name] & attempt.fields.keys()
            key = next((one.fields for one in self.constraints.tables[name].unique if one.name == right.constraint), ())
            if left.taken and attempt.command == "insert" and made & set(key):
                # PostgreSQL makes another value of its own.
                self.findings.not_tried[f"{table.name}: insert: a value of {', '.join(made)} that there is"] = None
                return
            if has_no_place(right) and not attempt.left_out:
                what = f"{table.name}: {attempt.command}: the schema does not take the document"
                self.findings.not_tried[what] = None
                return
            said = f"PostgreSQL {said_of(left)}, rules.ts {said_of(right)}: {attempt.about}"
            detail = f"{attempt.command} {attempt.id or 'a new row'}: {said}"
            self.findings.differ(Difference("write", str(user), table.name, detail, self._command(name, attempt)))
        elif left.taken and moves(table, attempt):
            self.findings.not_tried[f"{table.name}: what an update of its key leaves"] = None
        elif left.taken:
            self._compare_after(user, attempt, left, right)
        elif not moves(table, attempt):
            self._compare_reasons(user, attempt, left, right)

    def _compare_reasons(self, user: User, attempt: Attempt, left: Tried, right: Tried) -> None:
        """Both refuse. Where one does so by a policy and the other by a constraint, the first lets the write pass."""
        table, why = self.postgres.tables[attempt.table], _REASONS.get(left.code)
        # PostgreSQL looks at references, and at uniques that are deferred, after the statement: either may come first.
        last = {why, right.code} == {"unique", "foreign_key"}
        if why is not None and right.code in _REASONS.values() and "type" != right.code != why and not last:
            detail = f"{attempt.command} {attempt.id or 'a new row'}: {attempt.about}: PostgreSQL {said_of(left)}, "
            detail += f"rules.ts {said_of(right)}: not for the same reason"
            self.findings.differ(
                Difference("write", str(user), table.name, detail, self._command(table.target, attempt))
            )
        elif right.code == "policy":
            said = f"{attempt.table}: {attempt.about}: policy, as in PostgreSQL ({left.code})"
            self.findings.refused.setdefault(str(user), said)

    def _reads_key(self, name: str) -> bool:
        """Whether a policy for new rows reads their own key, which a new document has not yet."""
        rules = [r for r in self.rules.tables[name].policies if r.policy.command in ("ALL", "INSERT")]
        parts = parts_in([(rule.using, rule.check) for rule in rules])
        return any(isinstance(one, Field) and (one.row, one.name) == ("row", "_id") for one in parts)

    def _is_left(self, left: Tried, attempt: Attempt) -> bool:
        """Whether it was a constraint that rules.ts has not: of the table, or of one that the write reaches."""
        names = (
            self.postgres.tables[each].name for each in self._closure[attempt.table] if each in self.postgres.tables
        )
        return left.code == "23P01" or any((name, left.constraint) in self._left for name in names)

    def _is_unknown(self, left: Tried, attempt: Attempt) -> bool:
        """Whether PostgreSQL asks for a value of a column of which rules.ts asks for none."""
        if left.code != "23502":
            return False
        fields = self.postgres.tables[attempt.table].fields
        own = {f.name for f in fields if f.column is not None and f.column.name == left.constraint}
        return not own & {*self.constraints.tables[attempt.table].required}

    def _command(self, name: str, attempt: Attempt) -> str:
        wanted = ("ALL", attempt.command.upper())
        return ", ".join(r.policy.name for r in self.rules.tables[name].policies if r.policy.command in wanted)

    def _compare_after(self, user: User, attempt: Attempt, left: Tried, right: Tried) -> None:
        for name, rows in left.after.items():
            table = self.postgres.tables[name]
            known = {str(document["_id"]) for document in self._documents[name]}
            documents = right.after.get(name, {})
            unsure = self._unsure(name, attempt) & self._equal[name]
            fields = self._equal[name] - unsure - self._made[name] - self._left_defaults(name, attempt)
            before = {str(d["_id"]): forms_of(table, d) for d in self._documents[name]} if unsure else {}
            wrong = unlike({id_: before.get(id_, {}) for id_ in sorted(known)}, rows, documents, fields, unsure)
            new = [
                Counter(form_text(row, fields, unsure) for id_, row in side.items() if id_ not in known)
                for side in (rows, documents)
            ]
            rejected = len(rows.keys() - known) - sum((new[1]).values())
            if wrong or (new[1] - new[0]) or (name == attempt.table and attempt.command == "insert" and rejected < 0):
                made = [next((row for id_, row in side.items() if id_ not in known), {}) for side in (rows, documents)]
                one = "the new one"
                wrong = wrong or unlike({one: {}}, {one: made[0]}, {one: made[1]}, fields, set())
                which = [f"{id_} ({', '.join(found)})" for id_, found in wrong.items()][:3] or ["the new one"]
                about = f"{attempt.command} {attempt.about}: other data afterwards: {', '.join(which)}"
                self.findings.differ(Difference("data", str(user), table.name, about))

    def _left_defaults(self, name: str, attempt: Attempt) -> set[str]:
        """The fields of a new document that only PostgreSQL gives a default, which is listed as left."""
        if attempt.command != "insert" or name != attempt.table:
            return set()
        table = self.postgres.tables[name]
        own = [f for f in table.fields if f.column is not None and f.name not in attempt.fields]
        return {f.name for f in own if f.column and (table.name, f"default of {f.column.name}") in self._left}

    def _unsure(self, name: str, attempt: Attempt) -> set[str]:
        """Fields whose values depend on the time or on chance. Whether a value exists, or changed, is compared."""
        own = self.constraints.tables[name]
        if attempt.command != "insert":
            return set(own.touched)
        return {f for f, value in own.defaults.items() if f not in attempt.fields and varies(value)}


def _descendants(name: str, constraints: Constraints) -> Sequence[str]:
    found = [name]
    for each in found:
        found += [child.table for child in constraints.tables[each].children if child.table not in found]
    return found
