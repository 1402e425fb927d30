"""Every code that the copy rejects a row by is explained, with lines that supavex.toml takes."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.cli.reports.rejects import reject_lines, toml_lines
from supavex.mapping.rejections import REJECTIONS
from supavex.migrate.state.rejects import Reason, Reject
from supavex.settings.reading import load_settings
from tests.projects import ROOT

#: Calls that reject rows, and where their code stands.
CALLS = {"Guard": 1, "reject": 2, "Reason": 1, "_reason": 1, "ForbiddenKeys": 1, "Reject": 3}
PLACES = ("migrate/copy", "migrate/storage", "mapping/conversions")


def given() -> Iterator[str]:
    for place in PLACES:
        for file in (ROOT / "src/supavex" / place).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                    argument = node.args[CALLS[name]] if len(node.args) > CALLS.get(name, 99) else None
                    if isinstance(argument, ast.Constant):
                        yield argument.value
                # Codes with their reasons, handed to one of these calls.
                if isinstance(node, ast.Tuple) and file.name in ("parents.py", "json.py"):
                    texts = [e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
                    yield from (text for text in texts if text[:1].isupper() and text.isalpha() and len(text) > 5)


def test_every_code_is_explained() -> None:
    codes = set(given())
    assert {"DanglingReference", "NullInRequired", "InexactNumber", "InvalidValue", "ValueTooLargeError"} <= codes
    assert codes - {"Infinity"} <= set(REJECTIONS), codes - set(REJECTIONS)
    assert set(REJECTIONS) <= codes | {"RejectedParent"}, set(REJECTIONS) - codes


@pytest.mark.parametrize("code", REJECTIONS)
def test_the_lines_are_what_supavex_toml_takes(code: str, tmp_path: Path) -> None:
    lines = toml_lines(code, "public.payments", "amount due", "public")
    for line in [line.removeprefix("# or ") for line in lines[1:]] or [""]:
        text = "\n".join([*lines[:1], line])
        tomllib.loads(text)
        (tmp_path / "supavex.toml").write_text(text)
        load_settings(tmp_path)
    known = REJECTIONS[code]
    assert lines or known.schema or known.source, "something mends it"


def reject(table: str, key: int, column: str, code: str, reason: str = "because") -> Reject:
    return Reject(table, str(key), column, code, reason, "Do this.")


def test_causes_come_first_each_reason_once_and_followers_are_counted() -> None:
    rows = [reject("public.orders", n, "customer_id", "RejectedParent") for n in range(21)]
    rows += [reject("public.customers", n, "amount", "InexactNumber") for n in range(2)]
    rows += [reject("sales.customers", n, "status", "NullInRequired") for n in range(5)]
    lines = reject_lines(rows, "public")
    assert lines == [
        "rejected: 5 × sales.customers.status NullInRequired: because (0, 1, 2, …)",
        "    Do this.",
        '        [tables."sales.customers".columns.status]',
        '        fill = "defaults"  # NULL becomes the default of the field or of the column',
        "rejected: 2 × public.customers.amount InexactNumber: because (0, 1)",
        "    Do this.",
        "        [tables.customers.columns.amount]",
        "        lossy = true  # the nearest double: 9007199254740992",
        "21 more rows only follow these: of 21 × public.orders.customer_id. "
        "They go when the rows that they refer to do.",
    ]


def test_each_reason_of_a_row_is_told_and_a_row_with_a_cause_does_not_only_follow() -> None:
    also = (Reason("at", "InfiniteTime", "why", "Fix it."), Reason("by", "RejectedParent", "why", "Fix that."))
    rows = [Reject("public.notes", "1", "n", "InexactNumber", "because", "Do this.", also=also)]
    told = [line for line in reject_lines(rows, "public") if not line.startswith(" ")]
    assert told == [
        "rejected: 1 × public.notes.n InexactNumber: because (1)",
        "rejected: 1 × public.notes.at InfiniteTime: why (1)",
    ]


def test_a_row_that_only_follows_is_told_without_a_cause_too() -> None:
    (line,) = reject_lines([reject("public.orders", 1, "customer_id", "RejectedParent")], "public")
    assert line.startswith("1 more row only follows these")


def test_many_reasons_are_cut_and_counted() -> None:
    rows = [reject("public.t", n, "a", "ValueNotAllowed", f"reason {n}") for n in range(30)]
    assert "10 more for 10 other reasons" in reject_lines(rows, "public")[-1]
