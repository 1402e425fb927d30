"""Media types of stored files and uploads, by Convex's rules.

Source: ``mime`` 0.3.17, the crate with which convex-backend reads media types. It is stricter than HTTP: no space
before a semicolon, no comma in a value without quotes (``video/webm;codecs=vp8,opus``), no escapes in quotes.
"""

from __future__ import annotations

import re

_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]"
_PART = rf'{_TOKEN}+=(?:"[^\x00-\x1f\x7f"]+" *|{_TOKEN}+|(?=\Z))'
_READ = re.compile(rf"{_TOKEN}+/{_TOKEN}*(?:; *(?:{_PART}(?:; *{_PART})*(?:; *)?)?)?\Z")
_ESSENCE = re.compile(rf"\s*({_TOKEN}+/{_TOKEN}+)\s*(?:;|\Z)")
_PARAMETER = re.compile(rf'\s*({_TOKEN}+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)\s*(?:;|\Z)', re.DOTALL)
_WHOLE_TOKEN = re.compile(rf"{_TOKEN}+\Z")
_QUOTABLE = re.compile(r'[^\x00-\x1f\x7f"]+\Z')


def is_media_type(text: str) -> bool:
    """Whether Convex accepts ``text`` as a media type. It refuses an import or upload with any other type."""
    return text.isascii() and _READ.match(text) is not None


def fitting_media_type(text: str) -> str | None:
    """``text`` as Convex keeps it: names in lower case, values in quotes if they need them.

    A type that Convex accepts and that has no capital letter is returned unchanged. A parameter that Convex does not
    accept is left out. None if ``text`` has no type and subtype.
    """
    if is_media_type(text) and text == text.lower():
        return text
    essence = _ESSENCE.match(text)
    if essence is None:
        return None
    parameters, position = [], essence.end()
    while (found := _PARAMETER.match(text, position)) is not None and found.end() > position:
        name, value, position = found[1].lower(), found[2].strip(), found.end()
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
        if name == "charset" and value.lower() == "utf-8":
            value = "utf-8"
        if _WHOLE_TOKEN.match(value):
            parameters.append(f"{name}={value}")
        elif value.isascii() and _QUOTABLE.match(value):
            parameters.append(f'{name}="{value}"')
    return ";".join([essence[1].lower(), *parameters])
