"""Every finding of the compiler: its code, its subject, and the line of the schema it points to.

Each example is a schema as its author would write it. Marks at the end of a line are the findings that belong to that
line: ``#! Code subject`` an error, ``#? Code subject`` a warning. The compiler has to report these and no others.
"""

import re
from pathlib import Path

import pytest

from supavex.convex import compile as compiler
from supavex.convex import index_checks
from supavex.convex.compile import compile_schema, validator_problem
from supavex.convex.schema import Schema, define_schema, define_table, v
from supavex.convex.validators import Validator
from supavex.diagnostics import Diagnostic

Finding = tuple[int, str, str, str]


def schema_of(source: str) -> Schema:
    """The schema that ``source`` leaves in the variable ``schema``; its places are lines of schema.py."""
    names = {"v": v, "define_table": define_table, "define_schema": define_schema}
    exec(compile(source, "schema.py", "exec"), names)
    return names["schema"]


def expected_findings(source: str) -> list[Finding]:
    """What the marks of ``source`` announce. The schema as a whole is the subject ``(schema)``."""
    found = []
    for number, line in enumerate(source.splitlines(), start=1):
        for mark, code, subject in re.findall(r"#([!?]) (\S+) (\S+)", line):
            severity = {"!": "error", "?": "warning"}[mark]
            found.append((number, severity, code, "" if subject == "(schema)" else subject))
    return sorted(found)


def found_findings(diagnostics: list[Diagnostic]) -> list[Finding]:
    assert {d.place.file for d in diagnostics} <= {"schema.py"}
    return sorted((d.place.line, d.severity, d.code, d.subject) for d in diagnostics)


