"""PostgreSQL's text of arrays, rows and hstore values, made from a document's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import plain_text


def array_text(restore: Callable[[Value], str | None], delimiter: str = ",") -> Callable[[Value], str | None]:
    """A function from an array of any number of dimensions to PostgreSQL's text. ``restore`` gives the
    elements' texts.
    """

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
            raise ValueError("it is not an array")
        return nested(value)

    return array


#: The text of an array whose elements are texts.
array_of_texts = array_text(lambda text: text)


def vector_text(value: Value) -> str | None:
    """The text of an int2vector or oidvector: numbers with blanks between them."""
    if value is None:
        return None
    if not isinstance(value, list) or any(item is None for item in value):
        raise ValueError("it is not an array of numbers")
    return " ".join(str(plain_text(item)) for item in value)


def row_text(value: Value, restore: Mapping[str, Callable[[Value], str | None]]) -> str:
    """The text of a composite type's value, from an object. ``restore`` gives the text of each attribute, in order.

    A missing attribute becomes NULL. Raises ValueError if ``value`` is not an object, and for a key that names no
    attribute.
    """
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    if unknown := sorted(value.keys() - restore.keys()):
        raise ValueError(f"the type has no attribute {unknown[0]!r}")
    texts = [text_of(value.get(name)) for name, text_of in restore.items()]
    return "(" + ",".join("" if text is None else quoted_text(text) for text in texts) + ")"


def hstore_text(value: Value) -> str:
    """The text of an hstore value, from an object of texts and nulls. Raises ValueError for any other value."""
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    if any(not isinstance(item, str | None) for item in value.values()):
        raise ValueError("hstore holds texts and NULLs alone")
    return ", ".join(
        f"{quoted_text(key)}=>{'NULL' if item is None else quoted_text(item)}" for key, item in value.items()
    )


def quoted_text(text: str) -> str:
    """A text in double quotes, as arrays, rows and hstore read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
