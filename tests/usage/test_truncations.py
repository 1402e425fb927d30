"""Whatever a file holds, reading it ends, and says where it found what it found."""

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.usage.advice.advice import advise
from supavex.usage.advice.tables import Sides
from supavex.usage.finding.calls import find_uses
from supavex.usage.finding.functions import find_functions
from supavex.usage.finding.sources import LANGUAGES, SourceFile, Sources, read_sources

from .conftest import APP

FILES = read_sources(APP).files
WORDS = sorted({word for file in FILES for word in re.findall(rb"[\w.]+|\S", file.text)})


def read(path: str, text: bytes, sides: Sides) -> None:
    suffix = Path(path).suffix
    sources = Sources([SourceFile(f"a{suffix}", LANGUAGES[suffix], text)])
    lines = text.count(b"\n") + 1
    functions = find_functions(sources.files, "")
    for use in find_uses(sources):
        assert 1 <= use.line <= lines
        assert advise(use, sides, functions).to_json()["file"] == f"a{suffix}"
    assert sources.left_out == {}


@settings(max_examples=400)
@given(file=st.sampled_from(FILES), start=st.floats(0, 1), end=st.floats(0, 1))
def test_any_part_of_a_file(project_sides: Sides, file: SourceFile, start: float, end: float) -> None:
    size = len(file.text)
    read(file.path, file.text[int(start * size) : int(end * size)], project_sides)


@settings(max_examples=400)
@given(file=st.sampled_from(FILES), words=st.lists(st.sampled_from(WORDS), max_size=60))
def test_any_words(project_sides: Sides, file: SourceFile, words: list[bytes]) -> None:
    read(file.path, b"supabase.from('articles').select()." + b"".join(words), project_sides)
    read(file.path, b"supabase.from('articles')." + b" ".join(words), project_sides)


@settings(max_examples=200)
@given(data=st.binary(max_size=300), suffix=st.sampled_from(sorted(LANGUAGES)))
def test_any_bytes(data: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"a{suffix}").write_bytes(b"supabase" + data)
        find_uses(read_sources(Path(folder)))