EXAMPLES = {
    "InvalidSchemaExport": """
schema = define_schema({}, schema_validation="yes")  #! InvalidSchemaExport (schema)
""",
    "TooManyTables": """
tables = {f"t{number}": define_table({}) for number in range(10_001)}
schema = define_schema(tables)  #! TooManyTables (schema)
""",
    "TableNamesAlike": """
schema = define_schema({
    "users": define_table({}),
    "Users": define_table({}),  #? TableNamesAlike Users
})
""",
    "TableNameReserved": """
schema = define_schema({
    "_users": define_table({}),  #! TableNameReserved _users
})
""",
    "InvalidTableName": """
schema = define_schema({
    "my-users": define_table({}),  #! InvalidTableName my-users
})
""",
    "InvalidTopLevelTypeInSchemaError": """
one = v.object({"a": v.null()})
schema = define_schema({
    "texts": define_table(v.string()),  #! InvalidTopLevelTypeInSchemaError texts
    "records": define_table(v.record(v.string(), v.any())),  #! InvalidTopLevelTypeInSchemaError records
    "nested": define_table(v.union(one, v.union(one))),  #! InvalidTopLevelTypeInSchemaError nested
    "mixed": define_table(v.union(one, v.any())),  #! InvalidTopLevelTypeInSchemaError mixed
    "optional": define_table(v.optional(one)),  #! InvalidTopLevelTypeInSchemaError optional
    "fine": define_table(v.union(one, one)),
    "also_fine": define_table(v.any()),
})
""",
    "SystemField": """
schema = define_schema({
    "t": define_table({
        "_id": v.id("t"),  #! SystemField t._id
        "nested": v.object({"_id": v.string()}),
    }),
    "u": define_table(v.union(v.object({
        "_creationTime": v.number(),  #! SystemField u._creationTime
    }))),
})
""",
    "FieldNameReserved": """
schema = define_schema({
    "t": define_table({
        "_secret": v.string(),  #! FieldNameReserved t._secret
        "nested": v.object({"_secret": v.string()}),
    }),
})
""",
    "NotAValidator": """
schema = define_schema({
    "t": define_table({  #! NotAValidator t.a #! NotAValidator t.b[] #! NotAValidator t.c
        "a": "string",
        "b": v.array(str),
        "c": v.union(v.null(), v.string),
    }),
})
""",
    "EmptyUnion": """
schema = define_schema({
    "t": define_table({
        "a": v.union(),  #? EmptyUnion t.a
    }),
})
""",
    "TooNestedError": """
deep = v.null()
for _ in range(15):
    deep = v.union(v.null(), deep)
    deep = v.array(deep)  #! TooNestedError t.a.b[][][][][][][][][][][][][][]
schema = define_schema({
    "fine": define_table({"a": v.optional(deep)}),
    "t": define_table({"a": v.object({"b": deep})}),
})
""",
    "OptionalOutsideObject": """
schema = define_schema({
    "t": define_table({
        "a": v.array(
            v.optional(v.null()),  #! OptionalOutsideObject t.a[]
        ),
        "b": v.union(
            v.null(),
            v.optional(v.string()),  #! OptionalOutsideObject t.b
        ),
        "d": v.optional(v.optional(v.string())),  #! OptionalOutsideObject t.d
    }),
})
""",
    "UnknownTable": """
schema = define_schema({
    "users": define_table({
        "a": v.id("user"),  #! UnknownTable users.a
        "b": v.array(v.id("Users")),  #! UnknownTable users.b[]
        "c": v.id("_tables"),  #! UnknownTable users.c
        "d": v.object({
            "e": v.optional(v.id("Users")),  #! UnknownTable users.d.e
        }),
        "fine": v.union(v.id("users"), v.id("_storage"), v.id("_scheduled_functions")),
    }),
})
""",
    "InvalidLiteral": """
schema = define_schema({
    "t": define_table({
        "a": v.literal(None),  #! InvalidLiteral t.a
        "b": v.literal(b"x"),  #! InvalidLiteral t.b
        "c": v.literal_int64(2**63),  #! InvalidLiteral t.c
        "d": v.literal("\\ud800"),  #! InvalidLiteral t.d
        "fine": v.union(v.literal(-0.0), v.literal_int64(-(2**63)), v.literal(False), v.literal("")),
    }),
})
""",
    "InvalidRecordType": """
schema = define_schema({
    "t": define_table({
        "a": v.record(v.literal("x"), v.null()),  #! InvalidRecordType t.a
        "b": v.record(v.any(), v.null()),  #! InvalidRecordType t.b
        "c": v.record(v.union(v.string(), v.number()), v.null()),  #! InvalidRecordType t.c
        "fine": v.record(v.union(v.string(), v.union(v.id("t"))), v.null()),
    }),
})
""",
    "TooManyFieldsError": """
fields = {f"f{number}": v.null() for number in range(1024)}
schema = define_schema({
    "t": define_table({
        "a": v.object({**fields, "one_more": v.null()}),  #! TooManyFieldsError t.a
        "fine": v.object(fields),
    }),
})
""",
    "InvalidFieldName": """
schema = define_schema({
    "t": define_table({
        "first name": v.string(),  #! InvalidFieldName t
        "a": v.object({
            "1": v.string(),  #! InvalidFieldName t.a
            "é": v.string(),  #! InvalidFieldName t.a
            "__proto__": v.string(),
        }),
    }),
})
""",
    "DefaultDoesNotFit": """
schema = define_schema({
    "t": define_table({
        "a": v.number(default="x"),  #! DefaultDoesNotFit t.a
        "b": v.int64(default=1.5),  #! DefaultDoesNotFit t.b
        "c": v.int64(default=2**63),  #! DefaultDoesNotFit t.c
        "d": v.number(default=-1, ge=0),  #! DefaultDoesNotFit t.d
        "e": v.string(default="c", one_of=["a", "b"]),  #! DefaultDoesNotFit t.e
        "f": v.optional(v.string(default="c", pattern="^a")),  #! DefaultDoesNotFit t.f
        "g": v.any(default={"é": 1}),  #! DefaultDoesNotFit t.g
        "h": v.string(default="x" * 2**20),  #! DefaultDoesNotFit t.h
        "i": v.any(default=[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]),  #! DefaultDoesNotFit t.i
        "j": v.union(v.null(), v.number(), default="x"),  #! DefaultDoesNotFit t.j
        "k": v.object({"a": v.null()}, default={}),  #! DefaultDoesNotFit t.k
        "l": v.number(default=None),  #! DefaultDoesNotFit t.l
        "fine": v.number(default=5, ge=5, le=5),
        "also_fine": v.union(v.literal(1), v.literal(2), default=1),
        "fine_too": v.any(default=[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]),
    }),
})
""",
    "AllowedValueDoesNotFit": """
schema = define_schema({
    "t": define_table({
        "a": v.number(one_of=[1, "x"]),  #! AllowedValueDoesNotFit t.a
        "b": v.string(one_of=["x", 1, None]),  #! AllowedValueDoesNotFit t.b #! AllowedValueDoesNotFit t.b
        "c": v.int64(one_of=[2**63]),  #! AllowedValueDoesNotFit t.c
        "fine": v.number(one_of=[1, 2.5]),
    }),
})
""",
    "AllowedValueTwice": """
schema = define_schema({
    "t": define_table({
        "a": v.string(one_of=["x", "y", "x"]),  #? AllowedValueTwice t.a
        "b": v.number(one_of=[1, 1.0]),  #? AllowedValueTwice t.b
    }),
})
""",
    "EmptyRange": """
schema = define_schema({
    "t": define_table({
        "a": v.number(ge=2, le=1),  #! EmptyRange t.a
        "b": v.number(gt=1, le=1),  #! EmptyRange t.b
        "c": v.int64(ge=1, lt=1),  #! EmptyRange t.c
        "fine": v.number(ge=1, le=1),
        "fine_too": v.number(gt=1, lt=2),
        "also_fine": v.number(ge=1, gt=0, le=1, lt=2),
    }),
})
""",
    "InvalidPattern": """
schema = define_schema({
    "t": define_table({
        "a": v.string(pattern="("),  #! InvalidPattern t.a
        "b": v.string(pattern="*", default="x"),  #! InvalidPattern t.b
    }),
})
""",
    "TooManyIndexes": """
fields = {f"f{number}": v.null() for number in range(65)}
documented = define_table(fields)
many = define_table(fields)  #? TooManyIndexes many
too_many = define_table(fields)  #! TooManyIndexes too_many
for name in list(fields):
    too_many.index(name, [name])
for name in list(fields)[:63]:
    many.index(name, [name])
many.search_index("search", search_field="f64", staged=True)  #? SearchFieldNotString many.search
for name in list(fields)[:32]:
    documented.index(name, [name])
schema = define_schema({"many": many, "documented": documented, "too_many": too_many})
""",
    "IndexNamesNotUnique": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.array(v.number())})
        .index("same", ["a"])
        .search_index("same", search_field="a")
        .vector_index("same", vector_field="b", dimensions=2, staged=True),  #! IndexNamesNotUnique t.same
    "u": define_table({"a": v.string()})
        .index("same", ["a"])
        .search_index("same", search_field="a"),  #! IndexNamesNotUnique u.same
    "fine": define_table({"a": v.string()}).index("same", ["a"]),
})
""",
    "IndexNameReserved": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.string()})
        .index("by_id", ["a"])  #! IndexNameReserved t.by_id
        .index("_mine", ["b"])  #! IndexNameReserved t._mine
        .search_index("by_creation_time", search_field="a"),  #! IndexNameReserved t.by_creation_time
})
""",
    "InvalidIndexName": """
schema = define_schema({
    "t": define_table({"a": v.string()})
        .index("by-a", ["a"]),  #! InvalidIndexName t.by-a
})
""",
    "IndexNotUnique": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.string()})
        .index("one", ["a", "b"])
        .index("other", ["b", "a"])
        .index("again", ["a", "b"], staged=True),  #! IndexNotUnique t.again
})
""",
    "SearchIndexFieldNotUnique": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.string()})
        .search_index("one", search_field="a", filter_fields=["a", "b"])
        .search_index("other", search_field="a", filter_fields=["b"])
        .search_index("again", search_field="a", filter_fields=["b", "a"]),  #! SearchIndexFieldNotUnique t.again
})
""",
    "VectorIndexFieldNotUnique": """
schema = define_schema({
    "t": define_table({"a": v.array(v.number()), "b": v.string()})
        .vector_index("one", vector_field="a", dimensions=2)
        .vector_index("other", vector_field="a", dimensions=3)
        .vector_index("x", vector_field="a", dimensions=2, filter_fields=["b"]),  #! VectorIndexFieldNotUnique t.x
})
""",
    "EmptyIndex": """
schema = define_schema({
    "t": define_table({})
        .index("nothing", []),  #! EmptyIndex t.nothing
})
""",
    "IndexTooManyFields": """
names = [f"f{number}" for number in range(16)]
schema = define_schema({
    "t": define_table({name: v.null() for name in names})
        .index("fine", names[:15])
        .index("long", names),  #! IndexTooManyFields t.long
})
""",
    "FieldsNotUniqueWithinIndex": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.string()})
        .index("by_a", ["a", "b", "a"]),  #! FieldsNotUniqueWithinIndex t.by_a
})
""",
    "IndexTooManyFilterFields": """
