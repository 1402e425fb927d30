"""Components by the official CLI: one push of an app with two of one definition and one that mounts another."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from supavex.convex_cli.bundling import inputs_of
from supavex.deployment import Deployment, dashboard
from supavex.deployment.database.components import component_at, components
from supavex.deployment.database.database import Database
from supavex.deployment.database.layout import HANDLE_SECRET
from supavex.deployment.database.stored_files import Files
from supavex.deployment.functions.bundle import bundle_of, read_bundle
from supavex.deployment.functions.in_process import FunctionFailed
from supavex.deployment.functions.modules import pushed_definitions
from supavex.deployment.functions.scheduler import due_jobs
from supavex.deployment.functions.scheduling import cancelled
from supavex.deployment.runtime.runner import Modules, Runner
from supavex.deployment.server.app import make_app
from supavex.deployment.server.host import Addresses, Host
from supavex.deployment.server.imports import ImportJob, perform
from supavex.deployment.transfer.exporting import export_snapshot
from supavex.deployment.transfer.importing import Mode
from supavex.errors import SupavexError
from supavex.migrate.proof.store import prove_store
from supavex.rules.proof.bundling import made_bundle

from .served import App, Served, served_app, wait_until

SOURCES = Path(__file__).parent / "components"
PACKAGES = Path(__file__).parent / "component_packages"
FILE = "deployment.sqlite3"
ADDRESS, KEY = "http://127.0.0.1:3210", "supavex-test|0123456789abcdef"
#: Where pages of the dashboard lie: the app's, and those of some of its components.
PLACES = ["", "/components/counter", "/components/shop", "/components/shop.stock"]


@pytest.fixture(scope="module")
def pushed() -> Iterator[App]:
    """The app, pushed once. Its deployment goes on being served."""
    with served_app() as app:
        shutil.copytree(SOURCES, app.path, dirs_exist_ok=True)
        ran = app.push()
        for path in ("counter", "other", "shop", "shop/stock"):
            assert f"Installed component {path}." in ran.text
        yield app


def copied(file: Path, target: Path) -> Path:
    """A copy of the file of a deployment that is being served."""
    with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)
    return target


@pytest.fixture(scope="module")
def file(pushed: App, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the deployment's file as the push left it: without documents."""
    target = tmp_path_factory.mktemp("components") / FILE
    return copied(pushed.served.data / FILE, target)


