"""Pushes the code of public Convex apps to `supavex serve`, and calls it: for checkouts of public repositories.

    python -m tests.public_apps CHECKOUT… [--only TEXT] [--json]
    python -m tests.public_apps --node-packages

Each folder `convex/` of a checkout that has a package.json above it is an app. A copy of the app gets the npm packages
that its functions import, by npm and with the versions that it names (`convex` itself is the one that the tests use).
It is pushed by the unmodified official CLI. Environment variables that the code reads get made-up values. Each table
gets one made-up document. Then every public function is called, with arguments made from its validators, as nobody and,
where that fails, as a made-up user; and every HTTP route. No other host can be reached. An error that the app throws is
the app's: what it wants can't be made up. Exit code 1 where an app can't be pushed, or a call fails otherwise.

`--node-packages` pushes actions with "use node" that use well-known packages of npm's, and calls them.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from supavex.text import table_text
from tests import projects
from tests.checkouts import LEFT_OUT, apps, install, install_imports, modules
from tests.deployment import archives
from tests.made_values import document, fields_of, id_in
from tests.node_packages import FILES, PACKAGES, answering
from tests.official.auth_app import auth_variables
from tests.official.node import NODE_MODULES
from tests.official.served import App, Served, set_variables

PUSH_SECONDS = 600.0
#: The words of a failure that is not the app's own: what is not there, or goes wrong, in the deployment.
OURS = re.compile(
    r"NotSupportedHere|Not supported here|[Uu]nknown (?:async )?(?:operation|JS syscall)|is not defined|Incident|"
    r"InternalServerError|Could not find the module|Function execution timed out|ran out of memory|supavex"
)
#: The words of a call that wanted another host.
NETWORK = re.compile(r"--allow-fetch|Requires net access")
VARIABLE = re.compile(r"""process\.env(?:\.|\[["'])([A-Za-z_]\w*)""")
UNSET = re.compile(r"Environment variable (\w+) is used in auth config")
BUILT_IN = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL", "NODE_ENV")


@dataclass
class Report:
    """What came of one app. ``problem`` is empty where it was pushed."""

    name: str
    pushed: bool = False
    packages: int = 0
    tables: int = 0
    functions: int = 0
    #: Public functions and HTTP routes that were called, and of these: answered, refused by the app, in want of a host.
    called: int = 0
    answered: int = 0
    refused: int = 0
    offline: int = 0
    #: Calls that failed for a reason of the deployment's: function and reason of each.
    failed: list[str] = field(default_factory=list)
    #: How often the app gave each reason.
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""


class PublicApp(App):
    """A copy of somebody's app: nothing in its folder is ours."""

    def __init__(self, path: Path, served: Served) -> None:
        self.path, self.served = path, served


def try_app(name: str, checkout: Path, packed: Path, app: Path) -> Report:
    """Pushes one app and calls its functions."""
    report, started = Report(name), time.monotonic()
    with projects.folder() as folder:
        copy = folder / "app"
        shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(*LEFT_OUT, ".*"), symlinks=True)
        path, functions = copy / packed.relative_to(checkout), app.relative_to(packed) / "convex"
        try:
            report.packages = install_imports(copy, path, path / functions)
            if functions != Path("convex"):
                told = path / "convex.json"
                settings = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
                told.write_text(json.dumps({**settings, "functions": f"{functions}/"}))
            with Served(folder / "data") as served:
                _go(report, PublicApp(path, served), path / functions)
        except Exception as error:
            report.problem = f"{type(error).__name__}: {str(error).strip()[-1500:]}"
    report.seconds = round(time.monotonic() - started, 1)
    return report


def _value(name: str) -> str:
    where = any(word in name.upper() for word in ("URL", "DOMAIN", "ISSUER", "HOST", "ORIGIN", "ENDPOINT"))
    return f"https://{name.lower().replace('_', '-')}.example.com" if where else f"made-up-{name.lower()}"


def _push(report: Report, app: App, functions: Path) -> None:
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in modules(functions)]
    names = {name for text in texts for name in VARIABLE.findall(text)}.difference(BUILT_IN)
    variables = {name: _value(name) for name in sorted(names)}
    roots = [folder / "node_modules" for folder in (app.path, *app.path.parents)]
    if any((root / "@convex-dev/auth").is_dir() for root in roots):
        variables |= auth_variables()
    set_variables(app, variables)
    for _ in range(10):
        ran = app.convex("dev", "--once", "--typecheck", "disable", seconds=PUSH_SECONDS)
        unset = UNSET.search(ran.text)
        if ran.code == 0 or unset is None:
            break
        set_variables(app, {unset[1]: _value(unset[1])})
    report.pushed = ran.code == 0
    report.problem = "" if report.pushed else ran.text.strip()[-2000:]


