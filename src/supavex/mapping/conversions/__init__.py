"""Conversions of PostgreSQL's types, one module for each family of types. Importing this package registers them all."""

from supavex.mapping.conversions import arrays, datetimes, json, numbers, objects, text
from supavex.mapping.conversions.conversion import Conversion, Guard, Kind, Misfit, Target, choose, registered

__all__ = [
    "Conversion",
    "Guard",
    "Kind",
    "Misfit",
    "Target",
    "arrays",
    "choose",
    "datetimes",
    "json",
    "numbers",
    "objects",
    "registered",
    "text",
]
