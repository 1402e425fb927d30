"""What is being done is said to whoever listens, step in step."""

from __future__ import annotations

import pytest

from supavex.steps import listener, step


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def began(self, what: str) -> None:
        self.said.append(f"+{what}")

    def goes_on(self, what: str) -> None:
        self.said.append(what)

    def ended(self) -> None:
        self.said.append("-")


def test_nobody_listens_outside_of_commands() -> None:
    assert listener.get() is None
    with step("one") as goes_on:
        goes_on("two")


def test_steps_lie_in_one_another_and_end_also_where_they_fail() -> None:
    @step("inner")
    def inner() -> None:
        raise ZeroDivisionError

    heard = Heard()
    token = listener.set(heard)
    try:
        with step("outer") as goes_on:
            goes_on("outer: 1 of 2")
            with pytest.raises(ZeroDivisionError):
                inner()
    finally:
        listener.reset(token)
    assert heard.said == ["+outer", "outer: 1 of 2", "+inner", "-", "-"]
