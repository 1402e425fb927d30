"""The pytest plugin: an app's Convex functions in Python tests, with a fresh deployment for each test.

It does nothing, and imports nothing of supavex, until a test uses one of its fixtures. See docs/testing.md.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from supavex.deployment import Deployment
    from supavex.deployment.functions.bundle import Bundle
    from supavex.errors import SupavexError

#: Seconds that a session waits for another one that bundles the same app.
_WAIT_SECONDS = 600.0
#: Bundles that are kept for later sessions, one for each state of the app, such as a branch.
_KEPT = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers the settings and the option."""
    parser.addini("supavex_app", "The folder of the app, with convex/ in it. Default: by supavex.toml, else rootdir.")
    parser.addini("supavex_snapshot", "A snapshot archive (ZIP) that each deployment holds. Default: none.")
    parser.addini("supavex_environment", "NAME=value, one a line: the functions' environment variables.", "linelist")
    group = parser.getgroup("supavex")
    group.addoption("--supavex-push", action="store_true", help="Bundle the app anew, even if a bundle was kept.")


@pytest.fixture(scope="session")
def convex_app(pytestconfig: pytest.Config) -> Path:
    """The app's folder, the one that holds ``convex/`` and ``package.json``."""
    from supavex.errors import SupavexError
    from supavex.settings.reading import load_settings
    from supavex.settings.settings import CONFIG_NAME

    root = pytestconfig.rootpath
    name = str(pytestconfig.getini("supavex_app"))
    if name:
        return root / name
    if (root / CONFIG_NAME).is_file():
        try:
            return load_settings(root).convex_folder.parent
        except SupavexError as error:
            raise _failed(error) from None
    return root


@pytest.fixture(scope="session")
def convex_environment(pytestconfig: pytest.Config) -> Mapping[str, str]:
    """The environment variables of each deployment, by name."""
    found = {}
    for line in pytestconfig.getini("supavex_environment"):
        name, equals, value = str(line).partition("=")
        if not equals:
            pytest.fail(f"supavex_environment: {name!r} is not NAME=value.", pytrace=False)
        found[name.strip()] = value.strip()
    return found


@pytest.fixture(scope="session")
def convex_snapshot(pytestconfig: pytest.Config) -> Path | None:
    """A snapshot archive whose documents each deployment gets, or None. Override it to make one."""
    name = str(pytestconfig.getini("supavex_snapshot"))
    return pytestconfig.rootpath / name if name else None


@pytest.fixture(scope="session")
def _convex_templates(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    kept = pytestconfig.rootpath / ".supavex" / "pytest"
    return Templates(tmp_path_factory.mktemp("convex"), kept, again=bool(pytestconfig.getoption("supavex_push")))


@pytest.fixture
def convex_deployment(
    _convex_templates: Templates,
    convex_app: Path,
    convex_environment: Mapping[str, str],
    convex_snapshot: Path | None,
) -> Iterator[Deployment]:
    """A deployment for one test: the app's schema and functions, and the documents of ``convex_snapshot``."""
    with _convex_templates.fresh(convex_app, convex_environment, convex_snapshot) as deployment:
        yield deployment


class Templates:
    """Deployments that a session makes once for each app, environment and snapshot, and copies for each test.

    Convex's own CLI bundles the app. The bundle is kept in ``kept``, so that a later session needs no Node.
    """

    def __init__(self, folder: Path, kept: Path, *, again: bool) -> None:
        self._folder, self._kept, self._again = folder, kept, again
        self._bundles: dict[Path, Bundle] = {}
        self._made: dict[object, Path | SupavexError] = {}
        self._numbers = itertools.count(1)

    @contextmanager
    def fresh(self, app: Path, environment: Mapping[str, str], snapshot: Path | None) -> Iterator[Deployment]:
        """An open copy, which is removed when the block ends."""
        from supavex.deployment import Deployment
        from supavex.errors import SupavexError

        key = (app, tuple(sorted(environment.items())), snapshot)
        if key not in self._made:
            try:
                self._made[key] = self._make(app, environment, snapshot)
            except SupavexError as error:
                # The error is kept as well, so that other tests fail at once.
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, SupavexError):
            raise _failed(made)
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        try:
            file = shutil.copyfile(made, folder / "deployment.sqlite3")
            with Deployment(file, durable=False) as deployment:
                yield deployment
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, app: Path, environment: Mapping[str, str], snapshot: Path | None) -> Path:
        from supavex.deployment import Deployment

        if app not in self._bundles:
            self._bundles[app] = _bundle(app, environment, self._kept, again=self._again)
        file = self._folder / f"template-{next(self._numbers)}.sqlite3"
        with Deployment(file, durable=False) as deployment:
            if snapshot is not None:
                # The snapshot comes first, so that its tables get its numbers. Then all documents are checked against
                # the schema.
                deployment.load(snapshot)
            self._bundles[app].install(deployment)
            deployment.set_environment(environment)
            # Moves all data into the one file that is copied.
            deployment.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file


def _bundle(app: Path, environment: Mapping[str, str], folder: Path, *, again: bool) -> Bundle:
    """The app's bundle: the one beside ``convex/``, one that an earlier session left in ``folder``, or a new one."""
    import hashlib
    import json

    from supavex.convex_cli.bundling import BUNDLE_NAME, bundle_app, inputs_of, stale_because
    from supavex.deployment.functions.bundle import read_bundle
    from supavex.errors import SupavexError

    inputs = inputs_of(app)
    committed, why = app / BUNDLE_NAME, None
    if committed.is_file() and not again:
        bundle = read_bundle(committed)
        why = stale_because(bundle, app, inputs)
        if why is None:
            return bundle
    name = hashlib.sha256(json.dumps([str(app.resolve()), inputs], sort_keys=True).encode()).hexdigest()[:32]
    kept = folder / f"{name}.json"
    with _locked(folder):
        if kept.is_file() and not again:
            with suppress(SupavexError):  # An unreadable bundle is made again.
                bundle = read_bundle(kept)
                if stale_because(bundle, app, inputs) is None:
                    return bundle
        try:
            bundle = bundle_app(app, environment)
        except SupavexError as error:
            if why is not None:
                error.add_note(f"{committed} can't be used: {why}.")
            raise
        partial = kept.with_suffix(".partial")
        partial.write_text(bundle.text(), encoding="utf-8")
        partial.replace(kept)
        for old in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            old.unlink()
    return bundle


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds ``folder``, so that of concurrent sessions (pytest-xdist has one for each worker) one bundles the app."""
    from supavex.errors import UsageError
    from supavex.files import held

    def busy(_holder: str) -> SupavexError:
        return UsageError("SessionHeld", "another session bundles the app, and does not end.", where=str(folder))

    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            stack.enter_context(held(folder / "lock", busy, wait_seconds=_WAIT_SECONDS))
        except OSError as error:
            message = f"bundled functions can't be kept: {error.strerror}."
            raise UsageError("CannotWrite", message, where=str(folder)) from None
        yield


def _failed(error: SupavexError) -> BaseException:
    """An error of supavex in a form that pytest shows without a traceback."""
    where = f" {error.where}:" if error.where else ""
    lines = [f"supavex[{error.code}]{where} {error.message}", error.hint or "", *getattr(error, "__notes__", [])]
    return pytest.fail.Exception("\n".join(filter(None, lines)), pytrace=False)
