"""Bundles the app with the proof's own functions, by Convex's CLI in a temporary copy."""

from __future__ import annotations

import hashlib
import shutil
from importlib import resources
from pathlib import Path

from supavex.convex_cli.bundling import BUNDLE_NAME, bundle_app, convex_folder_of, inputs_of, stale_because
from supavex.convex_cli.cli import official_program
from supavex.deployment.functions.bundle import Bundle, read_bundle
from supavex.errors import SupavexError
from supavex.files import STATE_NAME, own_folder
from supavex.rules.proof.convex import MODULE

#: The name of the bundle with the proof's functions, beside the app's own.
PROOF_BUNDLE = "rules.bundle.json"


def _module() -> str:
    return resources.files("supavex.rules.proof").joinpath(f"{MODULE}.ts").read_text(encoding="utf-8")


def bundle_with_proof(app: Path, *, rules: bool) -> Bundle:
    """The app's functions, and with ``rules`` the proof's functions: a kept bundle, or a new one.

    A new one takes seconds and needs Node. Raises the error of Convex's CLI if the app does not compile.
    """
    folder = convex_folder_of(app)
    text = _module()
    inputs = dict(inputs_of(app))
    if rules:
        name = (folder / f"{MODULE}.ts").relative_to(app).as_posix()
        inputs[name] = hashlib.sha256(text.encode()).hexdigest()
    kept = app / (PROOF_BUNDLE if rules else BUNDLE_NAME)
    if kept.is_file():
        bundle = read_bundle(kept)
        own = {name: hash_ for name, hash_ in inputs.items() if name in bundle.inputs or name.startswith(folder.name)}
        if stale_because(bundle, app, own) is None:
            return bundle
    return made_bundle(app, rules=rules)


def made_bundle(app: Path, *, rules: bool = True) -> Bundle:
    """A new bundle of a copy of the app."""
    folder = convex_folder_of(app)
    official_program(app)
    # Inside of the app: names of shared code say where its packages lie from here, and are the same each time.
    scratch = own_folder(app / STATE_NAME) / "rules-app"
    shutil.rmtree(scratch, ignore_errors=True)
    copy = scratch / "app"
    try:
        copy.mkdir(parents=True)
        for path in app.iterdir():
            if path.is_file() and path.suffix == ".json" and path.name not in (BUNDLE_NAME, PROOF_BUNDLE):
                shutil.copy(path, copy)
        shutil.copytree(folder, copy / folder.relative_to(app), ignore=shutil.ignore_patterns("node_modules"))
        for name in inputs_of(app):
            # What the functions import of the app from beside their folder: shared code, and components.
            if not name.startswith("../") and not (copy / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(app / name, copy / name)
        packages = next((f / "node_modules" for f in (app, *app.parents) if (f / "node_modules").is_dir()), None)
        if packages is not None:
            (copy / "node_modules").symlink_to(packages.resolve())
        if rules:
            (copy / folder.relative_to(app) / f"{MODULE}.ts").write_text(_module(), encoding="utf-8")
        return bundle_app(copy)
    except SupavexError as error:
        # What is missing is missing in the app, whose copy this is.
        error.where = error.where and error.where.replace(str(copy), str(app))
        error.message = error.message.replace(str(copy), str(app))
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
