"""The bodies of PL/pgSQL functions: IF, RETURN, assignments, SELECT … INTO, RAISE EXCEPTION."""

from __future__ import annotations

import json
import re
from typing import Any

from supavex.postgres import catalog
from supavex.rules import form
from supavex.rules.form import Call, Constant, Expression, Kind, Scalar, Statement, Untranslatable, Variable
from supavex.rules.parse.casts import cast, null, returned
from supavex.rules.parse.columns import kind_named
from supavex.rules.parse.conversions import cast_named, is_enum
from supavex.rules.parse.exceptions import demand_alike, never_throws
from supavex.rules.parse.operators import alike
from supavex.rules.parse.program import condition_of, expression_of, select_of
from supavex.rules.parse.scope import RESERVED, Scope, expression
from supavex.rules.parse.selects import rows, select_outputs, selects

_OF_TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARED = re.compile(r"\bDECLARE\b(.*?)\bBEGIN\b", re.IGNORECASE | re.DOTALL)
_ASSIGNMENT = re.compile(r"\s*[\w.\"]+\s*:?=\s*(.*)\Z", re.DOTALL)
_LIMITED = re.compile(r"(?:varchar|character varying) ?\((\d+)\)")
_ERROR_LEVEL = 21
Variables = tuple[tuple[str, Kind, Expression | None], ...]


def body_of(function: catalog.Function, scope: Scope, declared: Kind) -> tuple[tuple[Statement, ...], Variables]:
    """The statements of a function's body, and its variables with their first values."""
    from pglast.parser import ParseError, parse_plpgsql_json

    try:
        parsed = json.loads(parse_plpgsql_json(_readable(function, scope)))[0]["PLpgSQL_function"]
    except (ParseError, ValueError, IndexError, KeyError):
        raise Untranslatable("the parser of PL/pgSQL does not read the body") from None
    reader = _Reader(function, scope, declared, parsed["datums"])
    return tuple(reader.block(parsed["action"])), reader.declared_variables


def _readable(function: catalog.Function, scope: Scope) -> str:
    """The definition in a form that the parser reads: it knows no enums, and loses a returned variable."""
    text = re.sub(r"\bRETURN\s+(?!NEXT\b)(\w+)\s*;", r"RETURN (\1);", function.definition, flags=re.IGNORECASE)
    declared = re.search(r"\bDECLARE\b(.*?)\bBEGIN\b", text, re.IGNORECASE | re.DOTALL)
    enums = [other.name.rpartition(".")[2] for other in scope.source.plan.catalog.others if other.kind == "enum"]
    if declared is None or not enums:
        return text
    names = "|".join(map(re.escape, sorted(enums, key=len, reverse=True)))
    section = re.sub(rf"(?<=\s)(?:\"?\w+\"?\.)?\"?(?:{names})\"?(?=\s*(?:;|:=|=|DEFAULT\b|\[))", "text", declared[1])
    return text[: declared.start(1)] + section + text[declared.end(1) :]


def _declared_types(function: catalog.Function) -> tuple[dict[str, str], set[str]]:
    """The types of variables, as they are written, and the variables of inner blocks. The parser drops modifiers,
    names of enums, and which block a variable is of.
    """
    plain = _OF_TEXT.sub(lambda found: "''" if found[0].startswith("'") else " ", function.body)
    made: dict[str, str] = {}
    inner: set[str] = set()
    for section in _DECLARED.finditer(plain):
        before = set(made)
        for one in section[1].split(";"):
            words = re.split(r":=|=|\bDEFAULT\b|\bNOT\s+NULL\b", one, flags=re.IGNORECASE)[0].split()
            words = [word for word in words if word.upper() not in ("DECLARE", "CONSTANT")]
            if len(words) > 1:
                made[words[0].strip('"').lower()] = " ".join(words[1:]).lower()
        if re.search(r"\bBEGIN\b", plain[: section.start()], re.IGNORECASE):
            inner |= made.keys() - before
    return made, inner


#: The words of statements whose names in the parser say little.
_STATEMENTS = {
    "dynexecute": "EXECUTE (dynamic SQL)", "dynfors": "FOR … IN EXECUTE", "fors": "FOR … IN a query",
    "fori": "FOR … IN a range", "foreach_a": "FOREACH", "getdiag": "GET DIAGNOSTICS", "forc": "FOR … IN a cursor",
    "return_next": "RETURN NEXT",
}  # fmt: skip


