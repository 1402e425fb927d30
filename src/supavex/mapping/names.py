"""How a PostgreSQL name becomes a Convex name, where the schema does not already use the same one."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """``ari_payments`` as ``ariPayments``, ``API_ACCESS`` as ``apiAccess``, ``FriendRequest`` as ``friendRequest``."""
    words = [word.lower() if word.isupper() else word for word in name.split("_") if word]
    if not words:
        return name
    head, *rest = words
    return head[:1].lower() + head[1:] + "".join(word[:1].upper() + word[1:] for word in rest)
