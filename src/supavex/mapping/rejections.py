"""What each code of a rejected row means, and what to write so that such rows go.

``supavex migrate`` prints the lines; the page "What now?" of the documentation is made of this table. A test holds it
against the codes that the copy gives.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """One code. ``why`` a row has it, and an ``example`` of a value.

    ``toml``: lines under the column's header in supavex.toml, of which one is enough, each with what it does to the
    values. ``schema``: what to change in schema.py instead. ``source``: what to change in PostgreSQL instead.
    ``rest``: what the choice does to other rows and to the app.
    """

    code: str
    why: str
    example: str
    toml: tuple[str, ...] = ()
    schema: str = ""
    source: str = ""
    rest: str = "Other rows go as they did."


_SQL = 'sql = "…"  # an expression of PostgreSQL\'s over the row t that gives another value'
_ALL = (
    Rejection(
        "NullInRequired",
        "The column is NULL, and the field is required.",
        "`status` is NULL, and the field is `v.string()`",
        ('fill = "defaults"  # NULL becomes the default of the field or of the column', _SQL),
        "v.optional(…) around the field: the document is then without it.",
        "UPDATE … SET status = '…' WHERE status IS NULL",
        "With v.optional(…) every function of the app has to expect that the field is missing.",
    ),
    Rejection(
        "DanglingReference",
        "The row refers to a row (or a stored file) that is not there.",
        "`author_id` names a user that was deleted",
        (),
        "v.string() in place of v.id(…): the field keeps the old key, which leads nowhere.",
        "Insert that row, clear the reference, or delete the row.",
        "Rows that refer to the rejected row are rejected with it (RejectedParent).",
    ),
    Rejection(
        "RejectedParent",
        "The row refers to a row that was rejected. The row itself may be right.",
        "an order of a customer whose own row was rejected",
        (),
        "v.optional(v.id(…)) does not help: the reference is there, and its row is not.",
        "Fix the row that it refers to.",
        "The row goes as soon as the other one does.",
    ),
    Rejection(
        "UnresolvedReference",
        "The row refers to a row of a table that is in Convex already, and no document there matches that row.",
        "`workspace_id` names a workspace whose slug no document has",
        (),
        "v.optional(…), with the column cleared where it leads nowhere.",
        "See that the row is in Convex, and that the pair of columns in `existing` is right.",
        "All references to that row are rejected until it matches.",
    ),
    Rejection(
        "IdNotInFile",
        "The file that `ids` names has no new id for the value.",
        "a user who was never imported into Clerk",
        (),
        "v.optional(…), with the column cleared.",
        "Add the id to the file: `supavex users --ids LIST.json` writes it from Clerk's list.",
        "Every row with that id is rejected until the file has it.",
    ),
    Rejection(
        "InexactNumber",
        "A double, which is what a number of Convex is, does not hold the value exactly.",
        "9007199254740993, or 0.1234567890123456789",
        ("lossy = true  # the nearest double: 9007199254740992",),
        "v.int64() for whole numbers (a bigint in JavaScript), or v.string() for every digit.",
        "",
        "With v.int64() or v.string() all values of the column change their type, also those that went.",
    ),
    Rejection(
        "NonFiniteNumber",
        "The value is NaN or infinite, which JSON can't hold.",
        "'NaN'::float8",
        ('nonfinite = "null"  # as NULL: the field is left out', 'nonfinite = "keep"  # as NaN or Infinity', _SQL),
        "",
        "",
        "With \"keep\" the app gets such numbers through Convex's clients, though not through JSON.",
    ),
    Rejection(
        "InfiniteTime",
        "The value is infinity or -infinity, which is no moment.",
        "'infinity'::timestamptz",
        ('nonfinite = "null"  # as NULL: the field is left out', 'nonfinite = "keep"  # as Infinity', _SQL),
        "",
        "",
    ),
    Rejection(
        "InexactTime",
        "The moment does not fit: microseconds far from 1970, a date too far away, or a part that `format` cuts off.",
        "09:30:15 with format = \"HH:MM\"",
        ("lossy = true  # the nearest that fits: whole milliseconds, or 09:30",),
        "v.string(), which keeps the moment as ISO 8601.",
    ),
    Rejection(
        "ValueNotAllowed",
        "The value is none of those that the field allows.",
        "`status` is 'archived', and one_of has 'draft' and 'published'",
        (_SQL,),
        "Add the value to one_of, or to the union.",
        "Correct the row.",
        "A value that is added has to be known to every function that reads the field.",
    ),
    Rejection(
        "ValueOutOfRange",
        "The number is outside of the field's bounds.",
        "-1 with ge=0",
        (_SQL,),
        "Change ge, gt, le or lt, or take it away.",
        "Correct the row.",
    ),
    Rejection(
        "PatternMismatch",
        "The text does not match the field's pattern.",
        "'n/a' with pattern=\"@\"",
        (_SQL,),
        "Change the pattern, or take it away.",
        "Correct the row.",
    ),
    Rejection(
        "InvalidValue",
        "Convex refuses the value: a key of JSON that begins with $ or is not printable ASCII, or too deep a nesting.",
        '{"$ref": 1}',
        ('invalid_json = "escape"  # keys percent-encoded: %24ref', 'invalid_json = "text"  # the value as its JSON'),
        "v.string(), which keeps all values of the column as JSON text.",
        "",
        "\"text\" changes only values that Convex refuses: the app then has to expect both.",
    ),
    Rejection(
        "NestedArray",
        "The array has more than one dimension, and the field has one.",
        "'{{1,2},{3,4}}'",
        (_SQL,),
        "v.array(v.array(…)), or v.any().",
    ),
    Rejection(
        "ArrayTooLong",
        "An array of Convex has at most 8192 elements.",
        "10,000 tags",
        (_SQL,),
        "",
        "Keep the elements in a table of their own.",
    ),
    Rejection(
        "NullElement",
        "An element of the array is NULL.",
        "'{1,NULL}'",
        ('sql = "array_remove(t.tags, NULL)"  # without the NULLs',),
        "v.array(v.union(…, v.null())).",
    ),
    Rejection(
        "ValueTooLargeError",
        "The document is larger than Convex's 1 MiB, or has too many fields.",
        "a text of 3 MB",
        ('file = "content_file"  # larger values become stored files', "truncate = 100000  # cut to that many"),
        'For `file`, a field "content_file": v.optional(v.id("_storage")).',
        "",
        "With `file` the app reads the value by ctx.storage; values below the limit stay as they are.",
    ),
    Rejection(
        "TooNestedError",
        "The document is nested more deeply than Convex's 16 levels.",
        "JSON with 20 arrays in each other",
        ('invalid_json = "text"  # the value as its JSON text', _SQL),
        "v.string(), which keeps all values of the column as JSON text.",
    ),
    Rejection(
        "NullKey",
        "A column of the key is NULL, so that the row has no id.",
        'key = ["email"], and the email is NULL',
        (),
        "",
        "Fill the column, or name other columns as `key` of the table in supavex.toml.",
        "Another key gives every row of the table another id.",
    ),
    Rejection(
        "DuplicateKey",
        "Two rows have the same key, so that they would be one document.",
        "two rows with key ('a', 1)",
        (),
        "",
        'Name columns as `key` of the table that tell its rows apart, or key = ["*"]: the whole row.',
        "Another key gives every row of the table another id.",
    ),
    Rejection(
        "FileMissing",
        "storage.objects lists the file, and it is not in the place that `files` names.",
        "covers/a.png",
        (),
        "",
        "Download the bucket anew, or delete the object.",
        "Fields that name the file are rejected with it (DanglingReference).",
    ),
    Rejection(
        "FileSizeDiffers",
        "The file has another size than storage.objects says.",
        "1,024 bytes, and 2,048 in its metadata",
        (),
        "",
        "Download the file anew: it was uploaded again, or the download was cut short.",
        "Fields that name the file are rejected with it (DanglingReference).",
    ),
)  # fmt: skip
#: By code.
REJECTIONS = {rejection.code: rejection for rejection in _ALL}
#: The code of rows that are rejected for another row's sake.
FOLLOWER = "RejectedParent"