class _Reader:
    def __init__(self, function: catalog.Function, scope: Scope, declared: Kind, datums: list[Any]) -> None:
        self.function, self.scope, self.declared, self.datums = function, scope, declared, datums
        self.variables: dict[str, Variable] = {}
        self.types: dict[str, str] = {}
        #: The most characters of variables of the type varchar(n).
        self.limits: dict[str, int] = {}
        #: Variables that an earlier statement gave a value, in whose kind each later one is.
        self.assigned: set[str] = set()
        types, inner = _declared_types(function)
        found = []
        parameters = {parameter.name for parameter in function.parameters} | {"found", ""}
        for datum in datums:
            variable = datum.get("PLpgSQL_var")
            if variable is None or variable["refname"] in parameters or variable["refname"].startswith("__"):
                continue
            name = variable["refname"]
            if variable.get("isconst") and name in ("sqlstate", "sqlerrm"):
                continue  # of a handler's own
            if name in self.variables:
                raise Untranslatable(f"two blocks declare the variable {name}: give them different names")
            type_name = variable["datatype"]["PLpgSQL_type"]["typname"]
            written = types.get(name.lower(), type_name)
            limit = _LIMITED.fullmatch(written)
            if "(" in written and limit is None:
                raise Untranslatable(
                    f"a variable of the type {written} is not translated: PostgreSQL cuts, pads or rounds its values"
                )
            if limit is not None:
                self.limits[name] = int(limit[1])
            bare = written.replace('"', "")
            self.types[name] = bare if is_enum(bare, scope.source) else self._type_name(type_name)
            kind = kind_named(self.types[name], scope.source)
            default = variable.get("default_val")
            begins = None if default is None else self._held(name, self.expression(default))
            if name.lower() in inner and begins is not None and not isinstance(begins, Constant):
                said = f"the variable {name} of an inner block, whose DEFAULT is evaluated when that block begins"
                raise Untranslatable(f"{said}: assign its value in the block instead")
            if begins is not None and not (isinstance(begins, Constant) and begins.value is None):
                self.assigned.add(name)
                kind = begins.kind if begins.kind.name == "id" else kind
            made = Variable(kind, True, f"{name}_" if name in RESERVED else name)
            self.variables[name] = made
            scope.variables[name] = made  # type: ignore[index]
            found.append((made.name, kind, begins))
        self.declared_variables: Variables = tuple(found)

    def _type_name(self, name: str) -> str:
        if name.lower().endswith("%type"):
            table, _, column = name[:-5].replace('"', "").rpartition(".")
            schema, _, bare = table.rpartition(".")
            found = self.scope.source.table(schema, bare).source.column(column)
            if found is None:
                raise Untranslatable(f"{name} names no column")
            return found.type.name
        return name

    def expression(self, node: Any) -> Expression:
        return expression_of(node["PLpgSQL_expr"]["query"], self.scope)

    def block(self, node: Any) -> list[Statement]:
        block = node["PLpgSQL_stmt_block"]
        body = self.statements(block.get("body", []))
        if "exceptions" not in block:
            return body
        handlers = [one["PLpgSQL_exception"] for one in block["exceptions"]["PLpgSQL_exception_block"]["exc_list"]]
        names = [[c["PLpgSQL_condition"]["condname"] for c in one["conditions"]] for one in handlers]
        if names != [["others"]]:
            raise Untranslatable(
                "EXCEPTION is translated only with the condition OTHERS alone: TypeScript has no such error codes"
            )
        handled = tuple(self.statements(handlers[0].get("action", [])))
        demand_alike(tuple(body))
        always = Constant(form.BOOLEAN, False, True)
        return [Statement("try", branches=((always, tuple(body)),), otherwise=handled)]

    def statements(self, nodes: list[Any]) -> list[Statement]:
        return [made for node in nodes for made in self.statement(node)]

    def statement(self, node: Any) -> list[Statement]:
        self.scope.work.step()
        ((name, content),) = node.items()
        made = getattr(self, f"_{name.removeprefix('PLpgSQL_stmt_')}", None)
        if made is None:
            bare = name.removeprefix("PLpgSQL_stmt_")
            raise Untranslatable(f"{_STATEMENTS.get(bare, bare.upper())} in PL/pgSQL is not translated")
        return list(made(content))

    def _block(self, content: Any) -> list[Statement]:
        return self.block({"PLpgSQL_stmt_block": content})

    def _return(self, content: Any) -> list[Statement]:
        if "expr" not in content:
            raise Untranslatable("RETURN without a value, or of OUT parameters, is not translated")
        value = self.expression(content["expr"])
        named = self.function.returns == "numeric" or is_enum(self.function.returns.lower(), self.scope.source)
        if named and not self.function.returns_set:
            value = cast_named(value, self.function.returns, self.scope.source)
        return [Statement("return", returned(value, self.declared, returns_set=self.function.returns_set))]

    def _return_query(self, content: Any) -> list[Statement]:
        if "query" not in content:
            raise Untranslatable("RETURN QUERY EXECUTE is not translated: its SQL is known only when it runs")
        node = select_of(content["query"]["PLpgSQL_expr"]["query"])
        return [Statement("return", rows(selects(node, self.scope)))]

    def _if(self, content: Any) -> list[Statement]:
        branches = [(content["cond"], content.get("then_body", []))]
        for node in content.get("elsif_list", []):
            inner = node["PLpgSQL_if_elsif"]
            branches.append((inner["cond"], inner.get("stmts", [])))
        made = tuple(
            (condition_of(test["PLpgSQL_expr"]["query"], self.scope), tuple(self.statements(body)))
            for test, body in branches
        )
        return [Statement("if", branches=made, otherwise=tuple(self.statements(content.get("else_body", []))))]

    def _assign(self, content: Any) -> list[Statement]:
        name = self._name(content["varno"])
        found = _ASSIGNMENT.match(content["expr"]["PLpgSQL_expr"]["query"])
        if found is None:
            raise Untranslatable("an assignment that the parser does not read")
        return [self._set(name, expression_of(found[1], self.scope))]

    def _execsql(self, content: Any) -> list[Statement]:
        if not content.get("into") or content.get("strict"):
            raise Untranslatable("a statement that writes, or SELECT … INTO STRICT, is not translated")
        target = content["target"]
        if "PLpgSQL_row" in target:
            names = [field["name"] for field in target["PLpgSQL_row"]["fields"]]
        elif "PLpgSQL_var" in target:
            names = [target["PLpgSQL_var"]["refname"]]
        else:
            raise Untranslatable("SELECT … INTO a record is not translated: name a variable for each column")
        node = select_of(content["sqlstmt"]["PLpgSQL_expr"]["query"])
        values = select_outputs(node, self.scope)
        if len(values) != len(names):
            raise Untranslatable("SELECT … INTO has another number of variables than of columns")
        return [self._set(name, value) for name, value in zip(names, values, strict=True)]

    def _perform(self, content: Any) -> list[Statement]:
        """A call for its effects, such as logging. It does not change the function's result."""
        node = select_of(content["expr"]["PLpgSQL_expr"]["query"])
        call: Any = node.targetList[0].val if len(node.targetList or ()) == 1 else None
        if call is not None and type(call).__name__ == "FuncCall" and not node.fromClause:
            names = [part.sval for part in call.funcname]
            called = self.scope.source.functions(names[-2] if len(names) > 1 else "", names[-1])
            # The owner of a SECURITY DEFINER function may call what it calls.
            allowed = len(called) == 1 and not (called[0].denied and self.scope.secured)
            if allowed and _does_nothing(called[0]) and self._never_fail(call.args or (), called[0]):
                return []
        raise Untranslatable("PERFORM is translated only for a function that does nothing but RAISE NOTICE")

    def _never_fail(self, arguments: Any, function: catalog.Function) -> bool:
        """Whether arguments of a call have the types of its parameters, and evaluating them raises no error."""
        if len(arguments) != len(function.parameters):
            return False
        for node, parameter in zip(arguments, function.parameters, strict=True):
            if parameter.type in ("json", "jsonb") and (values := _values_of_json(node)) is not None:
                if not all(never_throws(expression(value, self.scope)) for value in values):
                    return False
                continue
            given, declared = expression(node, self.scope), kind_named(parameter.type, self.scope.source)
            null_ = isinstance(given, Constant) and given.value is None
            text = given.kind.name == "unknown" and declared.name == "text"
            if not never_throws(given) or not (null_ or text or given.kind.stands_for(declared)):
                return False
        return True

    def _raise(self, content: Any) -> list[Statement]:
        if content.get("elog_level") != _ERROR_LEVEL:
            if content.get("params") or content.get("options"):
                raise Untranslatable("RAISE NOTICE or WARNING with values is not translated: to compute them may fail")
            return []
        return [Statement("raise", name=content.get("message", "raised"))]

    def _name(self, number: int) -> str:
        datum = self.datums[number].get("PLpgSQL_var")
        if datum is None:
            raise Untranslatable("an assignment to a field of a record is not translated")
        return str(datum["refname"])

    def _set(self, name: str, value: Expression) -> Statement:
        variable = self.variables.get(name)
        if variable is None:
            raise Untranslatable(f"an assignment to the parameter {name} is not translated: declare a variable")
        kind = variable.kind
        if isinstance(value, Scalar | Expression) and value.kind.name == "unknown":
            value = cast(value, kind) if getattr(value, "value", None) is not None else null(kind)
        if value.kind.name != kind.name:
            if kind.name == "id" or (value.kind.name == "id" and name in self.assigned):
                value = self._as_same_id(variable, value)
            elif value.kind.stands_for(kind) or (kind.name == "uuid" and value.kind.name == "clerk"):
                kind = self._retype(name, value.kind)
            else:
                value = self._held(name, value)
        elif kind.name in ("text", "number"):
            value = self._held(name, value)
        elif kind.name == "id":
            value = self._as_same_id(variable, value)
        if not (isinstance(value, Constant) and value.value is None):
            self.assigned.add(name)
        return Statement("set", value, variable.name)

    def _as_same_id(self, variable: Variable, value: Expression) -> Expression:
        """A value as an id like the first value of the variable."""
        value, other = alike(value, variable, self.scope.source)
        if other is not variable:
            raise Untranslatable(f"the variable {variable.name} gets values that Convex holds in different ways")
        return value

    def _held(self, name: str, value: Expression) -> Expression:
        """A value as one of a variable's type."""
        value = cast_named(value, self.types[name], self.scope.source)
        if name not in self.limits:
            return value
        limit = Constant(form.WHOLE_NUMBER, False, self.limits[name])
        return Call(value.kind, value.nullable, "limited", (value, limit))

    def _retype(self, name: str, kind: Kind) -> Kind:
        """Changes a uuid variable to an id, if its first value is an id."""
        made = Variable(kind, True, self.variables[name].name)
        self.variables[name] = made
        self.scope.variables[name] = made  # type: ignore[index]
        self.declared_variables = tuple(
            (n, kind if n == made.name else k, begins) for n, k, begins in self.declared_variables
        )
        return kind


