"""Made-up values fit the validators that they are made for."""

from __future__ import annotations

from pathlib import Path

from supavex.convex.schema_json import validator_from_json
from supavex.convex.values import from_internal_json
from supavex.schema import v
from tests.checkouts import apps
from tests.made_values import document, made
from tests.public_apps import Report, _count

EVERY = v.object(
    {
        "text": v.string(),
        "whole": v.int64(),
        "number": v.number(),
        "bytes": v.bytes(),
        "ids": v.array(v.id("people")),
        "either": v.union(v.literal("a"), v.literal("b")),
        "maybe": v.optional(v.string()),
        "none": v.union(v.string(), v.null()),
        "inner": v.object({"flags": v.record(v.string(), v.boolean())}),
        "any": v.any(),
    }
)


def test_values_fit() -> None:
    json = EVERY.to_json()
    value = from_internal_json(made(json, {"people": 10_001}))
    assert validator_from_json(json).check(value, {10_001: "people"}.get) is None
    assert isinstance(value, dict)
    assert "maybe" not in value and value["none"] is None


def test_documents_are_objects() -> None:
    both = v.union(v.object({"a": v.literal(1)}), v.object({"b": v.null()})).to_json()
    assert document(both, {}) == {"a": 1.0}
    assert document(v.any().to_json(), {}) == {}


def test_apps_are_found_below_a_package(tmp_path: Path) -> None:
    for name in (
        "a/convex/x.ts",
        "b/example/convex/y.ts",
        "c/convex/_generated/api.ts",
        "a/node_modules/p/convex/z.ts",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("")
    for name in ("a", "b", "c"):
        (tmp_path / name / "package.json").write_text("{}")
    assert apps(tmp_path) == [(tmp_path / "a", tmp_path / "a"), (tmp_path / "b", tmp_path / "b/example")]


def test_whose_failure_it_is() -> None:
    report = Report("app")
    for said in (
        "",
        "Uncaught Error: Not signed in",
        "Uncaught Error: Not supported here: `x`",
        "fetch failed: a.example is not allowed here. Allow it by `supavex serve --allow-fetch a.example`",
    ):
        _count(report, "f", said)
    assert (report.called, report.answered, report.refused, report.offline, len(report.failed)) == (4, 1, 1, 1, 1)
