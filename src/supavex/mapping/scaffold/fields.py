"""The fields of a table's definition: one for each moving column, and one for each reference."""

from __future__ import annotations

import json
from collections.abc import Sequence

from supavex.convex.field_rules import MISSING, Rules
from supavex.convex.names import field_name_problem, key_problem
from supavex.convex.values import Value
from supavex.mapping.check_constraints import (
    allowed_elements,
    allowed_numbers,
    allowed_values,
    element_bounds,
    not_validated,
    numeric_bounds,
    pattern_of,
)
from supavex.mapping.conversions.objects import is_object
from supavex.mapping.defaults import constant_default, exact
from supavex.mapping.implied import USERS, ImpliedReference
from supavex.mapping.large_values import toml_key
from supavex.mapping.names import singular, thing, words
from supavex.mapping.plan import UNKNOWN_TYPE
from supavex.mapping.references import leading_key
from supavex.mapping.scaffold.draft import Context, Draft, Field, python, python_text
from supavex.mapping.scaffold.naming import free, identifier, is_field
from supavex.mapping.searches import searches
from supavex.postgres.catalog import Column, ForeignKey, Table, Type

_NUMBERS = ("int2", "int4", "int8", "oid", "float4", "float8", "money")
_NUMBERS_OF_JSON = ("int2", "int4", "int8", "float4", "float8", "numeric")
_MOMENTS = ("timestamptz", "timestamp")
_PLAIN = ("text", "varchar", "bpchar", "name", "citext", "uuid", "date", "time", "char")
_INT8 = "rows beyond 2^53 are rejected; v.int64() takes them"
_IDS = "an `ids` file can map ids of a table that does not move"
_NO_KEY = "a value that is not a key of it rejects its row; v.string() keeps text"


def add_fields(context: Context, draft: Draft) -> None:
    """Adds a field for each column. A uuid key without a foreign key becomes the document's _id and has no field."""
    table, project = draft.table, context.project
    own = {column.name for column in table.columns}
    for column in table.columns:
        rule = project.column_rule(project.table_rule(table.schema, table.name), column.name)
        implied = ((table.schema, table.name), column.name) in context.implied
        if rule.skip is not None or (_is_id(draft, column) and not implied):
            continue
        if column.type.base == "tsvector":
            _leave_behind(draft, column)
            continue
        if column.type.unknown:
            reason = UNKNOWN_TYPE.format(column.type.name)
            draft.toml.append(f"columns.{toml_key(column.name)}.skip = {json.dumps(reason, ensure_ascii=False)}")
            continue
        name = rule.to or column.name
        if rule.to is None and is_identity(table, column) and column.name == "id":
            # _id is computed from the same uuid, so readers would mistake a second field named id for it.
            name = next(wish for wish in _IDENTITIES if wish not in own)
            draft.toml.append(f'columns.id.to = "{name}"')
        if rule.to is None and not is_field(name):
            taken = {*draft.fields, *own}
            wishes = (identifier(name, "field"), identifier(f"{name.lstrip('_')}_column", "field"))
            name = next((wish for wish in wishes if wish not in taken), None) or free(wishes[0], taken)
            draft.toml.append(f"columns.{toml_key(column.name)}.to = {json.dumps(name)}")
        if _has_refused_key(column.type):
            draft.toml.append(f'columns.{toml_key(column.name)}.invalid_json = "escape"')
        draft.by_column[column.name] = name
        draft.fields[name] = _field(context, draft, column, has_ids=bool(rule.ids))


#: Names for the field of a key that is the id of a user of auth.users.
_IDENTITIES = ("user_id", "auth_user_id", "account_user_id", "identity_user_id")


def is_identity(table: Table, column: Column) -> bool:
    """Whether a column is its table's key and the id of a user in auth.users."""
    of_users = any(
        key.columns == (column.name,) and (key.referenced_schema, key.referenced_table) == USERS
        for key in table.foreign_keys
    )
    return of_users and table.primary_key == (column.name,)


def _is_id(draft: Draft, column: Column) -> bool:
    """Whether a column is a uuid key without a foreign key, so that _id is computed from it."""
    own_key = draft.key.columns == (column.name,) and draft.key.form == "uuid"
    return own_key and not any(key.columns == (column.name,) for key in draft.table.foreign_keys)