names = [f"f{number}" for number in range(17)]
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.array(v.number()), **{name: v.null() for name in names}})
        .search_index("fine", search_field="a", filter_fields=names[:16])
        .search_index("search", search_field="a", filter_fields=names)  #! IndexTooManyFilterFields t.search
        .vector_index("v", vector_field="b", dimensions=2, filter_fields=names),  #! IndexTooManyFilterFields t.v
})
""",
    "IndexFieldsContainId": """
schema = define_schema({
    "t": define_table({"a": v.string()})
        .index("by_a", ["a", "_id"]),  #! IndexFieldsContainId t.by_a
})
""",
    "IndexFieldsContainCreationTime": """
schema = define_schema({
    "t": define_table({"a": v.string()})
        .index("by_a", ["a", "_creationTime"]),  #! IndexFieldsContainCreationTime t.by_a
})
""",
    "IndexFieldNameReserved": """
schema = define_schema({
    "t": define_table({"a": v.object({"_b": v.string(), "c": v.string()})})
        .index("by_b", ["_b"])  #! IndexFieldNameReserved t.by_b
        .index("nested", ["a.c", "a._b"]),  #! IndexFieldNameReserved t.nested
})
""",
    "InvalidIndexField": """
schema = define_schema({
    "t": define_table(v.any())
        .index("one", ["a b"])  #! InvalidIndexField t.one
        .index("two", ["a..b"])  #! InvalidIndexField t.two
        .search_index("three", search_field="")  #! InvalidIndexField t.three
        .vector_index("four", vector_field="a", dimensions=2, filter_fields=["b[0]"])  #! InvalidIndexField t.four
        .index("fine", ["a.b"]),
})
""",
    "SchemaDefinitionError": """
