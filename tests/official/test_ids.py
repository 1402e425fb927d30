"""Document ids, against a decoder written apart from supavex and ids that Convex itself has written."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.ids import ALPHABET, InvalidId, decode_id, encode_id

from .node import Node, Refused
from .strategies import internal_ids, table_numbers

#: Table number, internal id, id: each seen to decode so by Convex's own ``id-encoding``; the last is of a real file.
KNOWN = [
    (1, "00" * 16, "0400000000000000000000000000248"),
    (127, bytes(range(16, 32)).hex(), "fw8124gk2gahc5rr34d1p70x3rfzf5r"),
    (10_001, bytes(range(16)).hex(), "j57000820c20a1g7104gm2rc1m70ynr8"),
    (10_002, "00112233445566778899aabbccdd4e20", "j97004926d25askqh2ctneycvn720pbv"),
    (4_294_967_295, "ab" * 16, "zzzzzzrfnentqaxbnentqaxbnentqaxbnexrj"),
    (540, "025080da6815d27a8d906a9106a4505c", "kg204m40v9m1bmkthp86n486mh85s0rc"),
]


@pytest.mark.parametrize(("table", "internal", "text"), KNOWN)
def test_known_ids(node: Node, table: int, internal: str, text: str):
    expected = (table, bytes.fromhex(internal))
    assert encode_id(*expected) == text
    assert decode_id(text) == expected
    assert node.decode_ids([text]) == [expected]


@given(documents=st.lists(st.tuples(table_numbers, internal_ids), min_size=1, max_size=50))
def test_the_official_decoder_reads_what_python_writes(node: Node, documents: list[tuple[int, bytes]]):
    assert node.decode_ids([encode_id(*document) for document in documents]) == documents


def test_thousands_of_ids(node: Node):
    """Table numbers of all lengths (1 to 5 bytes), and every length of text (31 to 37)."""
    chance = random.Random(20_001)
    documents = [(chance.randrange(1, 2 ** chance.randrange(1, 33)), chance.randbytes(16)) for _ in range(5000)]
    ids = [encode_id(*document) for document in documents]
    assert {len(text) for text in ids} == {31, 32, 34, 36, 37}
    assert node.decode_ids(ids) == documents
    assert [decode_id(text) for text in ids] == documents


@st.composite
def damaged_ids(draw: st.DrawFn) -> str:
    """An id with one character changed, dropped or doubled; now and then it stays what it was."""
    text = encode_id(draw(table_numbers), draw(internal_ids))
    at = draw(st.integers(0, len(text) - 1))
    instead = draw(st.sampled_from(["", text[at] * 2, *ALPHABET, *"ilouA-é"]))
    return text[:at] + instead + text[at + 1 :]


@given(texts=st.lists(damaged_ids(), min_size=1, max_size=20))
def test_both_refuse_the_same_texts(node: Node, texts: list[str]):
    for text, official in zip(texts, node.decode_ids(texts), strict=True):
        if isinstance(official, Refused):
            with pytest.raises(InvalidId):
                decode_id(text)
        else:
            assert decode_id(text) == official
