"""The plan of a cutover: from measured runs, estimated where the source has grown, refused without a rehearsal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supavex.errors import UsageError
from supavex.migrate.golive.checklist import markdown, shown_seconds
from supavex.migrate.golive.cutover import CutoverPlan, Naming, plan_cutover, rehearsal_of
from supavex.migrate.state.runs import Run

NAMING = Naming("--config supavex.remaining.toml", "cloud", "cloud prod:x", "postgres", ("VITE_CONVEX_URL",))
URL = "http://127.0.0.1:3210"


def run(command: str, at: str, **steps: float) -> Run:
    made = Run(command, URL, at, ok=True, steps={name.replace("_", " "): s for name, s in steps.items()})  # type: ignore[arg-type]
    made.rows = 3000
    return made


def rehearsed() -> list[Run]:
    migrated = run("migrate", "2026-01-01T01:00:00Z", copy=30.0, export_before=5.0, rehearsal=5.0, proof=20.0)
    migrated.steps["import"] = 40.0
    migrated.tables = {"public.a": {"rows": 1000, "seconds": 20.0}, "public.b": {"rows": 2000, "seconds": 10.0}}
    changes = run("changes", "2026-01-01T02:00:00Z", copy=3.0, proof=7.0)
    return [run("deploy", "2026-01-01T00:00:00Z", push=8.0), migrated, changes, run("verify", "x", proof=15.0)]


def planned(runs: list[Run], rows: dict[str, int] | None) -> CutoverPlan:
    return plan_cutover("app", "postgresql://db", "2026-01-02T00:00:00Z", runs, rows, NAMING)


def test_what_was_measured_is_said() -> None:
    plan = planned(rehearsed(), {"public.a": 1000, "public.b": 2000})
    assert not plan.estimated
    assert plan.downtime == 10.0 + 15.0
    text = markdown(plan)
    assert "**Expected downtime: 25 s**" in text
    assert "**Migrate everything, while the app goes on writing to Supabase** (measured 1 min 40 s)" in text
    assert "supavex migrate --config supavex.remaining.toml --to cloud --changes --yes" in text
    assert "supavex check --config supavex.remaining.toml\n" in text
    assert "VITE_CONVEX_URL" in text
    assert "estimated" not in text


def test_a_larger_source_is_estimated_table_by_table() -> None:
    # The slow table is ten times as large, the other as it was: the copy takes 30 * (200 + 10) / 30 s.
    plan = planned(rehearsed(), {"public.a": 10_000, "public.b": 2000})
    assert plan.estimated
    migrate = plan.before[1]
    assert migrate.measured == 100.0
    assert migrate.seconds == pytest.approx(210.0 + 70.0 * 4)
    assert plan.downtime == pytest.approx(10.0 * 4 + 15.0 * 4)
    assert "4.00 times the rows of the rehearsal: times are **estimated**" in markdown(plan)


def test_the_local_deployment_has_no_way_back_by_rollback() -> None:
    naming = replace(NAMING, to="local", deployment="local")
    plan = plan_cutover("app", "db", "now", [*rehearsed(), run("rollback", "y", proof=3.0)], None, naming)
    assert not [step for step in plan.back if step.commands]
    assert "rollback" not in markdown(plan)
    assert "`supavex migrate` writes it anew" in markdown(plan)


def test_what_was_not_rehearsed_is_said() -> None:
    runs = [run for run in rehearsed() if run.command in ("migrate", "deploy")]
    text = markdown(planned(runs, None))
    assert text.count("Not rehearsed") == 2
    assert "it could not be counted now" in text


def test_no_rehearsal_is_refused() -> None:
    failed = rehearsed()[1]
    failed.ok = False
    for runs in ([], [failed], [run("deploy", "x", push=1.0)]):
        with pytest.raises(UsageError) as caught:
            rehearsal_of(runs)
        assert caught.value.code == "NoRehearsal"
        assert "supavex serve" in (caught.value.hint or "")


def test_seconds_are_shown_as_people_say_them() -> None:
    shown = [shown_seconds(s) for s in (0.004, 2.34, 61, 100, 600, 7200)]
    assert shown == ["0.1 s", "2.3 s", "61 s", "1 min 40 s", "10 min", "2.0 h"]
