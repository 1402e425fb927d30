"""Whether a document can have a value at a path."""

import pytest

from supavex.convex.field_paths import can_contain_field
from supavex.convex.schema import v


@pytest.mark.parametrize(
    ("path", "possible"),
    [
        ("a", True),
        ("a.b", True),
        (".a.b.", True),
        ("a.b.c", False),
        ("a.x", False),
        ("x", False),
        ("any", True),
        ("any.x.y", True),
        ("union.left", True),
        ("union.right", True),
        ("union.middle", False),
        ("array", True),
        ("array.x", False),
        ("record.x", False),
    ],
)
def test_whether_a_document_can_contain_a_field(path: str, possible: bool):
    document = v.object(
        {
            "a": v.optional(v.object({"b": v.string()})),
            "any": v.any(),
            "union": v.union(v.object({"left": v.null()}), v.null(), v.object({"right": v.null()})),
            "array": v.array(v.object({"x": v.null()})),
            "record": v.record(v.string(), v.object({"x": v.null()})),
        }
    )
    assert can_contain_field(document, path) is possible
