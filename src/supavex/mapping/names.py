"""How a PostgreSQL name becomes a Convex name, where the schema does not already use the same one."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """``ari_payments`` as ``ariPayments``; a name without underscores stays as it is."""
    head, *rest = [part for part in name.split("_") if part] or [name]
    return head[:1].lower() + head[1:] + "".join(part[:1].upper() + part[1:] for part in rest) if rest else head


def snake_case(name: str) -> str:
    """``ariPayments`` as ``ari_payments``."""
    out = ""
    for index, character in enumerate(name):
        if character.isupper() and index and not name[index - 1].isupper():
            out += "_"
        out += character.lower()
    return out
