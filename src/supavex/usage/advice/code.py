"""TypeScript as text: a Convex function, and the layout of long expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supavex.convex.typescript import key, quoted

WIDTH = 96


@dataclass(frozen=True, slots=True)
class Snippet:
    """A Convex function: ``args`` are TypeScript validators by name, ``body`` the handler's lines.

    ``imports`` are the lines that a module needs in addition to ``query``, ``mutation`` and ``v``.
    """

    kind: Literal["query", "mutation"]
    args: dict[str, str]
    body: tuple[str, ...]
    imports: tuple[str, ...] = ()

    def function(self) -> str:
        """The whole function, for a module to export."""
        if not self.args:
            head, parameters = "", "ctx"
        else:
            names = ", ".join(f"{key(name)}: {text}" for name, text in self.args.items())
            head, parameters = f"  args: {{ {names} }},\n", "ctx, args"
        lines = "".join(f"    {line}\n" for text in self.body for line in text.split("\n"))
        return f"{self.kind}({{\n{head}  handler: async ({parameters}) => {{\n{lines}  }},\n}})"


def listed(names: Sequence[str]) -> str:
    """Names as an array of strings, in a form that is also Python."""
    return "[" + ", ".join(map(quoted, names)) + "]"


def awaited(links: Sequence[str]) -> str:
    """A chain of calls on ``ctx.db``, awaited."""
    return joined([f"await {links[0]}", *links[1:]])


def joined(links: Sequence[str]) -> str:
    """A chain of calls on one line, or on several lines if it is long."""
    flat = "".join(links)
    if len(flat) <= WIDTH and "\n" not in flat:
        return flat
    # `ctx.db` and its table stay on one line.
    first = 2 if links[0].endswith("ctx.db") else 1
    return "\n  ".join(["".join(links[:first]), *links[first:]])
