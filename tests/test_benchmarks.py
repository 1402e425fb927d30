"""The figures of the benchmarks: how they are held against recorded ones, and that no benchmark is left out."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import running
from benchmarks.figures import (
    SIZES,
    Figure,
    NotMeasured,
    Recorded,
    compare,
    left_out,
    read_figures,
    table,
    write_figures,
)

FOLDER = Path(command.__file__).parent
PAGE = """# Results

<!-- figures: written by `make bench RECORD=1` -->

| benchmark | size | what | times | floor | least | most | date |
|---|---|---|---:|---|---:|---:|---|
| copy | quick | payments | 2 | COPY | 1.9 | 2.2 | 2026-01-01 |
| copy | full | payments | 3 | COPY | 2.9 | 3.2 | 2026-01-01 |

<!-- end of figures -->

## More
"""


def recorded(median: float, size: str = "quick", what: str = "payments") -> Recorded:
    return Recorded("copy", size, Figure(what, "COPY", median - 0.1, median, median + 0.2), "2026-01-02")


def test_a_figure_holds_each_run_against_the_floor_of_the_same_run() -> None:
    """A machine that slows down during the second run slows its floor, too."""
    assert Figure.of("x", "y", [2.0, 6.0, 2.2], [1.0, 2.0, 1.0]) == Figure("x", "y", 2.0, 2.2, 3.0)


def test_runs_without_their_floor_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Figure.of("x", "y", [1.0, 2.0], [1.0])


@pytest.mark.parametrize(("median", "slower"), [(1.0, False), (2.5, False), (2.51, True)])
def test_slower_is_more_than_a_quarter(median: float, slower: bool) -> None:
    (found,) = compare([recorded(median)], read_figures(PAGE))
    assert found.slower is slower
    assert ("slower by" in table([found])) is slower
    assert found.to_json()["slower"] is slower


def test_sizes_are_held_against_their_own() -> None:
    (found,) = compare([recorded(3.1, "full")], read_figures(PAGE))
    assert not found.slower
    assert found.before is not None
    assert found.before.figure.median == 3


def test_what_is_not_recorded_is_compared_with_nothing() -> None:
    (found,) = compare([recorded(9.0, what="articles")], read_figures(PAGE))
    assert (found.before, found.slower, found.to_json()["recorded"]) == (None, False, None)


def test_what_was_not_measured_is_said() -> None:
    gone = left_out([recorded(9.0, what="articles")], read_figures(PAGE))
    assert [each.place for each in gone] == [("copy", "quick", "payments")], "the other size was not asked for"


def test_recording_replaces_the_figures_of_what_was_measured_alone() -> None:
    page = write_figures(PAGE, [recorded(2.345, what="articles")])
    assert [each.place for each in read_figures(page)] == [("copy", "full", "payments"), ("copy", "quick", "articles")]
    assert read_figures(page)[1].figure == Figure("articles", "COPY", 2.25, 2.35, 2.55)
    assert page.endswith("## More\n")
    assert write_figures(page, []) == page


@pytest.mark.parametrize("line", ["| copy | quick | payments | two | COPY | 1 | 2 | 2026-01-01 |", "| copy | quick |"])
def test_a_line_that_is_no_figure_is_said(line: str) -> None:
    broken = PAGE.replace("| copy | full | payments | 3 | COPY | 2.9 | 3.2 | 2026-01-01 |", line)
    with pytest.raises(ValueError, match=r"no line of figures: \| copy"):
        read_figures(broken)
    with pytest.raises(ValueError, match="holds no table of figures"):
        read_figures("# Results\n")


def test_the_page_holds_figures_of_benchmarks_that_there_are() -> None:
    found = read_figures(command.RESULTS.read_text(encoding="utf-8"))
    assert {each.benchmark for each in found} <= set(command.BENCHMARKS)
    assert {each.size for each in found} <= set(SIZES)
    assert len({each.place for each in found}) == len(found)
    assert all(each.figure.least <= each.figure.median <= each.figure.most for each in found)


def test_no_benchmark_is_left_out() -> None:
    """Each module of the folder is run, or is a part of those that are."""
    modules = {path.stem: path for path in FOLDER.glob("*.py") if path.stem not in ("__main__", "__init__")}
    used = {
        node.module.partition(".")[2]
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmarks.")
    }
    assert set(command.BENCHMARKS) <= modules.keys()
    assert modules.keys() - set(command.BENCHMARKS) <= used
    for name in command.BENCHMARKS:
        assert callable(importlib.import_module(f"benchmarks.{name}").measure), name


def _found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: dict[str, list[Figure] | str]) -> None:
    """Benchmarks that answer so, and a page of results."""
    (tmp_path / "RESULTS.md").write_text(PAGE)
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(command, "BENCHMARKS", tuple(answers))
    monkeypatch.setattr(command, "run", lambda name, size: answers[name])


def test_the_command_says_what_is_slower_and_what_it_could_not_measure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = Figure("payments", "COPY", 2.5, 3.0, 3.5)
    _found(monkeypatch, tmp_path, {"copy": [slow], "functions_speed": "not measured: it needs Node."})
    assert command.main([]) == 1
    out = capsys.readouterr().out
    assert "slower by 50%" in out
    assert "functions_speed: not measured: it needs Node." in out
    assert command.main(["--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["figures"] == [
        {"benchmark": "copy", "size": "quick", "what": "payments", "floor": "COPY", "least": 2.5, "median": 3.0,
         "most": 3.5, "recorded": 2.0, "slower": True}
    ]  # fmt: skip
    assert shown["without"] == {"functions_speed": "not measured: it needs Node."}
    assert (tmp_path / "RESULTS.md").read_text() == PAGE, "nothing is recorded unless it is asked for"


def test_the_command_records_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _found(monkeypatch, tmp_path, {"copy": [Figure("payments", "COPY", 1.8, 1.9, 2.0)], "stages": "failed: …"})
    assert command.main(["copy"]) == 0
    assert command.main(["--record"]) == 1, "a benchmark failed"
    found = read_figures((tmp_path / "RESULTS.md").read_text())
    assert [each.figure.median for each in found] == [3, 1.9]
    with pytest.raises(SystemExit):
        command.main(["nothing"])


def test_a_benchmark_runs_in_a_process_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    assert running.run("figures", "quick") == "failed: its message is above."
    assert "has no attribute 'measure'" in capfd.readouterr().err


def test_an_interrupted_run_has_recorded_what_it_has_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _found(monkeypatch, tmp_path, {"copy": [Figure("payments", "COPY", 1.8, 1.9, 2.0)]})
    monkeypatch.setattr(command, "BENCHMARKS", ("copy", "stopped"))
    with pytest.raises(KeyError):
        command.main(["--record"])
    assert 1.9 in [each.figure.median for each in read_figures((tmp_path / "RESULTS.md").read_text())]


class _Pipe:
    """What the process of a benchmark answers into."""

    def send(self, found: list[Figure] | str) -> None:
        self.found = found


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (NotMeasured("it needs Node."), "not measured: it needs Node."),
        (SystemExit("x"), "failed: "),
        (None, "failed: "),
    ],
)
def test_a_benchmark_that_fails_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException | None, said: str
) -> None:
    def measure(size: object) -> list[Figure]:
        raise raised or ZeroDivisionError

    monkeypatch.setattr("benchmarks.copy.measure", measure)
    pipe = _Pipe()
    running._measure("copy", "quick", pipe)  # type: ignore[arg-type]
    assert isinstance(pipe.found, str)
    assert pipe.found.startswith(said)
