"""The app's functions with the proof's own: what is missing is said of the app, and not of the copy that is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from supavex.errors import SupavexError
from supavex.files import STATE_NAME
from supavex.rules.proof.bundling import made_bundle


@pytest.mark.parametrize("packages", [False, True])
def test_what_is_missing_is_missing_in_the_app(tmp_path: Path, packages: bool) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex/a.ts").write_text("export {};")
    if packages:
        (tmp_path / "node_modules/convex/bin").mkdir(parents=True)
        (tmp_path / "node_modules/convex/package.json").write_text('{"version": "1.0.0"}')
        (tmp_path / "node_modules/convex/bin/main.js").write_text("process.exit(3)")
    with pytest.raises(SupavexError) as caught:
        made_bundle(tmp_path)
    assert caught.value.code == ("NotGenerated" if packages else "NoConvexPackage")
    assert (caught.value.where or "").startswith(str(tmp_path))
    assert STATE_NAME not in (caught.value.where or "") + caught.value.message
    assert not (tmp_path / STATE_NAME / "rules-app").exists()