text = {"a": v.string(), "b": v.object({"c": v.optional(v.string())}), "d": v.record(v.string(), v.any())}
schema = define_schema({
    "t": define_table(text)
        .index("one", ["title"])  #! SchemaDefinitionError t.one
        .index("two", ["b.x"])  #! SchemaDefinitionError t.two
        .index("three", ["d.x"])  #! SchemaDefinitionError t.three
        .search_index("four", search_field="x")  #! SchemaDefinitionError t.four
        .search_index("filter", search_field="a", filter_fields=["y"])  #! SchemaDefinitionError t.filter
        .vector_index("five", vector_field="a", dimensions=2)  #! SchemaDefinitionError t.five
        .vector_index("six", vector_field="x", dimensions=2)  #! SchemaDefinitionError t.six
        .index("fine", ["b.c", "b", "a"]),
    "u": define_table(v.union(v.object({"a": v.null()}), v.object({"b": v.union(v.null(), v.any())})))
        .index("fine", ["a", "b.c.d"])
        .vector_index("also_fine", vector_field="b.c", dimensions=2),
    "either": define_table(v.union(v.object({"a": v.string()}), v.object({"a": v.array(v.number())})))
        .vector_index("fine", vector_field="a", dimensions=2),
    "vector": define_table({"a": v.optional(v.union(v.null(), v.array(v.any()))), "b": v.array(v.int64())})
        .vector_index("fine", vector_field="a", dimensions=2)
        .vector_index("int64s", vector_field="b", dimensions=2),  #! SchemaDefinitionError vector.int64s
    "w": define_table({"a": v.string()})  #! SchemaDefinitionError w.b
        .unique(["a", "b"]),
})
""",
    "UnsupportedFloatLiteral": """