@pytest.fixture
def deployment(file: Path, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of the app's own, in this process."""
    shutil.copy(file, tmp_path / FILE)
    with Deployment(tmp_path / FILE) as deployment:
        yield deployment


def seen_from(deployment: Deployment, path: str) -> Database:
    """The deployment as the component of that path sees it."""
    return deployment.within(component_at(deployment.store.connection, path).id)


def values(deployment: Deployment, path: str) -> dict[str, float]:
    """What the counter at ``path`` holds, read without any function."""
    return {row["name"]: row["value"] for row in seen_from(deployment, path).documents("counts")}


def notes(deployment: Deployment) -> list[str]:
    return sorted(row["text"] for row in deployment.documents("notes"))


# Data


def test_each_component_has_tables_of_its_own(deployment: Deployment):
    ours = deployment.run("app:add", {"name": "a", "by": 2})
    theirs = deployment.run("app:addOther", {"name": "a", "by": 5})
    assert values(deployment, "counter") == {"a": 2} and values(deployment, "other") == {"a": 5}
    assert values(deployment, "shop/stock") == {} and deployment.count("counts") == 0
    assert deployment.run("app:value", {"name": "a"}) == 2
    assert notes(deployment) == ["add a"]
    # The app has a table of the same number, and no document of that id.
    assert deployment.run("app:reads", {"id": ours}) is None and deployment.run("app:reads", {"id": theirs}) is None


def test_a_component_that_another_one_mounts(deployment: Deployment):
    assert deployment.run("app:sell", {"name": "a"}) == -1
    assert values(deployment, "shop/stock") == {"a": -1} and values(deployment, "counter") == {}


def test_what_a_component_wrote_is_taken_back_where_it_throws_and_the_caller_goes_on(deployment: Deployment):
    assert deployment.run("app:caught", {"name": "a"}) == 1
    assert values(deployment, "counter") == {"a": 1}
    (said,) = notes(deployment)
    assert said.startswith("Uncaught Error: counted too far")


def test_a_component_writes_in_the_transaction_of_its_caller(deployment: Deployment):
    with pytest.raises(FunctionFailed, match="not after all"):
        deployment.run("app:fails", {"name": "a"})
    assert values(deployment, "counter") == {}


def test_actions_and_what_is_internal_in_a_component(deployment: Deployment):
    assert deployment.run("app:acts", {"name": "a"}) == [2, 12]
    with pytest.raises(FunctionFailed, match=r'Child component "counter" does not export \["lib", "hidden"\]'):
        deployment.run("app:hidden")
    with pytest.raises(FunctionFailed, match='Child component "nobody" not found'):
        deployment.run("app:nowhere")
    with pytest.raises(FunctionFailed, match="paginate\\(\\) is only supported in the app"):
        deployment.run("app:page")


def test_a_component_sees_the_variables_that_it_is_given(deployment: Deployment):
    site = "http://127.0.0.1:3211/shop"
    assert deployment.run("app:seen") == ["EUR", None, None, site]
    deployment.set_environment({"KEY": "k", "CURRENCY": "USD"})
    assert deployment.run("app:seen") == ["EUR", "k", None, site]


# A component that wants more than its own


@pytest.fixture
def guarded(deployment: Deployment) -> Deployment:
    deployment.set_environment({"KEY": "k-of-the-app"})
    deployment.insert("notes", {"text": "of the app"})
    return deployment


def test_built_in_objects_that_a_component_changes_are_its_own(guarded: Deployment):
    for _ in range(2):  # and nothing of it is there for the next call
        found = guarded.run("guarded:goesOn")
        assert isinstance(found, dict)
        harvested = found.pop("harvested")
        assert found == {"planted": [True, True], "texts": ["of the app"], "key": "k-of-the-app", "same": True}
        assert harvested == {"seen": None, "theirs": None, "key": None, "polluted": False}


@pytest.mark.parametrize("how", ["then", "getter", "toJSON", "proxy", "thrown object", "thrown proxy", "thrown error"])
def test_what_a_component_gives_or_throws_is_text_to_its_caller(guarded: Deployment, how: str):
    plain = [True, "string"]
    assert guarded.run("guarded:gets", {"how": how}) in (plain, [True, [], False])


def test_a_component_asks_for_nothing_that_is_the_apps(guarded: Deployment):
    found = guarded.run("guarded:asked")
    assert isinstance(found, list) and len(found) == 7
    assert found == ["null", '{"value":null,"done":true}', *["refused"] * 5]
    assert notes(guarded) == ["of the app", "of the app"]


def test_a_components_process_has_no_module_but_its_own(guarded: Deployment):
    """Its code finds them where ``Map.prototype.get`` is not JavaScript's own any more."""
    found = guarded.run("guarded:listed")
    assert isinstance(found, dict) and found["found"] is True
    there = [str(name).partition("/") for name in found["there"]]
    assert {"lib.js", "hostile.js"} <= {name for _, _, name in there}
    assert len({prefix for prefix, _, _ in there}) == 1 and not any("guarded" in name for _, _, name in there)


def test_a_call_takes_a_process_for_each_component_that_is_in_it(guarded: Deployment):
    """One for the app and one for the component; the app's own functions run where their caller does."""
    runners = guarded.functions._runners
    taken: list[int] = []
    take = runners.take

    def counted(modules: Modules, purpose: object = None, held: int = 0) -> Runner:
        taken.append(held)
        return take(modules, purpose, held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "take", counted)
        guarded.run("app:callBack", {"text": "hello"})  # into the component, and from there into the app
        guarded.run("app:reads", {"id": guarded.insert("notes", {"text": "b"})})
    assert taken == [0, 1, 0]


def test_an_action_does_not_pass_its_user_on_to_a_component(deployment: Deployment):
    """Queries and mutations do, as with Convex: they are one transaction."""
    user = {"issuer": "https://some.example", "subject": "ada"}
    assert deployment.run("app:who", user=user) == ["ada", "ada"]
    assert deployment.run("app:whoActs", user=user) == ["ada", "ada", None, [None, None]]


def test_what_a_subscription_reads_of_a_component_is_noticed(deployment: Deployment):
    from supavex.deployment.functions.call import Call

    functions = deployment.functions
    outcome = functions.query(Call("app:value", {"name": "a"}))
    since = functions.engine.log.last
    deployment.run("app:addOther", {"name": "a", "by": 1})
    assert functions.engine.valid(outcome.reads, since)
    deployment.run("app:add", {"name": "b", "by": 1})
    assert functions.engine.valid(outcome.reads, since)
    deployment.run("app:add", {"name": "a", "by": 1})
    assert not functions.engine.valid(outcome.reads, since)


def test_two_mutations_meet_in_a_component(deployment: Deployment):
    """The one that has read what the other one wrote is run again."""
    engine = deployment.functions.engine
    from supavex.deployment.functions.call import Call

    met: list[int] = []

    def first(*given: Any) -> Any:
        if not met:
            met.append(1)
            deployment.functions.mutation(Call("app:add", {"name": "a", "by": 1.0}))
        return commit(*given)

    commit = engine.commit
    engine.commit = first  # type: ignore[method-assign]
    outcome = deployment.functions.mutation(Call("app:add", {"name": "a", "by": 1.0}))
    assert outcome.failure is None and outcome.retries == 1
    assert values(deployment, "counter") == {"a": 2}


def test_a_component_has_text_and_vector_indexes_of_its_own(deployment: Deployment, tmp_path: Path):
    def sale(name: str, place: str, *vector: float) -> dict[str, Any]:
        return {"name": name, "place": place, "vector": list(vector)}

    def all_is_found(found: Deployment) -> None:
        assert found.run("app:search", {"words": "tea", "place": "oslo"}) == ["black tea", "green tea"]
        assert found.run("app:search", {"words": "te", "place": "bergen"}) == ["tea again"]
        assert found.run("app:near", {"vector": [1.0, 0.0], "place": "oslo"}) == ["green tea", "coffee"]

    # A mutation finds what it has written itself.
    first = {"sale": sale("green tea", "oslo", 1.0, 0.1), "words": "gre"}
    assert deployment.run("app:keep", first) == ["green tea"]
    for other in (
        sale("black tea", "oslo", -1.0, 0.0),
        sale("coffee", "oslo", 0.0, 1.0),
        sale("tea again", "bergen", 1.0, 0.0),
    ):
        deployment.run("app:keep", {"sale": other, "words": "nothing"})
    all_is_found(deployment)
    assert prove_store(deployment).found.ok
    # An import into a component fills its indexes.
    archive = tmp_path / "whole.zip"
    export_snapshot(deployment, archive)
    with Deployment(tmp_path / "fresh.sqlite3") as fresh:
        bundle_of(deployment, "1.48.0", {}).install(fresh)
        fresh.load(archive)
        all_is_found(fresh)


def test_stored_files_of_a_component_are_its_own(deployment: Deployment):
    kept = deployment.run("app:keeps", {"text": "hello"})
    assert isinstance(kept, list) and kept[1] == "hello"
    assert deployment.run("app:sees", {"id": kept[0]}) == [False, True, False]


def stored(deployment: Deployment) -> dict[str, list[tuple[str, str]]]:
    """The ids and the contents of the stored files of the app, and of each component that has any."""
    rows = deployment.store.connection.execute("SELECT id, path FROM components ORDER BY path").fetchall()
    found = {}
    for component, path in [(0, ""), *rows]:
        files = Files(deployment.within(component).store, deployment.path.parent).all()
        found[path] = [(file.id, file.path.read_text()) for file in files]
    return {path: files for path, files in found.items() if files}


def test_the_address_of_a_components_file_names_the_component(deployment: Deployment):
    from supavex.deployment.functions.call import Call

    kept = deployment.run("app:keeps", {"text": "hello"})
    assert isinstance(kept, list)
    outcome = deployment.functions.run(Call("lib:url", {"id": kept[0]}, internal=True, component="counter"))
    document = component_at(deployment.store.connection, "counter").document
    assert json.loads(outcome.value or "null").endswith(f"?component={document}")


def test_the_app_and_a_component_have_files_of_the_same_id(deployment: Deployment, tmp_path: Path):
    """An archive's ids stay the same wherever it is imported: each component has ids of its own."""
    files = Files(deployment.store, tmp_path)
    incoming = files.new_path()
    incoming.write_text("hello")
    kept = files.keep(incoming, "text/plain")
    archive = tmp_path / "archive.zip"
    export_snapshot(deployment, archive, tmp_path)
    modes: tuple[Mode, ...] = ("append", "replaceAll")
    for mode in modes:  # and a second time
        for component in ("counter", "other"):
            perform(ImportJob(deployment.path, tmp_path, "append", "zip", None, archive, component), lambda *told: None)
        each = [(kept.id, "hello")]
        assert stored(deployment) == {"": each, "counter": each, "other": each}
        assert deployment.run("app:sees", {"id": kept.id}) == [True, True, True]
        # An archive that holds all three.
        whole = tmp_path / f"{mode}.zip"
        export_snapshot(deployment, whole, tmp_path)
        perform(ImportJob(deployment.path, tmp_path, mode, "zip", None, whole, ""), lambda *told: None)
        assert stored(deployment) == {"": each, "counter": each, "other": each}
    # What goes from a component, goes from there alone.
    (id_,) = deployment.store.connection.execute("SELECT id FROM components WHERE path = 'counter'").fetchone()
    Files(deployment.within(id_).store, tmp_path).forget({kept.id})
    assert stored(deployment) == {"": each, "other": each}


def test_the_proof_looks_at_components(deployment: Deployment):
    deployment.run("app:add", {"name": "a", "by": 1})
    proof = prove_store(deployment)
    assert proof.found.ok and proof.documents == 2
    sql = "SELECT storage FROM tables JOIN components ON component = id WHERE path = 'counter'"
    (storage,) = deployment.store.connection.execute(sql).fetchone()
    sql = "SELECT entries FROM indexes WHERE storage = ? AND name = 'by_name'"
    (entries,) = deployment.store.connection.execute(sql, (storage,)).fetchone()
    deployment.store.connection.execute(f"DELETE FROM entries_{entries}")
    found = prove_store(deployment).found
    assert not found.ok
    assert all(finding.detail.startswith("counts in 'counter'.by_name: ") for finding in found.findings)


def test_an_app_with_components_is_bundled(deployment: Deployment, tmp_path: Path):
    """The bundle does what the push does: functions, schemas, cron jobs, variables, and who is mounted where."""
    path = tmp_path / "bundle.json"
    path.write_text(bundle_of(deployment, "1.48.0", {}).text(), encoding="utf-8")
    with Deployment(tmp_path / "fresh.sqlite3") as fresh:
        read_bundle(path).install(fresh)
        assert bundle_of(fresh, "1.48.0", {}).text() == path.read_text(encoding="utf-8")
        fresh.run("app:add", {"name": "a", "by": 1})
        assert values(fresh, "counter") == {"a": 1}
        fresh.set_environment({"KEY": "secret"})
        assert fresh.run("app:seen") == ["EUR", "secret", None, "http://127.0.0.1:3211/shop"]
        assert fresh.run("app:sell", {"name": "a"}) == -1
        fresh.run("app:ofComponent", {"name": "b", "by": 1})
        assert fresh.run_scheduled() == 2 and values(fresh, "counter") == {"a": 1, "b": 3}
        fresh.advance(3600)
        assert values(fresh, "other")["cron"] >= 1
        with pytest.raises(SupavexError, match="does not match the schema"):
            seen_from(fresh, "counter").insert("counts", {"name": 5})
        assert seen_from(fresh, "counter").query("counts").with_index("by_name").first() is not None
        # What the next bundle leaves out is unmounted, as by a push.
        replace(read_bundle(path), components=(), definitions={}).install(fresh)
        assert not any(component.mounted for component in components(fresh.store.connection).values())
        assert pushed_definitions(fresh.store) == []


def test_the_cli_bundles_components_beside_the_convex_folder_in_a_copy_of_the_app(pushed: App, tmp_path: Path):
    made = made_bundle(pushed.path, rules=False)
    assert [component.path for component, _ in made.components] == ["counter", "other", "shop", "shop/stock"]
    with Deployment(tmp_path / FILE) as fresh:
        made.install(fresh)
        assert fresh.run("app:sell", {"name": "a"}) == -1


def test_a_components_own_files_are_inputs_of_the_bundle(tmp_path: Path):
    """The CLI takes every module of a component's folder: one that nothing imports makes the bundle stale, too."""
    shutil.copytree(SOURCES, tmp_path / "app")
    before = inputs_of(tmp_path / "app")
    assert {"counter/lib.ts", "counter/crons.ts", "shop/sales.ts"} <= before.keys()
    (tmp_path / "app/counter/lib.ts").write_text("export const gone = 1;\n", encoding="utf-8")
    assert before["counter/lib.ts"] != inputs_of(tmp_path / "app")["counter/lib.ts"]


# The dashboard


@pytest.fixture
def host(deployment: Deployment, tmp_path: Path) -> Host:
    return Host(deployment, tmp_path, KEY, Addresses(ADDRESS, "http://127.0.0.1:3211"))


@pytest.fixture
def admin(host: Host) -> TestClient:
    """Who may see the dashboard."""
    headers = {"Authorization": f"Convex {KEY}"}
    app = make_app(host, dashboard.routes(host))
    return TestClient(app, base_url=ADDRESS, headers=headers, follow_redirects=False)


def test_the_dashboard_shows_each_component(deployment: Deployment, host: Host, admin: TestClient):
    deployment.run("app:add", {"name": "a", "by": 1})
    deployment.run("app:keeps", {"text": "hello"})
    deployment.run("app:later", {"name": "b", "by": 1})
    host.log.add({"kind": "Completion", "identifier": "lib:add", "componentPath": "counter", "logLines": ["its line"]})
    host.log.add({"kind": "Completion", "identifier": "app:add", "componentPath": None, "logLines": ["the app's"]})

    def said(path: str) -> Any:
        answer = admin.get(f"{path}.json")
        assert answer.status_code == 200, answer.text
        return answer.json()

    tables = {path: [(t["name"], t["documents"]) for t in said(f"{path}/tables")["tables"]] for path in PLACES}
    assert tables == {
        "": [("counts", 0), ("notes", 1)],
        "/components/counter": [("counts", 1)],
        "/components/shop": [("sales", 0)],
        "/components/shop.stock": [("counts", 0)],
    }
    (row,) = said("/components/counter/tables/counts")["documents"]
    assert (row["name"], row["value"]) == ("a", 1)
    assert said(f"/components/counter/documents/{row['_id']}")["table"] == "counts"
    assert admin.get(f"/documents/{row['_id']}.json").status_code == 404
    assert "addHidden" in str(said("/components/counter/functions")["functions"])
    assert "addHidden" not in str(said("/functions")["functions"])
    assert [job["name"] for job in said("/components/counter/functions")["scheduled"]] == ["lib:addHidden"]
    assert said("/functions")["scheduled"] == []
    assert [job["name"] for job in said("/components/other/functions")["crons"]] == ["count"]
    assert said("/functions")["crons"] == [] and said("/components/shop/functions")["crons"] == []
    routes = said("/components/shop/functions")["httpRoutes"]
    assert {"method": "GET", "path": "/shop/sales"} in routes
    assert [file["contentType"] for file in said("/components/counter/files")["files"]] == ["text/plain"]
    assert said("/files")["count"] == 0 and said("/components/other/files")["count"] == 0
    assert [entry["identifier"] for entry in said("/components/counter/logs")["entries"]] == ["lib:add"]
    assert len(said("/logs")["entries"]) == 2
    assert said("/components/counter/schema")["schema"]["tables"][0]["tableName"] == "counts"
    assert len(said("/components/counter/deployments")["pushes"]) == 1
    assert admin.get("/components/nobody/tables.json").status_code == 404
    assert admin.get("/components/counter/migration.json").status_code == 404


def test_links_of_a_components_pages_stay_in_the_component(deployment: Deployment, admin: TestClient):
    deployment.run("app:sell", {"name": "a"})
    base = "/components/shop.stock"
    seen: set[str] = set()
    waiting = [f"{base}/tables", "/tables"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = admin.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        links = [html.unescape(link) for link in re.findall(r'href="(/[^"#]+)', answer.text)]
        waiting += [link for link in links if link.startswith((f"{base}/", "/tables")) and ".json" not in link]
        (chosen,) = re.findall(r'aria-label="Components".*?aria-current="true">([^<]*)<', answer.text, re.DOTALL)
        assert chosen == ("shop/stock" if path.startswith(base) else "the app")
    pages = ("tables/counts", "schema", "functions", "files", "logs", "deployments")
    assert {f"{base}/{page}" for page in pages} <= seen
    (id_,) = [document["_id"] for document in seen_from(deployment, "shop/stock").documents("counts")]
    assert f"{base}/documents/{id_}" in seen
    assert admin.get(f"{base}/documents", params={"id": id_}).headers["location"] == f"{base}/documents/{id_}"


# Handles, schedules, cron jobs


def test_a_component_calls_back_by_a_handle(deployment: Deployment):
    handle = deployment.run("app:callBack", {"text": "hello"})
    assert isinstance(handle, str) and handle.startswith("function://")
    assert notes(deployment) == ["hello"]
    assert deployment.run_scheduled() == 1
    assert notes(deployment) == ["hello", "hello later"]


def test_a_handle_that_nobody_made_calls_nothing(deployment: Deployment):
    """A component knows the form of a handle and the names of the app's functions: that is not enough."""
    from supavex.deployment.functions.call import Call

    made = deployment.run("app:callBack", {"text": "hello"})
    theirs = deployment.run("app:ofComponent", {"name": "a", "by": 1})
    assert isinstance(made, str) and isinstance(theirs, str) and "app.js:note" in made
    deployment.run_scheduled()
    assert notes(deployment) == ["hello", "hello later"]
    place, signature = made.rsplit(";", 1)
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    forged = [
        "function://;app:note",
        "function://;app.js:note",
        "function://app:note",
        place,
        f"{place};",
        f"{place};{flipped}",
        f"{place};{theirs.rsplit(';', 1)[1]}",
        f"{place};\ud800",
        made.replace("app.js:note", "app:note"),
        made.replace("function://;", f"function://{theirs.removeprefix('function://').split(';')[0]};"),
    ]
    for handle in forged:
        arguments = {"handle": handle, "text": "forged"}
        outcome = deployment.functions.mutation(Call("lib:calls", arguments, internal=True, component="counter"))
        assert outcome.failure is not None, handle
        assert "Function handle not found" in outcome.failure.message or "\ud800" in handle, outcome.failure.message
    assert deployment.run_scheduled() == 0 and notes(deployment) == ["hello", "hello later"]
    arguments = {"handle": made, "text": "again"}
    outcome = deployment.functions.mutation(Call("lib:calls", arguments, internal=True, component="counter"))
    assert outcome.failure is None and "again" in notes(deployment)


def test_handles_stay_and_each_deployment_has_its_own(deployment: Deployment, tmp_path: Path):
    secrets = []
    for path in (tmp_path / FILE, tmp_path / FILE, tmp_path / "other" / FILE):
        with Deployment(path) as opened:
            secrets.append(opened.store.meta(HANDLE_SECRET))
    assert secrets[0] == secrets[1] and None not in secrets and secrets[2] != secrets[0]


def test_handles_and_schedules_of_a_components_functions(deployment: Deployment):
    deployment.run("app:ofComponent", {"name": "a", "by": 1})
    assert values(deployment, "counter") == {"a": 1}
    assert deployment.run("app:jobs") == [2, []]
    assert deployment.run_scheduled() == 2
    assert values(deployment, "counter") == {"a": 3} and values(deployment, "other") == {}


def test_what_a_component_schedules_is_its_own(deployment: Deployment):
    deployment.run("app:later", {"name": "a", "by": 4})
    assert deployment.run("app:jobs") == [0, ["pending"]]
    assert deployment.run_scheduled() == 1
    assert deployment.run("app:jobs") == [0, ["success"]] and values(deployment, "counter") == {"a": 4}


def test_what_a_cancelled_job_schedules_in_a_component_is_cancelled_too(deployment: Deployment):
    """The job is the app's: what it calls in a component looks for it there, and not among the component's own."""
    from supavex.deployment.functions.call import Call

    functions = deployment.functions
    deployment.run("app:ofComponent", {"name": "a", "by": 1})
    job = due_jobs(functions, float("inf"))[0][0]
    (other,) = deployment.store.connection.execute("SELECT id FROM components WHERE path = 'other'").fetchone()

    def later(path: str, component: str, of: int) -> None:
        arguments = {"name": "b", "by": 1}
        call = Call(path, arguments, internal=True, scheduled=(of, job.id), component=component)
        assert functions.mutation(call).failure is None

    later("app:later", "", 0)
    functions.engine.write(lambda transaction: cancelled(transaction, {"id": job.id}))
    later("app:later", "", 0)
    later("lib:later", "counter", 0)
    later("lib:later", "counter", other)  # the other component has no job of that id
    assert deployment.run("app:jobs") == [2, ["pending", "canceled", "canceled", "pending"]]
    assert deployment.run_scheduled() == 3
    assert values(deployment, "counter") == {"a": 2, "b": 2}


def test_every_component_has_cron_jobs_of_its_own(deployment: Deployment):
    deployment.advance(3600)
    counted = [values(deployment, path) for path in ("counter", "other", "shop/stock")]
    assert counted[0]["cron"] >= 1 and counted[0] == counted[1] == counted[2]


# From outside


def test_the_admin_alone_calls_a_components_functions(pushed: App):
    assert pushed.convex("run", "app:add", '{"name": "b", "by": 2}').code == 0
    assert pushed.convex("run", "--component", "counter", "lib:value", '{"name": "b"}').out.strip() == "2"
    assert pushed.convex("run", "--component", "shop/stock", "lib:hiddenValue", '{"name": "b"}').out.strip() == "0"
    ran = pushed.convex("run", "--component", "nobody", "lib:value", '{"name": "b"}')
    assert ran.code != 0 and "Could not find function for 'lib:value' in 'nobody'" in ran.text
    inline = "await ctx.db.query('counts').withIndex('by_name', (q) => q.eq('name', 'b')).collect()"
    ran = pushed.convex("run", "--inline-query", f"return ({inline}).length;", "--component", "counter")
    assert ran.code == 0 and ran.out.strip() == "1", ran.text
    body = {"path": "lib:value", "args": {"name": "b"}, "componentPath": "counter", "format": "json"}
    request = urllib.request.Request(
        f"{pushed.served.url}/api/query", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    with caught.value:
        said = json.loads(caught.value.read())
    assert said["message"] == "Only admin or system users can call functions on non-root components directly"


def test_a_file_is_uploaded_into_a_component(pushed: App):
    url = json.loads(pushed.convex("run", "--component", "counter", "lib:uploadUrl").out)
    request = urllib.request.Request(url, b"hi", {"Content-Type": "text/plain"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        id_ = json.loads(answer.read())["storageId"]
    ran = pushed.convex("data", "--component", "counter", "_storage", "--format", "jsonLines")
    assert id_ in ran.out and id_ not in pushed.stored_files()


def test_the_cli_lists_a_components_data(pushed: App):
    assert pushed.convex("run", "app:addOther", '{"name": "c", "by": 3}').code == 0
    assert pushed.convex("data", "--component", "other").out.split() == ["counts"]
    ran = pushed.convex("data", "--component", "other", "counts", "--format", "jsonLines")
    rows = [json.loads(line) for line in ran.out.splitlines() if line.startswith("{")]
    assert {row["name"]: row["value"] for row in rows}["c"] == 3
    ran = pushed.convex("data", "--component", "nobody")
    assert ran.code != 0 and 'Component path "nobody" not found' in ran.text


def test_a_components_http_actions_answer_under_its_prefix(pushed: App):
    with urllib.request.urlopen(f"{pushed.served.url}/http/shop/sales", timeout=60) as found:
        assert found.read() == b"sold at /shop/sales"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{pushed.served.url}/http/sales", timeout=60)
    with caught.value:
        assert caught.value.code == 404


def test_http_actions_of_a_component_do_not_know_the_user(pushed: App):
    """The app's own would throw: the token is none."""
    request = urllib.request.Request(
        f"{pushed.served.url}/http/shop/who", headers={"Authorization": "Bearer no.token.at.all"}
    )
    with urllib.request.urlopen(request, timeout=30) as found:
        assert json.loads(found.read()) is None


def test_the_apps_own_routes_under_its_prefix_come_before_a_component_that_is_mounted_there(pushed: App):
    for path in ("/shop/exact", "/shop/files/a"):
        with urllib.request.urlopen(f"{pushed.served.url}/http{path}", timeout=60) as found:
            assert found.read().decode() == f"the app at {path}"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{pushed.served.url}/http/exact", timeout=60)
    with caught.value:
        assert (caught.value.code, b"does not have HTTP actions enabled" in caught.value.read()) == (404, True)


def test_export_and_import_of_components(pushed: App):
    assert pushed.convex("run", "app:sell", '{"name": "d"}').code == 0
    archive = pushed.export("whole.zip")
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
    folder = "_components/shop/_components/stock/"
    assert {f"{folder}counts/documents.jsonl", f"{folder}_tables/documents.jsonl", "counts/documents.jsonl"} <= names
    with served_app() as other:
        # Nothing was ever pushed there: the components are made, and are not mounted.
        ran = other.convex("import", "--replace-all", "-y", archive)
        assert ran.code == 0, ran.text
        again = other.export("again.zip")
        with zipfile.ZipFile(archive) as one, zipfile.ZipFile(again) as two:
            assert {name: one.read(name) for name in one.namelist()} == {
                name: two.read(name) for name in two.namelist()
            }
        other.write("rows.jsonl", '{"name": "e", "value": 1}\n')
        ran = other.convex("import", "--component", "other", "--table", "counts", "--replace", "-y", "rows.jsonl")
        assert ran.code == 0 and "counts in 'other'" in ran.text, ran.text
        ran = other.convex("data", "--component", "other", "counts", "--format", "jsonLines")
        assert [json.loads(line)["name"] for line in ran.out.splitlines() if line.startswith("{")] == ["e"]
        before = other.convex("data", "--component", "counter", "counts").out
        assert '"b"' in before or '"cron"' in before
        # The app is pushed now: what was imported is what it finds.
        shutil.copytree(SOURCES, other.path, dirs_exist_ok=True)
        other.push()
        assert other.convex("run", "--component", "other", "lib:value", '{"name": "e"}').out.strip() == "1"


# Pushes


def test_a_push_without_a_component_unmounts_it_and_keeps_its_data(pushed: App, tmp_path: Path):
    folder = tmp_path / "app"
    shutil.copytree(SOURCES, folder)
    with Served(tmp_path / "data") as served:
        app = App(folder, served)
        app.push()
        assert app.convex("run", "app:addOther", '{"name": "f", "by": 3}').code == 0
        config = (SOURCES / "convex/convex.config.ts").read_text()
        app.write("convex/convex.config.ts", config.replace('app.use(counter, { name: "other" });\n', ""))
        ran = app.push()
        assert "Unmounted component other." in ran.text or "Uninstalled component other." in ran.text, ran.text
        ran = app.convex("run", "--component", "other", "lib:value", '{"name": "f"}')
        assert ran.code != 0 and "Could not find function for 'lib:value' in 'other'" in ran.text
        assert '"f"' in app.convex("data", "--component", "other", "counts").out
        app.write("convex/convex.config.ts", config)
        app.push()
        assert app.convex("run", "--component", "other", "lib:value", '{"name": "f"}').out.strip() == "3"
        # Documents of a component are held against its schema, too.
        schema = (SOURCES / "counter/schema.ts").read_text()
        app.write("counter/schema.ts", schema.replace("value: v.number()", "value: v.string()"))
        ran = app.convex("dev", "--once", "--typecheck", "disable")
        assert ran.code != 0 and 'in table "counts" does not match the schema' in ran.text, ran.text


CIRCLE = """
import { defineComponent } from "convex/server";
import NAME from "../NAME/convex.config";
const component = defineComponent("OWN");
component.use(NAME);
export default component;
"""


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {
                "one/convex.config.ts": CIRCLE.replace("NAME", "two").replace("OWN", "one"),
                "two/convex.config.ts": CIRCLE.replace("NAME", "one").replace("OWN", "two"),
                "convex/convex.config.ts": 'import { defineApp } from "convex/server";\n'
                'import one from "../one/convex.config";\nconst app = defineApp();\napp.use(one);\n'
                "export default app;\n",
            },
            "Found cyclic definition dependency",
        ),
        ({"convex/convex.config.ts": ('"other"', '"counter"')}, "multiple child components with the same name"),
        ({"convex/convex.config.ts": ('"other"', '"no-name"')}, "can't name a component"),
        ({"convex/convex.config.ts": ('CURRENCY: "EUR", ', "")}, 'missing required env var "CURRENCY"'),
        ({"convex/convex.config.ts": ("app.env.KEY }", 'app.env.KEY, MORE: "x" }')}, 'has no env var named "MORE"'),
        ({"shop/http.ts": None}, "doesn't have any HTTP routes"),
        ({"counter/convex.config.ts": ('defineComponent("counter")', "{}")}, "missing `export` property"),
        ({"counter/lib.ts": ("import { v }", 'throw new Error("no such counter");\nimport { v }')}, "no such counter"),
    ],
)
def test_a_push_that_can_not_be_is_refused(pushed: App, files: dict[str, Any], said: str):
    written = []
    try:
        for name, change in files.items():
            source = SOURCES / name
            written.append(name)
            if change is None:
                (pushed.path / name).unlink()
            else:
                pushed.write(name, change if isinstance(change, str) else source.read_text().replace(*change))
        ran = pushed.convex("dev", "--once", "--typecheck", "disable")
    finally:
        for name in written:
            if (SOURCES / name).exists():
                shutil.copy(SOURCES / name, pushed.path / name)
            else:
                (pushed.path / name).unlink()
    assert ran.code != 0 and said in ran.text, ran.text


def test_a_component_serves_on_after_a_restart(pushed: App):
    assert pushed.convex("run", "app:add", '{"name": "g", "by": 1}').code == 0
    pushed.served.stop()
    pushed.served.start()
    assert pushed.convex("run", "app:value", '{"name": "g"}').out.strip() == "1"
    wait_until(lambda: pushed.convex("data", "--component", "counter", "_cron_jobs").code == 0)


# Components from npm


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a deployment with three of Convex's own components."""
    target = tmp_path_factory.mktemp("packages") / FILE
    with served_app() as app:
        shutil.copytree(PACKAGES, app.path, dirs_exist_ok=True)
        app.push()
        return copied(app.served.data / FILE, target)


@pytest.fixture
def packaged(packages: Path, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of the test's own with those components."""
    shutil.copy(packages, tmp_path / FILE)
    with Deployment(tmp_path / FILE) as deployment:
        yield deployment


def test_the_rate_limiter(packaged: Deployment):
    signed = [packaged.run("use:limit", {"name": "signUp", "key": "a"}) for _ in range(3)]
    assert signed == [True, True, False]
    assert packaged.run("use:limit", {"name": "signUp", "key": "b"}) is True
    sent = [packaged.run("use:limit", {"name": "send", "key": "a"}) for _ in range(4)]
    assert sent == [True, True, True, False]
    with pytest.raises(FunctionFailed) as caught:
        packaged.run("use:limitOrThrow", {"name": "signUp", "key": "a"})
    assert isinstance(caught.value.data, dict) and caught.value.data["kind"] == "RateLimited"
    assert packaged.count("users") == 0
    packaged.run("use:reset", {"name": "signUp", "key": "a"})
    assert packaged.run("use:limit", {"name": "signUp", "key": "a"}) is True
    packaged.advance(3600)
    assert packaged.run("use:limit", {"name": "send", "key": "a"}) is True


def test_the_sharded_counter(packaged: Deployment):
    for by in range(10):
        packaged.run("use:count", {"name": "a", "by": by})
    packaged.run("use:count", {"name": "b", "by": -1})
    assert packaged.run("use:counted", {"name": "a"}) == 45 and packaged.run("use:counted", {"name": "b"}) == -1


def test_migrations(packaged: Deployment):
    for name in "abcde":
        packaged.run("use:addUser", {"name": name})
    packaged.run("migrations:run", {"fn": "migrations:shout"})
    while packaged.run_scheduled():
        pass
    assert sorted(str(user["shout"]) for user in packaged.documents("users")) == list("ABCDE")
    (status,) = packaged.run("migrations:status")  # type: ignore[misc]
    assert status["isDone"] is True and status["processed"] == 5
