"""Convex's own words for a document that does not fit its table, as its tools print them.

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
    """What Convex says of a mismatch: a sentence, the path, and for most kinds the value and the validator."""
    path = f"Path: {mismatch.path}" if mismatch.path else ""
    if mismatch.validator is None:
        return f"{mismatch.sentence or mismatch.message}{path}"
    kind = "Object" if isinstance(mismatch.validator, kinds.Object) and isinstance(mismatch.value, dict) else "Value"
    if isinstance(mismatch.validator, kinds.Literal):
        literal = mismatch.validator.value
        shown = "<bigint>" if isinstance(literal, int) and not isinstance(literal, bool) else json.dumps(literal)
        text = f"`{value_text(mismatch.value)}` does not match literal validator `v.literal({shown})`."
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
        literal = validator.value
        whole = isinstance(literal, int) and not isinstance(literal, bool)
        return f"v.literal({'<bigint>' if whole else json.dumps(literal, ensure_ascii=False)})"
    return str(validator)


def value_text(value: Value) -> str:
    """A value as Convex prints it: ``1.0`` a float64, ``1`` an int64, ``b"…"`` bytes in base64."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
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
    text = repr(value)
    return f"{value:.1f}" if value.is_integer() and ("e" in text or abs(value) < 1e16) else text
