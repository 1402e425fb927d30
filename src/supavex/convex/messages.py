"""Convex's messages for a document that does not fit its table, as Convex's tools print them.

Source: ``common/src/schemas/validator.rs`` of convex-backend (texts of ``ValidationError``, printing of validators) and
``value/src`` (printing of values).
"""

from __future__ import annotations

import base64
import json
import math

from supavex.convex import validators as kinds
from supavex.convex.validators import Mismatch, Optional, Validator
from supavex.convex.values import Value


def mismatch_text(mismatch: Mismatch) -> str:
    """Convex's message for a mismatch: a sentence, the path, and for most kinds the value and the validator."""
    path = f"Path: {mismatch.path}" if mismatch.path else ""
    if mismatch.validator is None:
        return f"{mismatch.sentence or mismatch.message}{path}"
    kind = "Object" if isinstance(mismatch.validator, kinds.Object) and isinstance(mismatch.value, dict) else "Value"
    if isinstance(mismatch.validator, kinds.Literal):
        text = (
            f"`{value_text(mismatch.value)}` does not match literal validator `{validator_text(mismatch.validator)}`."
        )
        return text + path
    sentence = mismatch.sentence or "Value does not match validator."
    if kind == "Object" and not mismatch.sentence:
        kind = "Value"
    return f"{sentence}\n{path}\n{kind}: {value_text(mismatch.value)}\nValidator: {validator_text(mismatch.validator)}"


def validator_text(validator: Validator) -> str:
    """A validator as Convex prints it: ``v.float64()`` for a number, fields in byte order."""
    if isinstance(validator, Optional):
        return f"v.optional({validator_text(validator.inner)})"
    if isinstance(validator, kinds.Number):
        return "v.float64()"
    if isinstance(validator, kinds.Int64):
        return "v.int64()"
    if isinstance(validator, kinds.Array):
        return f"v.array({validator_text(validator.element)})"
    if isinstance(validator, kinds.Record):
        return f"v.record({validator_text(validator.keys)}, {validator_text(validator.values)})"
    if isinstance(validator, kinds.Union):
        return f"v.union({', '.join(map(validator_text, validator.members))})"
    if isinstance(validator, kinds.Object):
        fields = ", ".join(f"{name}: {validator_text(inner)}" for name, inner in sorted(validator.fields.items()))
        return f"v.object({{{fields}}})"
    if isinstance(validator, kinds.Literal):
        return f"v.literal({_literal(validator.value)})"
    return str(validator)


def _literal(value: Value) -> str:
    """A literal as JSON, or the name of its type if JSON has no form for it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "<bigint>"
    if isinstance(value, float):
        return _float(value) if math.isfinite(value) else "<number>"
    return json.dumps(value, ensure_ascii=False)


def value_text(value: Value) -> str:
    """A value as Convex prints it: a float64 as ``1.0``, an int64 as ``1``, bytes as ``b"…"`` in base64."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    if isinstance(value, bytes):
        return f'b"{base64.b64encode(value).decode()}"'
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {value_text(value[key])}' for key in sorted(value))}}}"
    return str(value)


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


#: The characters that Rust prints with a backslash and one letter.
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