schema = define_schema({
    "t": define_table({
        "a": v.literal(float("nan")),  #! UnsupportedFloatLiteral t.a
        "b": v.union(v.null(), v.literal(float("-inf"))),  #! UnsupportedFloatLiteral t.b
        "fine": v.literal(-0.0),
    }),
})
""",
    "SearchFieldNotString": """
schema = define_schema({
    "t": define_table({"a": v.number(), "b": v.union(v.null(), v.literal("x")), "c": v.id("t"), "d": v.any()})
        .search_index("never", search_field="a"),  #? SearchFieldNotString t.never
    "u": define_table({"a": v.literal(1), "b": v.array(v.string())})
        .search_index("literal", search_field="a")  #? SearchFieldNotString u.literal
        .search_index("array", search_field="b"),  #? SearchFieldNotString u.array
    "either": define_table(v.union(v.object({"a": v.number()}), v.object({"a": v.string()})))
        .search_index("fine", search_field="a"),
    "w": define_table({"a": v.number(), "b": v.union(v.null(), v.literal("x")), "c": v.id("t"), "d": v.any()})
        .search_index("fine", search_field="b")
        .search_index("also_fine", search_field="c")
        .search_index("fine_too", search_field="d.e"),
})
""",
    "InvalidVectorDimensionError": """
schema = define_schema({
    "t": define_table({"a": v.array(v.number())})
        .vector_index("one", vector_field="a", dimensions=1)  #! InvalidVectorDimensionError t.one
        .vector_index("many", vector_field="a", dimensions=4097)  #! InvalidVectorDimensionError t.many
        .vector_index("half", vector_field="a", dimensions=2.5)  #! InvalidVectorDimensionError t.half
        .vector_index("fine", vector_field="a", dimensions=2)
        .vector_index("also_fine", vector_field="a", dimensions=4096),
})
""",
}


#: What Convex takes or refuses beyond one example of each code.
MORE = {
    "ids of no table's name": """
schema = define_schema({
    "t": define_table({
        "a": v.id("no-pe"),  #! InvalidTableName t.a
        "b": v.array(v.id("")),  #! InvalidTableName t.b[]
    }),
})
""",
    "system fields in filters": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.array(v.number())})
        .search_index("search", search_field="a", filter_fields=["_id", "_creationTime", "_odd"])
        .vector_index("vector", vector_field="b", dimensions=2, filter_fields=["_id"])
        .search_index("twice", search_field="a", filter_fields=["a", ".a"])  #? FieldsNotUniqueWithinIndex t.twice
        .vector_index("none", vector_field="b", dimensions=3, filter_fields=["c"]),  #? SchemaDefinitionError t.none
})
""",
    "fields that differ by dots": """
schema = define_schema({
    "t": define_table({"a": v.string(), "b": v.string(), "c": v.array(v.number())})
        .index("one", ["a", "b"])
        .index("two", [".a", "b."])  #! IndexNotUnique t.two
        .index("three", ["b", ".b."])  #! FieldsNotUniqueWithinIndex t.three
        .index("four", ["._id."])  #! IndexFieldsContainId t.four
        .search_index("five", search_field="a", filter_fields=["b"])
        .search_index("six", search_field="a.", filter_fields=[".b"])  #! SearchIndexFieldNotUnique t.six
        .vector_index("seven", vector_field="c", dimensions=2)
        .vector_index("eight", vector_field=".c", dimensions=2),  #! VectorIndexFieldNotUnique t.eight
})
""",
}


