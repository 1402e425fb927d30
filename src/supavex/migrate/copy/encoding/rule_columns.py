"""Finds the rows that break a rule of their field: a list of values, bounds, or a pattern."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.broken_rules import field_rules, rules_problem
from supavex.convex.field_rules import Rules, printed
from supavex.convex.validators import Union, Validator
from supavex.mapping.conversions import Target
from supavex.mapping.plan import FieldPlan
from supavex.migrate.copy.encoding.slice_report import MEANT, SliceReport
from supavex.migrate.state.rejects import Reason


def has_rules(validator: Validator) -> bool:
    """Whether a value can break a rule of the validator, or of a validator inside it."""
    plain = all(v.rules == Rules(default=v.rules.default, unique=v.rules.unique) for _, v in validator.walk())
    return Target(validator).allowed() is not None or not plain


def reject_broken(field: FieldPlan, column: pa.Array, report: SliceReport) -> None:
    """Rejects the rows whose value breaks a rule of the field."""
    rules = field_rules(field.validator)
    allowed = Target(field.validator).allowed()
    if allowed is None and rules.one_of is not None:
        allowed = list(rules.one_of)
    kind = field.conversion.kind
    if kind == "micros":
        column = pc.divide(column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64()).cast("float64"), 1000.0)
    if kind not in ("string", "number", "micros", "int64", "boolean"):
        return
    if allowed is not None:
        values = column.cast(pa.float64()) if kind in ("number", "int64", "micros") else column
        shown = ", ".join(map(printed, allowed))
        known = pc.is_in(values, value_set=pa.array(allowed, values.type))
        wrong = pc.and_(pc.is_valid(values), pc.invert(known))
        report.reject_where(wrong, _reason(field, "ValueNotAllowed", f"the value is not one of {shown}"))
    for sign, bound, holds in rules.bounds():
        compare = {"ge": pc.greater_equal, "gt": pc.greater, "le": pc.less_equal, "lt": pc.less}[holds.__name__]
        # Inverted, so that NaN, for which every comparison is false, is found too.
        wrong = pc.invert(compare(column.cast(pa.float64()), float(bound)))
        report.reject_where(wrong, _reason(field, "ValueOutOfRange", f"the value is not {sign} {printed(bound)}"))
    if rules.pattern is not None and kind == "string":
        pattern = re.compile(rules.pattern)
        texts = pc.unique(column.cast(pa.string()).drop_null()).to_pylist()
        odd = [text for text in texts if not pattern.search(text)]
        if odd:
            wrong = pc.is_in(column.cast(pa.string()), value_set=pa.array(odd, pa.string()))
            reason = f"the value does not match {rules.pattern}"
            report.reject_where(wrong, _reason(field, "PatternMismatch", reason))
    if isinstance(field.validator, Union) and allowed is None and rules is field.validator.rules:
        _reject_of_members(field, column, report)


def _reject_of_members(field: FieldPlan, column: pa.Array, report: SliceReport) -> None:
    """Checks the rules of a union's members, value by value. A value is rejected if it breaks those of every member
    that it fits.
    """
    if field.conversion.kind == "string":
        column = column.cast(pa.string())
    different = pc.unique(column.drop_null())
    number = field.conversion.kind in ("number", "micros")
    values = [float(value) if number else value for value in different.to_pylist()]
    problems = [rules_problem(field.validator, value) for value in values]
    odd = [index for index, problem in enumerate(problems) if problem]
    if odd:
        wrong = pc.is_in(column, value_set=different.take(pa.array(odd)))
        reason = f"of the rules of {field.validator}: {problems[odd[0]]}"
        report.reject_where(wrong, _reason(field, "ValueNotAllowed", reason))


def reject_broken_elements(field: FieldPlan, column: pa.Array, report: SliceReport) -> None:
    """Checks the rules of the elements' validators. The guards check length and NULLs."""
    elements = Target(field.validator).elements
    element = elements[0] if len(elements) == 1 else None
    if element is None:
        return
    allowed = Target(element).allowed()
    if allowed is not None:
        flat = column.flatten()
        known = pc.is_in(flat, value_set=pa.array(allowed, flat.type))
        wrong = pc.and_(pc.is_valid(flat), pc.invert(known))
        reason = f"an element is not one of {', '.join(map(printed, allowed))}"
        report.reject_where(_any_element(column, wrong), _reason(field, "ValueNotAllowed", reason))
    elif element.rules != Rules():
        for index, items in enumerate(column.to_pylist()):
            problem = next((p for item in items or () if (p := rules_problem(element, item))), None)
            if problem:
                report.reject(index, field, "ValueNotAllowed", f"of an element: {problem}", MEANT)


def _reason(field: FieldPlan, code: str, reason: str) -> Reason:
    return Reason(field.place, code, reason, MEANT)


def _any_element(column: pa.Array, elements: pa.Array) -> pa.Array:
    """The rows of a column of lists for which ``elements`` (booleans over the flattened lists) is true anywhere."""
    mask = np.zeros(len(column), np.bool_)
    mask[pc.list_parent_indices(column).filter(elements).to_numpy()] = True
    return pa.array(mask)
