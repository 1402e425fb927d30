"""The dashboard writes numbers and texts as JavaScript does, which is how `npx convex data` writes them."""

from hypothesis import given
from hypothesis import strategies as st

from supavex.deployment.dashboard.written import number_text, pieces
from tests.official.node import Node
from tests.official.strategies import texts

WRITE = "export const write = (value) => typeof value === 'number' ? String(value) : JSON.stringify(value);"


@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**70).map(float), max_size=50)
)
def test_numbers(node: Node, numbers: list[float]) -> None:
    found = node.calls(WRITE, "write", [[number] for number in numbers])
    # JavaScript writes -0 as 0; here they can be told apart.
    assert [number_text(number) if number else "0" for number in numbers] == found


@given(words=st.lists(texts, max_size=20))
def test_texts(node: Node, words: list[str]) -> None:
    written = ["".join(piece.text for piece in pieces(word, {}, 10_000, lines=False)) for word in words]
    assert written == node.calls(WRITE, "write", [[word] for word in words])
