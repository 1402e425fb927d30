"""``supavex check``: tests that the schema compiles and that it covers the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.convex.snapshot import STORAGE_LIKE_HINT, is_storage_like
from supavex.diagnostics import Diagnostic, has_errors
from supavex.errors import SupavexError
from supavex.mapping.coverage import coverage, table_statuses
from supavex.mapping.files_not_run import file_diagnostics
from supavex.mapping.implied import look_nowhere
from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.mapping.refused_rows import refused_rows
from supavex.mapping.replay_findings import remarks, replay_findings, skipped_losses
from supavex.mapping.source import Source
from supavex.mapping.suggestions import suggestions
from supavex.postgres.report import Report
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings
from supavex.steps import step


@dataclass(slots=True)
class Check:
    """The result of a check. ``plan`` is None if the schema could not be loaded or does not consist of validators."""

    schema: Schema | None
    plan: Plan | None
    replay: Report | None
    diagnostics: list[Diagnostic]

    def ok(self, *, strict: bool = False) -> bool:
        """Whether there is no error and, with ``strict``, no warning."""
        return not has_errors(self.diagnostics, strict=strict)

    def to_json(self, *, strict: bool = False) -> dict[str, Any]:
        """The JSON of ``check --json``."""
        return {
            "ok": self.ok(strict=strict),
            "tables": [] if self.plan is None else table_statuses(self.plan),
            "diagnostics": [diagnostic.to_json() for diagnostic in self.diagnostics],
        }


@step("checking the schema against the source")
def check(project: Settings, *, rows: bool = True) -> Check:
    """Compiles the schema and compares it with the source. Returns all findings at once.

    ``rows``: whether to read rows, to find references without a foreign key.

    Raises :class:`~supavex.errors.UsageError` if there is no schema file or no source.
    """
    try:
        schema = load_schema(project)
    except SupavexError as error:
        if error.exit_code == 2:
            raise
        found = Diagnostic(error.code, "error", error.message, error.where or "", error.hint or "")
        return Check(None, None, None, [found])
    diagnostics = compile_schema(schema)
    if any(d.code == "NotAValidator" for d in diagnostics):
        return Check(schema, None, None, diagnostics)
    source = Source(project)
    catalog, report = source.catalog()
    plan = make_plan(project, schema, catalog)
    diagnostics += replay_findings(plan, report)
    diagnostics += file_diagnostics(report)
    plan.remarks = remarks(diagnostics)
    diagnostics += coverage(plan, skipped_losses(project, report))
    diagnostics += _refused_names(plan)
    diagnostics += suggestions(plan, source.look if rows else look_nowhere)
    if rows and project.database_url and not has_errors(diagnostics):
        diagnostics += refused_rows(plan)
    return Check(schema, plan, report, diagnostics)


def _refused_names(plan: Plan) -> list[Diagnostic]:
    """The tables whose names Convex's import refuses; see :func:`~supavex.convex.snapshot.is_storage_like`."""
    message = (
        "Convex's import refuses a table of such a name with int64, bytes or special floats, and the whole archive "
    )
    message += "with it: it takes the entry that announces these, {0}/generated_schema.jsonl, for a stored file."
    return [
        Diagnostic("TableNameLikeStorage", "error", message.format(table.target), table.target or "", STORAGE_LIKE_HINT)
        for table in plan.moving
        if is_storage_like(table.target, uniform=any(field.conversion.special for field in table.fields))
    ]


def checked_plan(project: Settings) -> tuple[Plan, list[Diagnostic]]:
    """The plan for a migration, and its warnings. Raises :class:`~supavex.errors.SupavexError` if :func:`check` finds
    an error.
    """
    result = check(project, rows=False)
    errors = [d for d in result.diagnostics if d.severity == "error"]
    if errors or result.plan is None:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise SupavexError(
            "CheckFailed",
            f"{errors[0].code}: {errors[0].message}{more}",
            where=errors[0].where,
            hint="`supavex check` shows all findings.",
        )
    return result.plan, result.diagnostics