def _leave_behind(draft: Draft, column: Column) -> None:
    made = next((search for search in searches(draft.table) if search.name == column.name), None)
    if made is not None and made.texts:
        reason = f"a search index of Convex replaces it; its source columns are {', '.join(map(str, made.texts))}"
    else:
        reason = "it holds PostgreSQL's words of unknown columns; a search index replaces it"
        draft.notes.append(f"{column.name}: its source columns are unknown; add a search index on them")
    draft.toml.append(f"columns.{toml_key(column.name)}.skip = {json.dumps(reason, ensure_ascii=False)}")


def add_several_references(context: Context, draft: Draft) -> None:
    """Adds a field for each foreign key of several columns: the id of the row to which they refer."""
    several = [key for key in draft.table.foreign_keys if len(key.columns) > 1]
    several = [key for key in several if context.refers(key.referenced_schema, key.referenced_table)]
    for key in several:
        if key.columns in draft.references:
            continue
        target = context.targets[key.referenced_schema, key.referenced_table]
        taken = {*draft.fields, *(column.name for column in draft.table.columns)}
        wishes = _reference_names(key, several)
        name = next((wish for wish in wishes if wish not in taken), None) or free(wishes[0], taken)
        columns = [draft.table.column(column) for column in key.columns]
        optional = any(column is not None and column.nullable for column in columns)
        comment = f"the row that {', '.join(key.columns)} refer to together"
        draft.fields[name] = Field("v.id", (python_text(target),), optional, (comment,))
        draft.references[key.columns] = name
        listed = ", ".join(json.dumps(column, ensure_ascii=False) for column in key.columns)
        draft.toml.append(f"fields.{name}.references = [{listed}]")


def _reference_names(key: ForeignKey, several: Sequence[ForeignKey]) -> list[str]:
    """Names for the reference of a foreign key of several columns, the best first.

    The best is the column named after the table (``billing_address_id``), then the table's name. If several such keys
    refer to one table, the column that only this key has decides: ``ship_no`` gives ``ship_customer``.
    """
    parent = tuple(map(singular, words(key.referenced_table)))
    said = {column: _role(column) for column in key.columns}
    named = [role for role in said.values() if len(role) > len(parent) and role[-len(parent) :] == parent]
    rivals = [other for other in several if other is not key and _leads_alike(other, key)]
    others = {column for other in rivals for column in other.columns}
    alone = [role for column, role in said.items() if rivals and column not in others and role and role != parent]
    first = {words(column)[:1] for column in key.columns}
    if rivals and parent in said.values():
        alone = []  # A column has the table's own name.
    elif rivals and len(first) == 1 and parent[:1] not in first:
        alone = [next(iter(first))]  # parent_tenant, parent_no
    stems = [*named[:1], *((*role, *parent) for role in alone[:1] if len(alone) == 1), parent or ("parent",)]
    plain = ["_".join(stem) for stem in stems]
    by = f"{'_'.join(parent) or 'parent'}_by_{'_and_'.join(key.columns)}"
    wishes = [wish for stem in [*plain, by] for wish in (stem, f"{stem}_ref")]
    return list(dict.fromkeys(identifier(wish, "field") for wish in wishes))


#: Last words of a column's name for a kind of key.
_KEY_KINDS = frozenset(["no", "nr", "num", "number", "code", "seq", "pos", "position", "index", "name", "slug"])


def _role(column: str) -> tuple[str, ...]:
    """The words of a key column's name without the kind of key: ``customer_no`` gives ``customer``."""
    found = list(map(singular, thing(column)))
    while len(found) > 1 and found[-1] in _KEY_KINDS:
        found.pop()
    return tuple(found)


def _leads_alike(one: ForeignKey, other: ForeignKey) -> bool:
    return (one.referenced_schema, one.referenced_table) == (other.referenced_schema, other.referenced_table)


