"""SQL with which the copy, and code that works like it, reads keys. The proof has its own."""

from __future__ import annotations

from collections.abc import Sequence

from supavex.mapping.keys import INTEGER_PREFIX, Key


def key_sql(key: Key, columns: Sequence[str]) -> str:
    """SQL for the 16 bytes (``uuid`` or ``bytea``) of the key whose parts are the SQL expressions ``columns``.

    NULL if any part is NULL. The parts may be the key's own columns or the columns of a foreign key to it.
    """
    if key.form == "uuid":
        return f"{columns[0]}"
    if key.form == "integer":
        return f"'\\x{INTEGER_PREFIX.hex()}'::bytea || int8send({columns[0]}::int8)"
    return f"substr(sha256(convert_to({key_text_sql(key, columns)}, 'UTF8')), 1, 16)"


def key_text_sql(key: Key, columns: Sequence[str]) -> str:
    """SQL for the key as text, for messages and for the proof: the value, or a JSON array of several values.

    If the key is the whole row, the expression is a window function that numbers equal rows.
    """
    if key.form == "row":
        row = f"ROW({', '.join(columns)})::text"
        return f"{row} || ' #' || row_number() OVER (PARTITION BY {row})"
    numeric = key.numeric or (False,) * len(columns)
    texts = [f"trim_scale({c}::numeric)::text" if n else f"{c}::text" for c, n in zip(columns, numeric, strict=True)]
    if len(columns) == 1:
        return texts[0]
    parts = ", ".join(texts)
    whole = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    return f"CASE WHEN {whole} THEN to_jsonb(ARRAY[{parts}])::text END"
