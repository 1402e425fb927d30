"""The project's functions as TypeScript functions of the same names."""

from __future__ import annotations

from supavex.convex.typescript import quoted
from supavex.rules.form import Function, Statement
from supavex.rules.typescript.expressions import Writer
from supavex.rules.typescript.notation import grouped, literal, type_of


def function_text(function: Function, used: set[str]) -> str:
    """The whole function, with a comment that names its source."""
    writer = Writer(used)
    parameters = ["caller: Caller"]
    for name, kind, nullable in function.parameters:
        parameters.append(f"{name}: {type_of(kind)}{' | null | undefined' if nullable else ''}")
    returns = f"{type_of(function.returns)}{' | null | undefined' if function.nullable else ''}"
    lines = [f"  {line}" for line in _variables(function, writer)]
    for statement in function.body:
        lines += [f"  {line}" for line in _statement(statement, writer, function)]
    if function.body[-1].verb != "return":
        lines.append(f"  throw new Error({quoted(f'control reached end of function {function.source}')});")
    rights = "reads all rows, as SECURITY DEFINER does" if function.definer else "reads what the caller may see"
    head = f"/** {function.source}: {rights}. */"
    return "\n".join(
        [head, f"async function {function.name}({', '.join(parameters)}): Promise<{returns}> {{", *lines, "}"]
    )


def _variables(function: Function, writer: Writer) -> list[str]:
    found = []
    for name, kind, begins in function.variables:
        value = literal(None, kind) if begins is None else writer.value(begins)
        rights = "" if begins is None else writer.rights(begins)
        value = f"{rights} && {grouped(value)}" if rights else value
        found.append(f"let {name}: {type_of(kind)} | null | undefined = {value};")
    return found


def _statement(statement: Statement, writer: Writer, function: Function) -> list[str]:
    if statement.verb in ("return", "set"):
        assert statement.value is not None
        rights = writer.rights(statement.value)
        text = f"{'return' if statement.verb == 'return' else f'{statement.name} ='} {writer.value(statement.value)};"
        return [f"{rights};", text] if rights else [text]
    if statement.verb == "raise":
        return [f'throw new ConvexError({{ code: "raised", message: {quoted(statement.name)} }});']
    if statement.verb == "try":
        bodies = (statement.branches[0][1], statement.otherwise)
        tried, handled = ([f"  {one}" for s in body for one in _statement(s, writer, function)] for body in bodies)
        return ["try {", *tried, "} catch {", *handled, "}"]
    lines: list[str] = []
    for number, (test, body) in enumerate(statement.branches):
        word = "if" if number == 0 else "} else if"
        condition = writer.true(test)
        rights = writer.rights(test)
        condition = f"{rights} && {grouped(condition)}" if rights else condition
        lines.append(f"{word} ({condition}) {{")
        lines += [f"  {line}" for inner in body for line in _statement(inner, writer, function)]
    if statement.otherwise:
        lines.append("} else {")
        lines += [f"  {line}" for inner in statement.otherwise for line in _statement(inner, writer, function)]
    return [*lines, "}"]
