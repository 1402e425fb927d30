"""What both sides hold after a write, as forms that compare."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from supavex.mapping.plan import TablePlan
from supavex.rules.form import Call, Claim, Expression, parts_in
from supavex.rules.proof.attempts import Attempt
from supavex.rules.proof.postgres import Forms, Tried


def varies(value: Expression) -> bool:
    """Whether a default depends on the time or on chance."""
    parts = parts_in(value, bodies=True)
    return any(getattr(one, "name", "") in ("now", "randomUuid") and isinstance(one, Claim | Call) for one in parts)


def moves(table: TablePlan, attempt: Attempt) -> bool:
    """Whether a row gets another key: PostgreSQL's row is another document then, and Convex's stays the one it is."""
    own = {f.name for f in table.fields if f.column is not None and table.key and f.column.name in table.key.columns}
    return attempt.command == "update" and bool(own & attempt.fields.keys())


def same(left: object, right: object) -> bool:
    """Whether two values of one field are the same: NaN is itself."""
    return repr(left) == repr(right) or left == right


def form_text(forms: Forms, fields: set[str], unsure: set[str]) -> str:
    """A document as a text that compares: the values of ``fields``, and whether those ``unsure`` have one."""
    found = {f: forms.get(f) for f in fields}, {f: forms.get(f) is None for f in unsure}
    return repr(_ordered(found))


def _ordered(value: object) -> object:
    """A value whose text is the same where values are equal: jsonb orders the keys of objects in its own way."""
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        # 12.30 and 12.3 are equal, and have several texts.
        return float(value) if value == float(value) else Decimal(value).normalize()
    return value


def unlike(
    before: Mapping[str, Forms],
    rows: Mapping[str, Forms],
    documents: Mapping[str, Forms],
    fields: set[str],
    unsure: set[str],
) -> dict[str, list[str]]:
    """The documents of ``before`` that differ between the two sides, each with the names of the differing fields.

    A field of ``unsure`` differs if only one side has changed its value.
    """
    found = {}
    for id_, own in before.items():
        row, document = rows.get(id_), documents.get(id_)
        if row is None or document is None:
            names = ["gone on one side"] if row is not document else []
        else:
            names = [f for f in sorted(fields) if not same(row.get(f), document.get(f))]
            names += [f for f in sorted(unsure) if same(row.get(f), own.get(f)) != same(document.get(f), own.get(f))]
        if names:
            found[id_] = names
    return found


def said_of(tried: Tried) -> str:
    """What came of an attempt, in words."""
    return "takes it" if tried.taken else f"refuses it ({' '.join(filter(None, [tried.code, tried.constraint]))[:200]})"


def has_no_place(tried: Tried) -> bool:
    """Whether Convex's own validation refused, because of a required field."""
    return "does not match the schema" in tried.code
