"""The meaning and the fixes of each code of a rejected row.

``supavex migrate`` prints the lines, and the documentation makes its page of rejected rows from this table. A test
compares it with the codes that the copy gives.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """A code of rejected rows, with its reason, an example and the ways to fix it."""

    #: The code in reports and in rejects.jsonl, such as ``InexactNumber``.
    code: str
    #: The reason.
    why: str
    #: A value that is rejected for it.
    example: str
    #: Lines for the column in supavex.toml, each with its effect on the values; one of them is enough.
    toml: tuple[str, ...] = ()
    #: The change in schema.py instead.
    schema: str = ""
    #: The change in PostgreSQL instead.
    source: str = ""
    #: The effect on other rows and on the app.
    rest: str = "Other rows do not change."


_SQL = 'sql = "…"  # an expression of PostgreSQL\'s over the row t that gives another value'
_ALL = (
    Rejection(
        "NullInRequired",
        "The column is NULL, and the field is required.",
        "`status` is NULL, and the field is `v.string()`",
        ('fill = "defaults"  # NULL becomes the default of the field or of the column', _SQL),
        "Put v.optional(…) around the field. The document then lacks the field.",
        "UPDATE … SET status = '…' WHERE status IS NULL",
        "With v.optional(…), every function of the app has to handle a missing field.",
    ),
    Rejection(
        "DanglingReference",
        "The row refers to a row (or a stored file) that does not exist.",
        "`author_id` names a user that was deleted",
        (),
        "Use v.string() in place of v.id(…). The field then keeps the old key, and refers to no document.",
        "Insert that row, clear the reference, or delete the row.",
        "Rows that refer to the rejected row are rejected with it (RejectedParent).",
    ),
    Rejection(
        "RejectedParent",
        "The row refers to a row that was rejected. The row itself may be valid.",
        "an order of a customer whose own row was rejected",
        (),
        "v.optional(v.id(…)) does not help: the reference has a value, and its row is missing.",
        "Fix the row that it refers to.",
        "The row is accepted when the other row is accepted.",
    ),
    Rejection(
        "UnresolvedReference",
        "The row refers to a row of a table that is in Convex already, and no document there matches that row.",
        "`workspace_id` names a workspace whose slug no document has",
        (),
        "Use v.optional(…), and clear the column in rows without a match.",
        "Check that the row is in Convex, and that `existing` names the right field and column.",
        "All rows that refer to that row are rejected until it matches.",
    ),
    Rejection(
        "IdNotInFile",
        "The file that `ids` names has no new id for the value.",
        "a user who was never imported into Clerk",
        (),
        "Use v.optional(…), and clear the column.",
        "Add the id to the file. `supavex users --ids LIST.json` writes the file from Clerk's list.",
        "Every row with that id is rejected until the file has it.",
    ),
    Rejection(
        "InexactNumber",
        "A number of Convex is a double, and a double can't hold the value exactly.",
        "9007199254740993, or 0.1234567890123456789",
        ("lossy = true  # the nearest double: 9007199254740992",),
        "Use v.int64() for whole numbers (a bigint in JavaScript), or v.string() to keep every digit.",
        "",
        "With v.int64() or v.string(), all values of the column change their type, also those that are exact.",
    ),
    Rejection(
        "NonFiniteNumber",
        "The value is NaN or infinite, which JSON can't hold.",
        "'NaN'::float8",
        ('nonfinite = "null"  # as NULL: the field is left out', 'nonfinite = "keep"  # as NaN or Infinity', _SQL),
        "",
        "",
        "With \"keep\", the app gets these numbers through Convex's clients, but not through JSON.",
    ),
    Rejection(
        "InfiniteTime",
        "The value is infinity or -infinity, which is not a point in time.",
        "'infinity'::timestamptz",
        ('nonfinite = "null"  # as NULL: the field is left out', 'nonfinite = "keep"  # as Infinity', _SQL),
        "",
        "",
    ),
    Rejection(
        "InexactTime",
        "The time does not fit: microseconds far from 1970, a date too far away, or a part that `format` cuts off.",
        "09:30:15 with format = \"HH:MM\"",
        ("lossy = true  # the nearest that fits: whole milliseconds, or 09:30",),
        "Use v.string(), which keeps the time as ISO 8601.",
    ),
    Rejection(
        "ValueNotAllowed",
        "The field does not allow the value.",
        "`status` is 'archived', and one_of has 'draft' and 'published'",
        (_SQL,),
        "Add the value to one_of, or to the union.",
        "Correct the row.",
        "Every function that reads the field has to handle an added value.",
    ),
    Rejection(
        "ValueOutOfRange",
        "The number is outside of the field's bounds.",
        "-1 with ge=0",
        (_SQL,),
        "Change or remove ge, gt, le or lt.",
        "Correct the row.",
    ),
    Rejection(
        "PatternMismatch",
        "The text does not match the field's pattern.",
        "'n/a' with pattern=\"@\"",
        (_SQL,),
        "Change or remove the pattern.",
        "Correct the row.",
    ),
    Rejection(
        "InvalidValue",
        "Convex refuses the value: a JSON key begins with $ or is not printable ASCII, or the nesting is too deep.",
        '{"$ref": 1}',
        ('invalid_json = "escape"  # keys percent-encoded: %24ref', 'invalid_json = "text"  # the value as its JSON'),
        "Use v.string(), which keeps all values of the column as JSON text.",
        "",
        "\"text\" changes only values that Convex refuses. The app then has to handle both forms.",
    ),
    Rejection(
        "NestedArray",
        "The array has more than one dimension, and the field has one.",
        "'{{1,2},{3,4}}'",
        (_SQL,),
        "Use v.array(v.array(…)), or v.any().",
    ),
    Rejection(
        "ArrayTooLong",
        "An array of Convex has at most 8192 elements.",
        "10,000 tags",
        (_SQL,),
        "",
        "Move the elements into a separate table.",
    ),
    Rejection(
        "NullElement",
        "An element of the array is NULL.",
        "'{1,NULL}'",
        ('sql = "array_remove(t.tags, NULL)"  # without the NULLs',),
        "Use v.array(v.union(…, v.null())).",
    ),
    Rejection(
        "ValueTooLargeError",
        "The document is larger than Convex's 1 MiB, or has too many fields.",
        "a text of 3 MB",
        ('file = "content_file"  # larger values become stored files', "truncate = 100000  # cut to that many"),
        'For `file`, add a field "content_file": v.optional(v.id("_storage")).',
        "",
        "With `file`, the app reads the value with ctx.storage. Values below the limit stay in the document.",
    ),
    Rejection(
        "TooNestedError",
        "The document is nested more deeply than Convex's 16 levels.",
        "JSON with 20 arrays in each other",
        ('invalid_json = "text"  # the value as its JSON text', _SQL),
        "Use v.string(), which keeps all values of the column as JSON text.",
    ),
    Rejection(
        "NullKey",
        "A column of the key is NULL, so the row has no id.",
        'key = ["email"], and the email is NULL',
        (),
        "",
        "Fill the column, or name other columns as `key` of the table in supavex.toml.",
        "Another key gives every row of the table another id.",
    ),
    Rejection(
        "DuplicateKey",
        "Two rows have the same key, so they would become one document.",
        "two rows with key ('a', 1)",
        (),
        "",
        'Name columns that identify a row as `key` of the table, or set key = ["*"]: the whole row.',
        "Another key gives every row of the table another id.",
    ),
    Rejection(
        "FileMissing",
        "storage.objects lists the file, and the place that `files` names does not have it.",
        "covers/a.png",
        (),
        "",
        "Download the bucket again, or delete the object.",
        "Rows that name the file are rejected, too (DanglingReference).",
    ),
    Rejection(
        "FileSizeDiffers",
        "The size of the file differs from the size in storage.objects.",
        "1,024 bytes, and 2,048 in its metadata",
        (),
        "",
        "Download the file again: a new version was uploaded, or the download was interrupted.",
        "Rows that name the file are rejected, too (DanglingReference).",
    ),
)  # fmt: skip
#: By code.
REJECTIONS = {rejection.code: rejection for rejection in _ALL}
#: The code of rows that are rejected for another row's sake.
FOLLOWER = "RejectedParent"