def _values_of_json(node: Any) -> list[Any] | None:
    """The values in a call of jsonb_build_object with constant keys; None for other expressions."""
    if type(node).__name__ != "FuncCall" or node.funcname[-1].sval not in ("jsonb_build_object", "json_build_object"):
        return None
    arguments = list(node.args or ())
    plain = len(arguments) % 2 == 0 and all(
        type(key).__name__ == "A_Const" and not key.isnull for key in arguments[::2]
    )
    return arguments[1::2] if plain else None


def _does_nothing(function: catalog.Function) -> bool:
    """Whether a call has no effect and cannot fail: the body only gives notices of parameters, or returns."""
    from pglast.parser import ParseError, parse_plpgsql_json

    if function.returns != "void" or function.language != "plpgsql":
        return False
    try:
        parsed = json.loads(parse_plpgsql_json(function.definition))[0]["PLpgSQL_function"]
    except (ParseError, ValueError, IndexError, KeyError):
        return False
    names = {parameter.name for parameter in function.parameters}
    block = parsed["action"]["PLpgSQL_stmt_block"]
    return "DECLARE" not in function.body.upper() and all(_is_idle(node, names) for node in block.get("body", []))


def _is_idle(node: Any, names: set[str]) -> bool:
    ((name, content),) = node.items()
    if name == "PLpgSQL_stmt_block":
        # Its handlers never run: nothing in it fails.
        return all(_is_idle(one, names) for one in content.get("body", []))
    if name == "PLpgSQL_stmt_raise":
        shown = {one["PLpgSQL_expr"]["query"].strip() for one in content.get("params", ())}
        return content.get("elog_level", _ERROR_LEVEL) < _ERROR_LEVEL and "options" not in content and shown <= names
    return name == "PLpgSQL_stmt_return" and "expr" not in content