def _field(context: Context, draft: Draft, column: Column, *, has_ids: bool) -> Field:
    table = draft.table
    key = leading_key(table, column.name, context.refers)
    of_user = _reference_to_user(context, table, column)
    comments: list[str] = []
    if key is not None and context.refers(key.referenced_schema, key.referenced_table):
        target = context.targets[key.referenced_schema, key.referenced_table]
        field = Field("v.id", (python_text(target),))
        others = [k for k in table.foreign_keys if k.columns == (column.name,) and k is not key]
        besides = dict.fromkeys(f"{k.referenced_schema}.{k.referenced_table}" for k in others)
        comments += [f"also refers to {', '.join(besides)}"] if besides else []
    elif of_user is not None:
        field = Field("v.id", (python_text(context.targets[of_user.parents[0]]),))
        comments += [f"refers to auth.users; {of_user.reason}"]
        comments += [remark] if (remark := context.once(_NO_KEY)) else []
    else:
        if key is not None:
            own = draft.key.columns == (column.name,)
            shown = f"{key.referenced_schema}.{key.referenced_table}"
            if is_identity(table, column):
                comments.append(f"the user's id in {shown}, as text; _id is computed from it")
            else:
                comments.append(f"also the key of {shown}" if own else f"refers to {shown}")
            comments += [] if has_ids or not (remark := context.once(_IDS)) else [remark]
        field = _scalar(context, table, column)
        comments += field.comments
    arguments = list(field.arguments)
    default = MISSING if field.validator == "v.id" else constant_default(column)
    if default is not MISSING and not _allows(table, column, default):
        comments.append(f"the source's default {python(default)} breaks its own check")
        default = MISSING
    if default is not MISSING:
        arguments.append(f"default={python(default)}")
    single = any(u.columns == (column.name,) and u.predicate is None for u in table.uniques)
    single = single or is_identity(table, column)
    if single and field.validator in ("v.id", "v.string", "v.number", "v.int64", "v.bytes", "v.union"):
        arguments.append("unique=True")
    if column.generated:
        comments.append("PostgreSQL computed it; now the app has to compute it")
    comments += [f"rows may break {other.name}: it is NOT VALID" for other in not_validated(table, column.name)]
    if column.comment:
        comments.append(" ".join(column.comment.split()))
    field = Field(field.validator, tuple(arguments), column.nullable, tuple(comments))
    return field if of_user is not None else _with_suggestion(context, draft, column, field)


def _reference_to_user(context: Context, table: Table, column: Column) -> ImpliedReference | None:
    """The reference of a column that refers to auth.users, which stays behind, to the moving table with the same keys.

    None if no table or several have these keys, or if the values are keys of none.
    """
    implied = context.implied.get(((table.schema, table.name), column.name))
    alone = implied is not None and implied.stated == USERS and not implied.many and len(implied.parents) == 1
    return implied if alone else None


def _with_suggestion(context: Context, draft: Draft, column: Column, field: Field) -> Field:
    """``field`` with a suggested reference, if the column holds keys and has no foreign key."""
    implied = context.implied.get(((draft.table.schema, draft.table.name), column.name))
    if implied is None:
        return field
    kept = [argument for argument in field.arguments if argument in ("unique=True", "default=[]")]
    target = python_text(context.targets[implied.parents[0]])
    inner = f"v.array(v.id({target})" if implied.many else f"v.id({target}"
    text = ", ".join([inner, *kept]) + ")"
    text = f"v.optional({text})" if field.optional else text
    remark = f"{'no foreign key' if implied.stated is None else 'it stays behind'}, but {implied.reason}"
    remark += ". As a reference, it would be"
    return Field(field.validator, field.arguments, field.optional, (*field.comments, remark), text)


def _scalar(context: Context, table: Table, column: Column) -> Field:
    """The field of a column that is not a reference, without default and uniqueness."""
    type_ = column.type
    if type_.element is not None:
        element, comment = _element(context, type_.element)
        for _ in range(column.dimensions - 1):
            element = f"v.array({element})"
        return Field("v.array", (element,), comments=comment)
    if type_.category == "e":
        return _enum(context, type_)
    if is_object(type_):
        return _object(context, type_)
    if type_.base in _NUMBERS or (type_.base == "numeric" and exact(type_)):
        remark = context.once(_INT8) if type_.base == "int8" and not column.identity else ""
        return Field("v.number", _number_rules(table, column), comments=(remark,) if remark else ())
    if type_.base == "numeric":
        return Field("v.string", comments=(f"{type_.name} as text: a double may not hold it",))
    simple = {"bool": "v.boolean", "json": "v.any", "jsonb": "v.any", "bytea": "v.bytes"}
    if type_.base in _MOMENTS or type_.base in simple:
        return Field(simple.get(type_.base, "v.number"))
    if type_.base in ("vector", "halfvec"):
        return Field("v.array", ("v.float64()",))
    comment = () if type_.base in _PLAIN else (f"{type_.name}, as PostgreSQL's text of it",)
    return Field("v.string", _text_rules(table, column), comments=comment)


