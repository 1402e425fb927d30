"""Columns that name a file of Supabase storage, converted to references to Convex's stored files.

A file's id is computed from its row in ``storage.objects``, like the id of any row. A column holds the path of a file
in a bucket, or an address that Supabase's clients make (public, signed, authenticated, or of a resized image).
PostgreSQL finds the row by bucket and name.
"""

from __future__ import annotations

from supavex.postgres.connection import literal

SCHEMA, TABLE = "storage", "objects"
#: The source of stored files, as reports name it.
OBJECTS = f"{SCHEMA}.{TABLE}"
_ADDRESS = r"^(?:https?://[^?#]*/)?/?storage/v1/(?:object|render/image)/(?:(?:public|sign|authenticated)/)?([^?#]+)"
#: Bytes, in hexadecimal, that are UTF-8 without NUL (RFC 3629). PostgreSQL raises an error for others.
_UTF8 = (
    "^(?:0[1-9a-f]|[1-7][0-9a-f]|(?:c[2-9a-f]|d[0-9a-f])[89ab][0-9a-f]|e0[ab][0-9a-f][89ab][0-9a-f]|"
    "(?:e[1-9abcef])(?:[89ab][0-9a-f]){2}|ed[89][0-9a-f][89ab][0-9a-f]|f0[9ab][0-9a-f](?:[89ab][0-9a-f]){2}|"
    "f[1-3](?:[89ab][0-9a-f]){3}|f48[0-9a-f](?:[89ab][0-9a-f]){2})*$"
)


def object_parts(source: str, bucket: str | bool) -> tuple[str, str]:
    """SQL for the bucket and the name of the file that a text names. ``bucket``: see :class:`.ColumnRule`.

    ``source`` is SQL for the text. Both results are NULL if it is NULL or names no file.
    """
    path = f"substring({source} from {literal(_ADDRESS)})"
    in_address = _decoded(f"split_part({path}, '/', 1)")
    name = _decoded(f"substr({path}, strpos({path}, '/') + 1)")
    if isinstance(bucket, str):
        in_address = f"CASE WHEN {path} IS NULL THEN {literal(bucket)} ELSE {in_address} END"
        name = f"CASE WHEN {path} IS NULL THEN regexp_replace({source}, '^/+', '') ELSE {name} END"
    return in_address, name


def _decoded(text: str) -> str:
    """SQL for ``text`` without percent-encoding; NULL if the bytes are not text."""
    byte = "CASE WHEN m.m[1] ~ '^%..$' THEN lower(substr(m.m[1], 2)) ELSE encode(convert_to(m.m[1], 'UTF8'), 'hex') END"
    matches = f"regexp_matches({text}, '%[0-9A-Fa-f]{{2}}|.', 'g') WITH ORDINALITY AS m(m, n)"
    hexadecimal = f"SELECT string_agg({byte}, '' ORDER BY m.n) AS x FROM {matches}"
    read = f"SELECT CASE WHEN h.x ~ {literal(_UTF8)} THEN convert_from(decode(h.x, 'hex'), 'UTF8') END"
    return f"CASE WHEN strpos({text}, '%') = 0 THEN {text} ELSE ({read} FROM ({hexadecimal}) AS h) END"