def _ask(url: str, body: Any, authorization: str = "", method: str = "POST") -> tuple[int, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    data = None if method in ("GET", "HEAD", "OPTIONS") else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=300) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An app sends its visitors elsewhere: nobody goes there."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _go(report: Report, app: App, functions: Path) -> None:
    _push(report, app, functions)
    if not report.pushed:
        return
    numbers = {str(row["name"]): int(row["number"]) for row in app.documents("_tables")}
    report.tables = len(numbers)
    _fill(report, app, numbers)
    ran = app.convex("function-spec")
    spec = json.loads(ran.out[ran.out.index("{") :])["functions"]
    report.functions = len(spec)
    order = ("Query", "Mutation", "Action", "HttpAction")
    for function in sorted(spec, key=lambda one: order.index(one["functionType"])):
        if function["functionType"] == "HttpAction":
            _visit(report, app, function)
        elif function["visibility"]["kind"] == "public":
            _call(report, app, function, numbers)


def _fill(report: Report, app: App, numbers: Mapping[str, int]) -> None:
    """Imports one made-up document into each table that the schema has a type of."""
    body = {"path": "_system/frontend/getSchemas", "args": {}, "format": "json"}
    _, said = _ask(f"{app.served.url}/api/query", body, f"Convex {app.served.key}")
    active = json.loads(said)["value"].get("active")
    entries: dict[str, str] = archives.tables(**numbers)
    for table in json.loads(active)["tables"] if active else []:
        name, kind = table["tableName"], table["documentType"]
        fields = None if kind is None or name not in numbers else document(kind, numbers)
        if fields is not None:
            if "$bytes" in json.dumps(fields) or "$integer" in json.dumps(fields):
                continue  # an archive writes these in another way
            row = {"_id": id_in(name, numbers), "_creationTime": 1.7e12, **fields}
            entries |= archives.documents(**{name: [row]})
    archives.write_archive(app.path / "made.zip", entries)
    ran = app.convex("import", "--append", "--yes", "made.zip")
    if ran.code:
        report.failed.append(f"import: {ran.text.strip()[-500:]}")


def _call(report: Report, app: App, function: Mapping[str, Any], numbers: Mapping[str, int]) -> None:
    kind, path = function["functionType"].lower(), function["identifier"].replace(".js:", ":")
    given = function.get("args") or {"type": "any"}
    args = fields_of(given, numbers) if given["type"] == "object" else {}
    body = {"path": path, "args": [args], "format": "convex_encoded_json"}
    # Convex Auth's tokens name the user's document and a session's.
    subject = "|".join(id_in(table, numbers) for table in ("users", "authSessions"))
    user = {"subject": subject, "issuer": "https://issuer.example.com", "name": "Ada", "email": "ada@example.com"}
    acting = f"Convex {app.served.key}:{base64.b64encode(json.dumps(user).encode()).decode()}"
    said = _answer(app, kind, body, "") and _answer(app, kind, body, acting)
    _count(report, f"{path} ({kind})", said)


