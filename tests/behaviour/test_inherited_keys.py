"""A key that is met in a table and in one that inherits from it."""

import json
from pathlib import Path

from tests import projects
from tests.projects import supavex

SCENARIO = Path(__file__).parents[1] / "scenarios/inherited_keys"


def test_the_reject_names_both_tables_the_key_and_the_way_out() -> None:
    with projects.folder() as folder:
        projects.write(folder, migrations={"1.sql": (SCENARIO / "setup.sql").read_text()})
        (folder / "schema.py").write_text((SCENARIO / "schema.py").read_text())
        assert supavex("migrate", "-C", folder, "--out", folder / "out.zip").code == 1
        lines = (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()
        rejects = [reject for line in lines if (reject := json.loads(line))["code"] == "DuplicateKey"]
        assert [(reject["table"], reject["key"], reject["column"]) for reject in rejects] == [
            ("public.cities", "2", "id")
        ] * 2
        for reject in rejects:
            assert reject["reason"].startswith("public.capitals and public.cities have a row with this key each")
            assert "Give all but one of these rows another key" in reject["fix"]
            assert "skip public.cities" in reject["fix"]
