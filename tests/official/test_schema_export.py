"""The TypeScript that supavex writes, evaluated by Convex's package, exports the schema that Python exports."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema, define_schema, define_table, v
from supavex.convex.schema_json import schema_from_json
from supavex.convex.typescript import schema_module, tables_module
from supavex.diagnostics import has_errors

from .node import Node
from .strategies import schemas

many = settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])


def canonical(text: str) -> str:
    """JSON text with each number written one way. The order of keys stays: it is the order of definition."""
    return json.dumps(json.loads(text, parse_int=float))


def spread(schema: Schema) -> str:
    """A hand-written schema.ts that takes its tables from supavexTables.ts."""
    options = "" if schema.schema_validation else ", { schemaValidation: false }"
    return f"""
        import {{ defineSchema }} from "convex/server";
        import {{ supavexTables }} from "./supavexTables";
        export default defineSchema({{ ...supavexTables }}{options});
    """


@many
@given(schema=schemas())
def test_any_schema_exports_as_the_official_package_exports_it(node: Node, schema: Schema):
    expected = canonical(schema.export())
    assert canonical(node.schema(schema_module(schema))) == expected
    assert canonical(node.schema(spread(schema), supavexTables=tables_module(schema.tables))) == expected


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas())
def test_the_schemas_tried_here_are_ones_that_compile(schema: Schema):
    """A strategy that made nonsense would prove little."""
    assert not has_errors(compile_schema(schema)), compile_schema(schema)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas())
def test_an_exported_schema_can_be_read_back(schema: Schema):
    assert schema_from_json(schema.export()).export() == schema.export()


def test_an_empty_schema(node: Node):
    schema = define_schema({})
    assert node.schema(schema_module(schema)) == schema.export()
    assert node.schema(spread(schema), supavexTables=tables_module(schema.tables)) == schema.export()


def test_names_and_strings_are_written_so_that_they_survive(node: Node):
    """Indexes with such names are findings of the compiler; still, nothing may break out of its quotes."""
    name = 'a"b\\c`${d}\u2028\u2029\n'
    schema = define_schema(
        {
            "t": define_table({"s": v.string(), "id": v.id(name), "literal": v.literal(name)})
            .index(name, [name])
            .search_index(name, search_field=name, filter_fields=[name])
            .vector_index(name, vector_field=name, dimensions=2, filter_fields=[name]),
        }
    )
    assert canonical(node.schema(schema_module(schema))) == canonical(schema.export())


@pytest.mark.parametrize("field", ["isConvexValidator", "__proto__", "constructor"])
def test_a_field_whose_name_means_something_to_javascript_or_convex(node: Node, field: str):
    """``defineTable`` takes an object for a validator if it has a property ``isConvexValidator``."""
    schema = define_schema({"t": define_table({field: v.string(), "nested": v.object({field: v.string()})})})
    assert canonical(node.schema(schema_module(schema))) == canonical(schema.export())
