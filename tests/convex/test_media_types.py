"""Media types: what the crate mime 0.3.17 takes, and how others are made to fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.media_types import fitting_media_type, is_media_type


@pytest.mark.parametrize(
    "text",
    [
        "*/*", "text/plain", "image/svg+xml", "text/plain; charset=utf-8", "text/plain;charset=UTF-8", 'a/b;c="d, e"',
        "multipart/form-data; boundary=ABCDEFG; x=y", "application/vnd.ms-excel", 'a/b;c="d";e=f', "a/b;", "a/b; ",
        "a/b;c=",
        'a/b;c="d"  ;e=f', "text/", "a/b;  c=d", 'video/webm;codecs="vp8,opus"',
    ],
)  # fmt: skip
def test_what_convex_takes(text: str) -> None:
    assert is_media_type(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "text", "/plain", "text/plain ;a=b", "video/webm;codecs=vp8,opus", "text/plain; charset", "a/b;c=d ",
        "a b/c",
        'a/b;c="d', 'a/b;c="d"e', "a/b,c/d", "a/b;c=d e", "a/b/c", "text/plain;c=\x7f", 'a/b;c=""', "a/b;c=d;;e=f",
        "ä/b",
        "a/b\n", 'a/b;c="d\n"', "a/b;c=;d=e",
    ],
)  # fmt: skip
def test_what_convex_refuses(text: str) -> None:
    assert not is_media_type(text)


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("video/webm;codecs=vp8,opus", 'video/webm;codecs="vp8,opus"'),
        ("audio/ogg; codecs=opus ", "audio/ogg;codecs=opus"),
        ("Image/PNG", "image/png"),
        ("text/plain ; charset=UTF-8", "text/plain;charset=utf-8"),
        ("text/plain; Charset=latin1; broken", "text/plain;charset=latin1"),
        ('a/b; c="say \\"hi\\""; d=e', "a/b;d=e"),
        ('a/B; c="back\\\\slash"', 'a/b;c="back\\slash"'),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("a/b; c=é; d=\x00; e=f", "a/b;e=f"),
        (" text/html ", "text/html"),
        ("text", None),
        ("", None),
        ("no type at all", None),
    ],
)
def test_another_one_is_made_to_fit(text: str, fitting: str | None) -> None:
    assert fitting_media_type(text) == fitting


@given(st.one_of(st.text('ab/;=",\\ é\x00+*', max_size=20), st.from_regex(r"[a-z]+/[a-z]+(; ?[a-z]+=.{0,5})*")))
def test_what_is_made_to_fit_fits_and_stays(text: str) -> None:
    fitting = fitting_media_type(text)
    if fitting is not None:
        assert is_media_type(fitting) and fitting_media_type(fitting) == fitting
