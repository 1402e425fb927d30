"""What stood in for something that the embedded PostgreSQL does not have, as findings of ``check``."""

from __future__ import annotations

from supavex.diagnostics import Diagnostic, Place, Severity
from supavex.postgres.report import Report, StandIn

#: Kinds after which a value or a rule of the rehearsal is not the real database's.
_CHANGES = ("type", "column", "constraint")
_HINT = "A live database (database_url) has the real one."
#: The most places that a finding names.
_PLACES = 3


def stand_in_findings(report: Report | None) -> list[Diagnostic]:
    """One finding for each stand-in of a replay; none for a live database."""
    return [] if report is None else [_finding(stand_in) for stand_in in report.stand_ins]


def _finding(stand_in: StandIn) -> Diagnostic:
    severity: Severity = "warning" if stand_in.kind in _CHANGES else "note"
    places = ", ".join(stand_in.places[:_PLACES])
    more = len(stand_in.places) - _PLACES
    where = f" Used in {places}{f' and {more} more' if more > 0 else ''}." if places else ""
    message = f"{stand_in.detail}{where}"
    first = stand_in.places[0].rpartition(":") if stand_in.places else ("", "", "")
    place = Place(first[0], int(first[2])) if first[2].isdigit() else None
    return Diagnostic("StandIn", severity, message, stand_in.name, _HINT, place)
