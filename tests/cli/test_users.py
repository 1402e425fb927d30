"""``supavex users``: files for Clerk and for Convex Auth, and hashes only where they were asked for."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.migrate.users.report import UsersReport
from tests import projects
from tests.projects import supavex
from tests.users import ARGON2, HASH, ID, SQL

SCHEMA = """
from supavex.schema import auth_tables
schema = define_schema({
    **auth_tables(),
    "notes": define_table({"owner": v.optional(v.id("users")), "body": v.string()}).index("by_owner", ["owner"]),
})
"""
NOTES = f"""
CREATE TABLE notes (id uuid PRIMARY KEY, owner uuid REFERENCES auth.users (id), body text NOT NULL);
INSERT INTO notes SELECT gen_random_uuid(), id, 'of ' || id FROM auth.users;
INSERT INTO notes VALUES ('{ID(99)}', NULL, 'nobody''s');
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        toml = '[users]\nfor = "convex-auth"\n'
        yield projects.write(path, schema=SCHEMA, migrations={"1_users.sql": SQL, "2_notes.sql": NOTES}, toml=toml)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def holds_hash(path: Path) -> bool:
    """Whether a file, or what an archive unpacks to, holds a hash."""
    texts = [path.read_bytes()]
    if path.suffix == ".zip":
        with SnapshotArchive(path) as archive:
            texts += [line for table in archive.tables for line in archive.blocks(table)]
    return any(secret.encode() in text for text in texts for secret in (HASH, ARGON2, "fbscrypt"))


def test_for_clerk(folder: Path) -> None:
    ran = supavex("users", "--for", "clerk", "-C", folder, "--json")
    # Two have no way to sign in: they are listed, and the exit code says so.
    assert ran.code == 1, ran.err
    found = ran.json
    assert (found["users"], found["exported"], found["hashes"]) == (13, 9, 0)
    assert found["skipped"] == {"Anonymous": 1, "Deleted": 1, "EmailTaken": 1, "NoIdentifier": 1}
    assert found["remarks"] == {
        "BanWithEnd": 1,
        "MetadataTooLarge": 1,
        "OddMetadata": 1,
        "SsoUser": 1,
        "Unconfirmed": 1,
    }
    assert found["kinds"] == {
        "anonymous": 1, "banned": 2, "deleted": 1, "emailConfirmed": 9, "emailUnconfirmed": 1, "password": 5,
        "phoneOnly": 1, "socialOnly": 2, "sso": 2,
    }  # fmt: skip
    assert found["providers"] == {"azure": 1, "email": 3, "google": 1, "phone": 1, "sso:5d1f": 1}
    file = Path(found["file"])
    assert file == folder / ".supavex/users/clerk.json"
    written = json.loads(file.read_text())
    assert [user["userId"] for user in written] == [ID(n) for n in (1, 2, 3, 6, 7, 8, 12, 13, 11)]
    remarks = [json.loads(line) for line in Path(found["remarksFile"]).read_text().splitlines()]
    assert {(r["user"], r["code"]) for r in remarks} >= {(ID(9), "EmailTaken"), (ID(11), "MetadataTooLarge")}
    assert "example.com" not in Path(found["remarksFile"]).read_text() + ran.out + ran.err
    assert (mode(file), mode(Path(found["remarksFile"]))) == (0o600, 0o600)


