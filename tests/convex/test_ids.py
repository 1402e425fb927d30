"""Document ids: one text for each document, and no other text for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.ids import ALPHABET, InvalidId, decode_id, encode_id, fletcher16, varint

TEN_THOUSAND_AND_ONE = "j57000820c20a1g7104gm2rc1m70ynr8"


def test_an_id_holds_the_table_and_sixteen_bytes():
    assert encode_id(10_001, bytes(range(16))) == TEN_THOUSAND_AND_ONE
    assert decode_id(TEN_THOUSAND_AND_ONE) == (10_001, bytes(range(16)))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(1, "01"), (127, "7f"), (128, "8001"), (10_001, "914e"), (2**32 - 1, "ffffffff0f")],
)
def test_varint(number: int, encoded: str):
    assert varint(number).hex() == encoded


def test_fletcher16_adds_modulo_256():
    assert fletcher16(b"") == b"\x00\x00"
    assert fletcher16(b"\x01\x02") == bytes([3, 1 + 3])
    assert fletcher16(b"\xff\xff") == bytes([0xFE, 0xFD])


@pytest.mark.parametrize(("number", "length"), [(1, 31), (127, 31), (128, 32), (2**14, 34), (2**21, 36), (2**28, 37)])
def test_the_length_of_an_id_tells_the_size_of_its_table_number(number: int, length: int):
    assert len(encode_id(number, bytes(16))) == length


@pytest.mark.parametrize("number", [1, 127, 128, 2**28, 2**32 - 1])
def test_the_first_and_last_table_numbers_of_each_length(number: int):
    assert decode_id(encode_id(number, b"\xff" * 16)) == (number, b"\xff" * 16)


@given(number=st.integers(1, 2**32 - 1), internal=st.binary(min_size=16, max_size=16))
def test_reading_gives_what_was_written(number: int, internal: bytes):
    assert decode_id(encode_id(number, internal)) == (number, internal)


@given(at=st.integers(0, len(TEN_THOUSAND_AND_ONE) - 1), instead=st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(at: int, instead: str):
    text = TEN_THOUSAND_AND_ONE[:at] + instead + TEN_THOUSAND_AND_ONE[at + 1 :]
    if text != TEN_THOUSAND_AND_ONE:
        with pytest.raises(InvalidId):
            decode_id(text)


def spelled(data: bytes) -> str:
    """``data`` in base32, checksum added, whatever it says."""
    data += fletcher16(data)
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its length is 0, not 31 to 37"),
        (TEN_THOUSAND_AND_ONE[:30], "its length is 30"),
        (TEN_THOUSAND_AND_ONE + "000000", "its length is 38"),
        (TEN_THOUSAND_AND_ONE.upper(), "'J' is not a digit"),
        (TEN_THOUSAND_AND_ONE.replace("1", "l"), "'l' is not a digit"),
        (TEN_THOUSAND_AND_ONE[:-1] + "é", "'é' is not a digit"),
        (encode_id(1, bytes(16))[:-1] + "9", "unused bits that are not zero"),
        (TEN_THOUSAND_AND_ONE + "00", "table number and length don't fit"),
        (spelled(b"\x00" + bytes(16)), "table number and length don't fit"),
        (spelled(b"\x80\x80\x80\x80\x10" + bytes(16)), "table number and length don't fit"),
        (spelled(b"\x81\x00" + bytes(16)), "spelling is wrong"),
        (TEN_THOUSAND_AND_ONE[:-1] + "9", "checksum or spelling is wrong"),
    ],
)
def test_what_is_no_id(text: str, why: str):
    with pytest.raises(InvalidId, match="is not a Convex document id") as caught:
        decode_id(text)
    assert why in caught.value.message
    assert caught.value.code == "InvalidId"


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_no_table_has_such_a_number(number: int):
    with pytest.raises(ValueError, match="a table number is from 1 to 4294967295"):
        encode_id(number, bytes(16))


@pytest.mark.parametrize("length", [0, 15, 17])
def test_an_internal_id_has_sixteen_bytes(length: int):
    with pytest.raises(ValueError, match=f"16 bytes, not {length}"):
        encode_id(1, bytes(length))