@pytest.mark.parametrize("source", [*EXAMPLES.values(), *MORE.values()], ids=[*EXAMPLES, *MORE])
def test_the_findings_of(source: str):
    assert found_findings(compile_schema(schema_of(source))) == expected_findings(source)


@pytest.mark.parametrize(("code", "source"), EXAMPLES.items(), ids=EXAMPLES)
def test_each_example_shows_its_finding(code: str, source: str):
    assert code in {found[2] for found in expected_findings(source)}


def test_no_code_is_without_an_example():
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (compiler, index_checks))
    codes = set(re.findall(r'"([A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+)"', source))
    assert codes == EXAMPLES.keys()


MANY = """
schema = define_schema({
    "users": define_table({
        "name": v.string(default=5),  #! DefaultDoesNotFit users.name
        "_rank": v.number(),  #! FieldNameReserved users._rank
        "bad name": v.null(),  #! InvalidFieldName users
        "posts": v.array(v.id("post")),  #! UnknownTable users.posts[]
        "age": v.number(ge=5, le=1),  #! EmptyRange users.age
        "tags": v.record(v.number(), v.string()),  #! InvalidRecordType users.tags
        "vector": v.array(v.number()),
    })
        .index("by_id", ["nam"])  #! IndexNameReserved users.by_id #! SchemaDefinitionError users.by_id
        .index("none", [])  #! EmptyIndex users.none
        .vector_index("near", vector_field="name", dimensions=2)  #! SchemaDefinitionError users.near
        .vector_index("tiny", vector_field="vector", dimensions=1),  #! InvalidVectorDimensionError users.tiny
    "_posts": define_table(v.null()),  #! TableNameReserved _posts #! InvalidTopLevelTypeInSchemaError _posts
    "USERS": define_table({  #? TableNamesAlike USERS
        "a": v.object({
            "b": v.object({
                "c": v.union(),  #? EmptyUnion USERS.a.b.c
                "d": v.string(pattern="["),  #! InvalidPattern USERS.a.b.d
            }),
        }),
    }),
})
"""


def test_all_findings_come_at_once():
    assert found_findings(compile_schema(schema_of(MANY))) == expected_findings(MANY)


def test_findings_come_in_the_order_of_the_tables():
    subjects = [d.subject.partition(".")[0] for d in compile_schema(schema_of(MANY))]
    assert [name for name, after in zip(subjects, [*subjects[1:], ""], strict=True) if name != after] == [
        "USERS",  # the tables among each other come first
        "users",
        "_posts",
        "USERS",
    ]


def test_nothing_is_found_in_a_good_schema():
    schema = define_schema(
        {
            "users": define_table({"name": v.string(default="x", pattern="^x"), "n": v.optional(v.number(ge=0))}),
            "posts": define_table({"author": v.id("users")}).index("by_author", ["author"]).unique(["author"]),
        }
    )
    assert compile_schema(schema) == []
    assert compile_schema(define_schema({})) == []


def test_ten_thousand_tables_are_not_too_many():
    assert compile_schema(define_schema({f"t{number}": define_table({}) for number in range(10_000)})) == []


def test_a_default_as_large_as_a_document_may_be_is_none_too_large():
    """A text takes two bytes more than its characters."""
    largest = v.string(default="x" * (2**20 - 2))
    assert compile_schema(define_schema({"t": define_table({"a": largest})})) == []


@pytest.mark.parametrize(("container", "name"), [(v.array, "an array"), (v.union, "a union")])
def test_an_optional_in_the_wrong_place_is_told_where_it_is(container, name: str):
    (finding,) = compile_schema(define_schema({"t": define_table({"a": container(v.optional(v.null()))})}))
    assert finding.message == f"v.optional(…) inside {name}: only a field of an object can be optional."