@pytest.mark.parametrize("target", ["clerk", "convex-auth"])
def test_hashes_are_in_the_file_only_when_asked_for_and_nowhere_else(folder: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / f"users.{'json' if target == 'clerk' else 'zip'}"
    for flags in ([], ["--json"], ["--with-password-hashes"], ["--with-password-hashes", "--json"]):
        ran = supavex("users", "--for", target, "--out", out, "-C", folder, *flags)
        assert holds_hash(out) is ("--with-password-hashes" in flags)
        assert "$2a$" not in ran.out + ran.err
        assert "argon2" not in ran.out + ran.err
        assert mode(out) == 0o600
        others = [path for path in tmp_path.rglob("*") if path.is_file() and path != out]
        assert not any(map(holds_hash, others))
        if flags == []:
            assert "5 users with a password will have to set a new one" in ran.out
        if flags == ["--with-password-hashes"]:
            assert f"{2 if target == 'convex-auth' else 3} password hashes in the file" in ran.out
        if flags[-1:] == ["--json"]:
            assert ran.json["withPasswordHashes"] is (len(flags) == 2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == sorted([out.name, "users.remarks.jsonl"])


def test_for_convex_auth(folder: Path) -> None:
    ran = supavex("users", "-C", folder, "--json", "--with-password-hashes")
    # Two with a password have no identity that an account could be made of.
    assert ran.code == 1, ran.out + ran.err
    found = ran.json
    assert (found["for"], found["proven"], found["documents"]) == (
        "convex-auth",
        True,
        {"users": 13, "authAccounts": 7},
    )
    assert found["remarks"] == {
        "Anonymous": 1, "Banned": 2, "Deleted": 1, "EmailShared": 1, "NoIdentity": 2, "UnknownHash": 2,
    }  # fmt: skip


def test_nothing_else_shows_a_hash(folder: Path) -> None:
    """Neither what explains a row, nor a proof that finds a hash to be another one."""
    text = (folder / "supavex.toml").read_text()
    try:
        (folder / "supavex.toml").write_text(f"{text}password_hashes = true\n")
        outputs = [
            supavex("explain", name, "-C", folder, *flags)
            for name in ("users", "authAccounts")
            for flags in ([], ["--json"])
        ]
        assert all('"(hidden)"' in ran.out for ran in outputs)
        archive = folder / "with.zip"
        outputs.append(supavex("migrate", "--out", archive, "-C", folder))
        assert holds_hash(archive)
        assert mode(archive) == 0o600
        outputs.append(supavex("verify", archive, "-C", folder))
        assert outputs[-1].code == 0
        # The plan knows of no hashes now, and then of others.
        (folder / "supavex.toml").write_text(text)
        for flags in ([], ["--json"]):
            outputs.append(supavex("verify", archive, "-C", folder, *flags))
            assert (outputs[-1].code, "(hidden)" in outputs[-1].out) == (1, True)
        assert not any("$2a$" in ran.out + ran.err for ran in outputs)
        reports = [path for path in (folder / ".supavex/migration").iterdir() if path.is_file()]
        assert not any(map(holds_hash, reports))
    finally:
        (folder / "supavex.toml").write_text(text)


def test_the_move_with_users_is_proven_and_references_are_ids(folder: Path) -> None:
    for command in (["check", "--strict"], ["deploy"], ["migrate"], ["verify"]):
        ran = supavex(*command, "-C", folder)
        assert ran.code == 0, ran.out + ran.err
    with SnapshotArchive(folder / ".supavex/migration/snapshot.zip") as archive:
        users = {str(document["_id"]) for document in archive.documents("users")}
        owners = [document.get("owner") for document in archive.documents("notes")]
        secrets = [document for document in archive.documents("authAccounts") if "secret" in document]
    assert {owner for owner in owners if owner is not None} == users
    assert owners.count(None) == 1
    assert secrets == []


def test_the_loop_from_clerks_list_to_the_id_file(folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "clerk-users.json"
    exported = (1, 2, 3, 6, 7, 8, 11, 13)
    users = [{"id": f"user_{n}", "external_id": ID(n)} for n in (*exported, 77)]
    listed.write_text(json.dumps([*users, {"id": "user_new", "external_id": None}]))
    out = tmp_path / "clerk_ids.csv"
    ran = supavex("users", "--ids", listed, "--out", out, "-C", folder, "--json")
    assert ran.code == 1
    assert ran.json == {
        "ok": False, "file": str(out), "ids": 9, "withoutOldId": 1, "unknown": 1, "notMeant": 4, "missing": 1,
        "kept": 0, "dropped": 0, "listed": [ID(12)],
    }  # fmt: skip
    assert out.read_text().splitlines()[:3] == ["supabase_id,clerk_id", f"{ID(1)},user_1", f"{ID(2)},user_2"]
    shown = supavex("users", "--ids", listed, "--out", out, "-C", folder)
    assert f"missing: 1 user of auth.users that Clerk does not have: {ID(12)}" in shown.out

    # Lines that somebody added for an old user who is to be another one of Clerk's stay; those of nobody don't.
    with out.open("a") as file:
        file.write(f"{ID(12).upper()},user_1\n{ID(9)},user_gone\n")
    again = supavex("users", "--ids", listed, "--out", out, "-C", folder, "--json")
    assert (again.code, again.json["missing"], again.json["kept"], again.json["dropped"]) == (0, 0, 1, 1)
    assert f"{ID(12)},user_1" in out.read_text()
    assert "user_gone" not in out.read_text()
    before = out.read_text()
    (tmp_path / "none.json").write_text("[]")
    empty = supavex("users", "--ids", tmp_path / "none.json", "--out", out, "-C", folder, "--json")
    assert (empty.code, empty.json["error"]["code"]) == (2, "NoClerkUsers")
    assert out.read_text() == before
    (tmp_path / "none.json").unlink()

    # The file is what `ids` reads.
    listed.write_text(json.dumps([{"id": f"user_{n}", "external_id": ID(n)} for n in range(1, 14)]))
    assert supavex("users", "--ids", listed, "--out", folder / "clerk_ids.csv", "-C", folder).code == 0
    with projects.folder() as other:
        projects.write(
            other,
            schema=SCHEMA.replace('v.id("users")', "v.string()"),
            migrations={"1_users.sql": SQL, "2_notes.sql": NOTES},
            toml='[tables.notes.columns.owner]\nids = "clerk_ids.csv"\n',
        )
        (other / "clerk_ids.csv").write_bytes((folder / "clerk_ids.csv").read_bytes())
        assert supavex("migrate", "--out", other / "out.zip", "-C", other).code == 0
        with SnapshotArchive(other / "out.zip") as archive:
            owners = {document.get("owner") for document in archive.documents("notes")}
    assert owners == {None, *(f"user_{n}" for n in range(1, 14))}


def test_two_users_of_clerk_with_one_old_id_are_refused(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text(json.dumps([{"id": "user_1", "external_id": ID(1)}]))
    second.write_text(json.dumps([{"id": "user_2", "external_id": ID(1)}]))
    out = tmp_path / "ids.csv"
    assert supavex("users", "--ids", first, "--ids", first, "--out", out, "-C", folder, "--json").json["ids"] == 1
    before = out.read_text()
    ran = supavex("users", "--ids", first, "--ids", second, "--out", out, "-C", folder, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "IdTwice")
    assert out.read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.json", "2.json", "ids.csv"]


def test_what_scaffold_and_check_say_where_the_tables_are_not_in_the_schema_yet() -> None:
    with projects.folder() as path:
        toml = '[users]\nfor = "convex-auth"\n'
        projects.write(path, schema="schema = define_schema({})", migrations={"1.sql": SQL, "2.sql": NOTES}, toml=toml)
        assert supavex("scaffold", "-C", path).code == 0
        text = (path / "schema.py").read_text()
        assert 'v.id("users")' in text
        assert "encrypted_password" not in text
        findings = supavex("check", "-C", path, "--json").json["diagnostics"]
        hints = {d["where"]: d["hint"] for d in findings if d["code"] == "TableNotMapped"}
        assert set(hints) == {"auth.users", "auth.identities"}
        assert all("**auth_tables()" in hint for hint in hints.values())
        text = text.replace("import define_schema", "import auth_tables, define_schema")
        (path / "schema.py").write_text(text.replace("define_schema({", "define_schema({ **auth_tables(),", 1))
        assert supavex("check", "-C", path).code == 0


def test_misuse(folder: Path, tmp_path: Path) -> None:
    def code(*arguments: str | Path, where: Path = folder) -> str:
        ran = supavex("users", *arguments, "-C", where, "--json")
        assert ran.code == 2
        return str(ran.json["error"]["code"])

    assert code("--ids", tmp_path / "none.json") == "NoClerkList"
    assert code("--ids", tmp_path / "none.json", "--with-password-hashes") == "UnsupportedOption"
    with projects.folder() as other:
        projects.write(other, schema="schema = define_schema({})", migrations={"1.sql": "SELECT 1;"})
        assert code(where=other) == "NoTarget"
        assert code("--for", "convex-auth", where=other) == "NotConvexAuth"
        empty = supavex("users", "--for", "clerk", "-C", other, "--json")
        assert (empty.code, empty.json["users"]) == (0, 0)
        assert json.loads((other / ".supavex/users/clerk.json").read_text()) == []
        (other / "supavex.toml").write_text('[users]\nfor = "clerk"\npassword_hashes = true\n')
        assert code(where=other) == "InvalidConfig"
        (other / "supavex.toml").write_text('[users]\nfor = "auth0"\n')
        assert code(where=other) == "InvalidConfig"


def test_a_file_that_cannot_be_written_leaves_the_old_one(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "users.json"
    out.write_text("[\n]\n")
    (tmp_path / "users.remarks.jsonl.partial").mkdir()
    ran = supavex("users", "--for", "clerk", "--out", out, "-C", folder, "--json")
    assert (ran.code, ran.json["error"]["code"], out.read_text()) == (1, "CannotWrite", "[\n]\n")
    assert not (tmp_path / "users.json.partial").exists()


def test_a_leftover_that_others_can_read_is_not_written_on(folder: Path, tmp_path: Path) -> None:
    partial = tmp_path / "users.json.partial"
    partial.write_text("x")
    partial.chmod(0o644)
    with partial.open() as held:
        supavex("users", "--for", "clerk", "--out", tmp_path / "users.json", "-C", folder)
        assert held.read() == "x"
    assert mode(tmp_path / "users.json") == 0o600


def test_the_report_of_a_proof_that_failed_is_not_good() -> None:
    report = UsersReport("convex-auth", Path("a"), Path("b"), with_password_hashes=False, proven=False)
    assert not report.ok