def _enum(context: Context, type_: Type) -> Field:
    if not type_.labels:
        return Field("v.string", comments=(f"the enum {type_.name} has no labels",))
    name = context.unions.get((type_.schema, type_.base))
    return Field("v.union", literals(type_) if name is None else (f"*{name}",))


def literals(type_: Type) -> tuple[str, ...]:
    """The labels of an enum as validators, in Python."""
    return tuple(f"v.literal({python_text(label)})" for label in type_.labels)


def _object(context: Context, type_: Type) -> Field:
    """The field of a composite type or hstore: an object as in the row's JSON, with null for NULL."""
    if type_.category != "c":
        return Field("v.record", ("v.string()", "v.union(v.string(), v.null())"))
    if any(field_name_problem(attribute.name) for attribute in type_.attributes):
        return Field("v.any", comments=(f"objects of {type_.name}, whose attributes are no names of fields",))
    members = [(python_text(attribute.name), _in_json(context, attribute.type)) for attribute in type_.attributes]
    inner = (f"{name}: {text if text == 'v.any()' else f'v.union({text}, v.null())'}" for name, text in members)
    return Field("v.object", ("{" + ", ".join(inner) + "}",))


def _has_refused_key(type_: Type) -> bool:
    """Whether Convex refuses a key of the type's objects."""
    inner = [type_.element] if type_.element is not None else [attribute.type for attribute in type_.attributes]
    return any(key_problem(attribute.name) for attribute in type_.attributes) or any(map(_has_refused_key, inner))


def _in_json(context: Context, type_: Type) -> str:
    """Python text of a validator for the JSON of a value of ``type_``."""
    if type_.element is not None:
        return f"v.array({_in_json(context, type_.element)})"
    if type_.category == "e":
        return _enum(context, type_).text
    if is_object(type_):
        return _object(context, type_).text
    simple = {"bool": "v.boolean()", "json": "v.any()", "jsonb": "v.any()"}
    return simple.get(type_.base, "v.number()" if type_.base in _NUMBERS_OF_JSON else "v.string()")


def _number_rules(table: Table, column: Column) -> tuple[str, ...]:
    allowed = allowed_numbers(table, column.name)
    if allowed is not None:
        return (f"one_of=[{', '.join(allowed)}]",)
    return tuple(f"{name}={value}" for name, value in numeric_bounds(table, column.name).items())


def _text_rules(table: Table, column: Column) -> tuple[str, ...]:
    values = allowed_values(table, column.name)
    if values is not None:
        return (f"one_of=[{', '.join(map(python_text, values))}]",)
    pattern = pattern_of(table, column.name)
    return () if pattern is None else (f"pattern={python_text(pattern)}",)


def _element(context: Context, type_: Type) -> tuple[str, tuple[str, ...]]:
    """Python text of an array's element, and comments."""
    if type_.category == "e" or is_object(type_):
        made = _enum(context, type_) if type_.category == "e" else _object(context, type_)
        return made.text, made.comments
    if type_.base in _MOMENTS:
        return "v.number()", ()
    if type_.base in _NUMBERS or (type_.base == "numeric" and exact(type_)):
        return f"v.number({', '.join(f'{name}={value}' for name, value in element_bounds(type_).items())})", ()
    simple = {"bool": "v.boolean()", "json": "v.any()", "jsonb": "v.any()", "bytea": "v.bytes()"}
    if type_.base in simple:
        return simple[type_.base], ()
    allowed = allowed_elements(type_)
    if allowed is not None:
        return f"v.union({', '.join(f'v.literal({python_text(value)})' for value in allowed)})", ()
    return "v.string()", () if type_.base in _PLAIN else (f"{type_.name}, as its text",)


def _allows(table: Table, column: Column, value: Value) -> bool:
    """Whether the source's checks that the scaffold keeps allow a default."""
    if isinstance(value, str):
        allowed = allowed_values(table, column.name)
        pattern = None if allowed is not None or column.type.category == "e" else pattern_of(table, column.name)
        return Rules(one_of=allowed, pattern=pattern).problem(value) is None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    numbers = allowed_numbers(table, column.name)
    bounds = numeric_bounds(table, column.name)
    one_of = None if numbers is None else tuple(map(float, numbers))
    ge, le, gt, lt = (float(bounds[name]) if name in bounds else None for name in ("ge", "le", "gt", "lt"))
    return Rules(one_of=one_of, ge=ge, le=le, gt=gt, lt=lt).problem(value) is None