def test_without_validation_convex_does_not_ask_whether_indexed_fields_exist():
    table = define_table({"a": v.string()}).index("by_b", ["b"])
    table.search_index("search", search_field="b").vector_index("near", vector_field="a", dimensions=2)
    assert compile_schema(define_schema({"t": table}, schema_validation=False)) == []
    assert [d.code for d in compile_schema(define_schema({"t": table}))] == ["SchemaDefinitionError"] * 3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (define_table({"author": v.id("user")}), 'v.id("user"): the schema has no table of that name.'),
        (define_table({"title": v.string()}).index("i", ["titel"]), "the field titel does not exist in the table."),
        (define_table({"title": v.string()}).unique(["titel"]), "unique names the field titel, which does not exist."),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(table, message: str):
    (finding,) = compile_schema(define_schema({"users": table}))
    nearest = "users" if "user" in message else "title"
    assert finding.message == f"{message} Did you mean {nearest}?"


def test_a_finding_reads_as_one_line_and_its_hint():
    (finding,) = compile_schema(schema_of('schema = define_schema({"_t": define_table({})})'))
    assert str(finding) == (
        "error[TableNameReserved] schema.py:1 _t: '_t' can't name a table: "
        "a leading underscore is reserved for Convex's system tables.\n    Choose another name."
    )


def test_a_default_is_named_with_the_rule_that_it_breaks():
    schema = define_schema({"t": define_table({"a": v.number(default=-1, ge=0), "b": v.number(default="x")})})
    assert [d.message for d in compile_schema(schema)] == [
        "default -1 is not at least 0.",
        'default "x" does not fit v.number().',
    ]


@pytest.mark.parametrize(
    "write",
    [
        lambda: define_schema({"t": define_table("users")}),
        lambda: define_schema({"t": define_table(v.string)}),
        lambda: define_schema({"t": {"a": v.string()}}),
        lambda: define_schema({"t": define_table({"a": v.optional(v.string)})}),
        lambda: define_schema({"t": define_table({"a": v.array("string", default=["x"])})}),
        lambda: define_schema({"t": define_table({"a": v.union("string", default="x")})}),
    ],
    ids=["table of a text", "table of v.string", "no define_table", "optional", "array", "union"],
)
def test_a_slip_of_the_pen_is_a_finding_and_no_traceback(write):
    """Brackets forgotten, ``define_table`` forgotten: the author gets a code and a place."""
    assert "NotAValidator" in {d.code for d in compile_schema(write())}


def test_a_search_filter_may_be_the_creation_time():
    """In a database index that is an error; for filters Convex's own types offer ``_creationTime``."""
    table = define_table({"a": v.string()}).search_index("s", search_field="a", filter_fields=["_creationTime"])
    assert compile_schema(define_schema({"t": table})) == []


def test_a_filter_named_twice_is_no_error_to_convex():
    """It takes filter fields as a set."""
    table = define_table({"a": v.string()}).search_index("s", search_field="a", filter_fields=["a", "a"])
    assert [d for d in compile_schema(define_schema({"t": table})) if d.severity == "error"] == []


@pytest.mark.parametrize(
    ("validator", "said"),
    [
        (v.object({"id": v.id("no-pe")}), "v.id('no-pe')"),
        (v.array(v.literal(float("nan"))), "Infinite or NaN values are not supported"),
        (v.object({"a b": v.null()}), "can't name a field"),
        (v.record(v.number(), v.null()), "the keys of a record can't be"),
        (v.object({"_id": v.id("nowhere"), "a": v.union()}), None),
        (v.any(), None),
    ],
)
def test_what_convex_refuses_in_the_validator_of_a_function(validator: Validator, said: str | None):
    problem = validator_problem(validator)
    assert problem is None if said is None else said in (problem or "")