def _answer(app: App, kind: str, body: Any, authorization: str) -> str:
    """Why a call failed; empty where it did not."""
    status, text = _ask(f"{app.served.url}/api/{kind}", body, authorization)
    data = json.loads(text) if text.startswith("{") else {}
    if status == 200 and data.get("status") == "success":
        return ""
    return str(data.get("errorMessage") or f"HTTP {status}: {text[:500]}")


def _visit(report: Report, app: App, route: Mapping[str, Any]) -> None:
    path = str(route["path"]).replace("*", "made-up")
    status, text = _ask(f"{app.served.url}/http{path}", {}, method=route["method"])
    lost = status == 404 and "No matching routes found" in text
    said = f"HTTP {status}: {text[:500]}" if status >= 500 or lost else ""
    _count(report, f"{route['method']} {path}", ("supavex: " if lost or status == 501 else "") + said if said else "")


def _count(report: Report, name: str, said: str) -> None:
    report.called += 1
    if not said:
        report.answered += 1
    elif NETWORK.search(said):
        report.offline += 1
    elif OURS.search(said):
        report.failed.append(f"{name}: {said[:700]}")
    else:
        report.refused += 1
        found = re.search(r"Uncaught (.*)", said)
        reason = f"{name}: {(found[1] if found else said)[:160]}"
        report.reasons[reason] = report.reasons.get(reason, 0) + 1


def node_packages() -> Report:
    """Pushes actions with "use node" that use well-known packages, and calls them."""
    report, started = Report("node packages"), time.monotonic()
    with projects.folder() as folder, answering() as address:
        try:
            version = json.loads((NODE_MODULES / "convex/package.json").read_text())["version"]
            (folder / "app/convex").mkdir(parents=True)
            for name, text in FILES.items():
                (folder / f"app/convex/{name}.ts").write_text(text, encoding="utf-8")
            install(folder / "app", {**PACKAGES, "convex": version})
            report.packages = len(PACKAGES)
            with Served(folder / "data", "--allow-fetch", "127.0.0.1") as served:
                app = PublicApp(folder / "app", served)
                _push(report, app, app.path / "convex")
                for name in FILES if report.pushed else ():
                    body = {"path": f"{name}:used", "args": {"address": address}, "format": "json"}
                    _count(report, name, _answer(app, "action", body, ""))
        except Exception as error:
            report.problem = f"{type(error).__name__}: {str(error).strip()[-1500:]}"
    # What these packages throw is nobody's but ours.
    report.failed += list(report.reasons)
    report.functions, report.seconds = len(FILES), round(time.monotonic() - started, 1)
    return report


def main() -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("checkouts", nargs="*", type=Path)
    parser.add_argument("--only", default="", help="apps with this text in their name")
    parser.add_argument("--node-packages", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    reports = [node_packages()] if options.node_packages else []
    for checkout in map(Path.resolve, options.checkouts):
        for packed, app in apps(checkout):
            name = f"{checkout.name}/{app.relative_to(checkout)}".removesuffix("/.")
            if options.only in name:
                reports.append(try_app(name, checkout, packed, app))
                said = reports[-1].problem.replace("\n", " ")[:200] or f"{len(reports[-1].failed)} failures"
                print(f"{name}: {said}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(report) for report in reports], indent=1))
    else:
        names = ["name", "pushed", "packages", "tables", "functions", "called", "answered", "refused", "offline"]
        rows = [[getattr(report, name) for name in names] + [len(report.failed)] for report in reports]
        print(table_text([*names, "failed"], rows))
        for report in reports:
            lines = [f"failed: {report.name} {line}" for line in ([report.problem] if report.problem else [])]
            lines += [f"failed: {report.name} {line}" for line in report.failed]
            lines += [f"the app's own: {report.name} {reason}" for reason in report.reasons]
            print("\n".join(lines)) if lines else None
    return int(any(report.problem or report.failed for report in reports))


if __name__ == "__main__":
    sys.exit(main())
