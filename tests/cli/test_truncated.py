"""Texts that ``truncate`` cuts are counted, by column, among the rows that go."""

import shutil
from pathlib import Path

from tests import projects
from tests.projects import supavex

SCENARIO = Path(__file__).parents[1] / "scenarios/truncated"


def test_cut_texts_are_counted() -> None:
    with projects.folder() as folder:
        shutil.copytree(SCENARIO, folder, dirs_exist_ok=True)
        (folder / "supabase/migrations").mkdir(parents=True)
        (folder / "setup.sql").rename(folder / "supabase/migrations/1.sql")
        # Ten characters of two bytes are not too many; a rejected row's text is not cut, for it does not go.
        sql = (
            "INSERT INTO posts VALUES (5, repeat('é', 10), NULL, NULL), "
            "(6, repeat('x', 11), repeat('x', 1100000), 'abcd');"
        )
        (folder / "supabase/migrations/2.sql").write_text(sql)
        for options in ([], ["--workers", "2"]):
            ran = supavex(
                "migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "2", "--json", *options
            )
            assert ran.code == 0, ran.out + ran.err
            assert ran.json["tables"][0]["cut"] == {"body": 2, "code": 1}
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "2")
        assert "cut: 2 × public.posts.body, as truncate says.\ncut: 1 × public.posts.code" in ran.out
        # Tables without the rule have nothing more to read.
        (folder / "supavex.toml").write_text("max_rejects = 3")
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
        assert ran.json["tables"][0]["cut"] == {}
