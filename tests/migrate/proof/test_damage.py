"""Documents that can't be read are findings with their place, and hide nothing else."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.damage import DamagedDocument
from supavex.deployment import Deployment
from supavex.deployment.transfer.exporting import export_snapshot
from tests.projects import supavex


def proof(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    ran = supavex("verify", "-C", folder, "--json", *arguments)
    assert ran.code == 1, ran.err
    return {table["target"]: table for table in ran.json["tables"]}


BODIES = [
    ("'{\"_id\":'", "not JSON"),
    ("CAST(x'7b225f6964223a22ff227d' AS TEXT)", "not UTF-8"),
    ("CAST(body AS BLOB)", "a BLOB, not a text"),
    ("substr(body, 1, length(body) - 9)", "not JSON"),
    ("'[1]'", "not a JSON object"),
    ("'{}'", "no _id"),
    ('replace(body, \'{\', \'{"x":{"$integer":"?"},\')', "not a Convex value"),
]


@pytest.mark.parametrize(("body", "problem"), BODIES, ids=[problem for _, problem in BODIES])
def test_a_damaged_body_is_a_finding_with_its_place(moved: Path, file: Path, body: str, problem: str) -> None:
    with Deployment(file) as deployment:
        storage = deployment.store.tables()["articles"].storage
        ids = [document["_id"] for document in deployment.documents("articles")]
        other = next(deployment.documents("webinars"))
        changed = {key: value for key, value in other.items() if not key.startswith("_")}
        deployment.replace(other["_id"], changed | {"title": "Other"})
        deployment.store.connection.execute(f"UPDATE documents_{storage} SET body = {body} WHERE row = 2")
    tables = proof(moved)
    (finding,) = tables["articles"]["findings"]
    assert tables["articles"]["counts"] == {"damaged document": 1}
    assert finding["kind"] == "damaged document"
    assert finding["key"] in ids
    assert problem in finding["detail"]
    assert "row 2" in finding["detail"]
    assert tables["articles"]["matched"] == len(ids) - 1
    assert tables["webinars"]["counts"] == {"mismatch": 1}, "the rest is compared"


def test_the_export_of_a_damaged_deployment_names_the_document(file: Path, tmp_path: Path) -> None:
    with Deployment(file) as deployment:
        table = deployment.store.tables()["articles"]
        deployment.store.connection.execute(f"UPDATE documents_{table.storage} SET body = '{{' WHERE row = 2")
        (id_,) = [found.id for found in _damaged(deployment) if found.id is not None]
        with pytest.raises(DamagedDocument) as caught:
            export_snapshot(deployment, tmp_path / "export.zip")
    assert caught.value.where == f"articles {id_} row 2"


def _damaged(deployment: Deployment) -> list[Any]:
    found: list[Any] = []
    assert list(deployment.documents("articles", found.append))
    return found


def _with_line(archive: Path, table: str, change: Callable[[list[str]], list[str]], out: Path) -> Path:
    """The archive with the lines of a table changed."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == f"{table}/documents.jsonl":
                data = "\n".join(change(data.decode().splitlines())).encode()
            target.writestr(name, data)
    return out


def _integer(lines: list[str]) -> list[str]:
    document = json.loads(lines[0])
    return [json.dumps(document | {"title": {"$integer": "?"}}), *lines[1:]]


LINES: dict[str, tuple[Callable[[list[str]], list[str]], bool]] = {
    "an integer that is none": (_integer, True),
    "an array": (lambda lines: ["[1]", *lines[1:]], False),
    "cut": (lambda lines: [*lines[1:], lines[0][:-9]], True),
    "no id": (lambda lines: ['{"_creationTime":1.0}', *lines[1:]], False),
    "an id that is none": (lambda lines: [lines[0].replace('"_id":"', '"_id":"?'), *lines[1:]], False),
    "an id that stands twice": (lambda lines: [lines[0], *lines], True),
}


@pytest.mark.parametrize("kind", LINES)
def test_an_odd_line_of_an_archive_is_a_finding(moved: Path, tmp_path: Path, kind: str) -> None:
    change, has_id = LINES[kind]
    archive = moved / ".supavex/migration/snapshot.zip"
    odd = _with_line(archive, "articles", change, tmp_path / "odd.zip")
    tables = proof(moved, odd, "--rejects", moved / ".supavex/migration/rejects.jsonl")
    articles = tables["articles"]
    assert articles["counts"]["damaged document"] == 1
    (finding,) = [found for found in articles["findings"] if found["kind"] == "damaged document"]
    assert "documents.jsonl" in finding["detail"]
    assert (finding["key"] == "(no id)") != has_id or kind == "an id that is none"
    assert articles["counts"].get("missing document", 0) == (0 if has_id else 1)
    assert articles["matched"] == articles["rows"] - (0 if kind == "an id that stands twice" else 1)
    assert not tables["webinars"]["counts"], "the rest is compared"


def test_an_entry_that_its_checksum_does_not_fit_is_a_finding(moved: Path, tmp_path: Path) -> None:
    archive, odd = moved / ".supavex/migration/snapshot.zip", tmp_path / "odd.zip"
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo("articles/documents.jsonl")
    directory = data.rindex(entry.filename.encode())
    # In the central directory, the checksum stands 30 bytes before the name; 14 behind the local header's beginning.
    for place in (directory - 30, entry.header_offset + 14):
        data[place] ^= 1
    odd.write_bytes(data)
    tables = proof(moved, odd, "--rejects", moved / ".supavex/migration/rejects.jsonl")
    assert tables["articles"]["counts"] == {"damaged document": 1}
    assert "CRC" in tables["articles"]["findings"][0]["detail"]
    assert not tables["webinars"]["counts"], "the rest is compared"
