"""PostgreSQL's text of arrays, rows and hstore values, of what a document holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import plain_text


def array_text(restore: Callable[[Value], str | None], delimiter: str = ",") -> Callable[[Value], str | None]:
    """The text of an array, of any number of dimensions, whose elements' text ``restore`` gives."""

    def element(item: Value) -> str:
        if isinstance(item, list):
            return nested(item)
        text = None if item is None else restore(item)
        return "NULL" if text is None else quoted_text(text)

    def nested(items: list[Value]) -> str:
        return "{" + delimiter.join(map(element, items)) + "}"

    def array(value: Value) -> str | None:
        if value is None:
            return None
        if not isinstance(value, list):
            raise ValueError("it is no array")
        return nested(value)

    return array


#: The text of an array of keys, which are text already.
array_of_texts = array_text(lambda text: text)


def vector_text(value: Value) -> str | None:
    """The text of an int2vector or oidvector: its numbers with blanks between them."""
    if value is None:
        return None
    if not isinstance(value, list) or any(item is None for item in value):
        raise ValueError("it is no array of numbers")
    return " ".join(str(plain_text(item)) for item in value)


def row_text(value: Value, restore: Mapping[str, Callable[[Value], str | None]]) -> str:
    """The text of a composite type's value, an object; ``restore`` gives the text of each attribute, in order.

    An attribute that is not there is NULL. Raises ValueError for any other value, and for a key that names no
    attribute.
    """
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    if unknown := sorted(value.keys() - restore.keys()):
        raise ValueError(f"the type has no attribute {unknown[0]!r}")
    texts = [text_of(value.get(name)) for name, text_of in restore.items()]
    return "(" + ",".join("" if text is None else quoted_text(text) for text in texts) + ")"


def hstore_text(value: Value) -> str:
    """The text of an hstore value, an object of texts and nulls. Raises ValueError for any other."""
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    if any(not isinstance(item, str | None) for item in value.values()):
        raise ValueError("hstore holds texts and NULLs alone")
    return ", ".join(
        f"{quoted_text(key)}=>{'NULL' if item is None else quoted_text(item)}" for key, item in value.items()
    )


def quoted_text(text: str) -> str:
    """A text between double quotes, as arrays, rows and hstore read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
