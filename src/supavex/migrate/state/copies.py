"""The records of copies with which proofs compare: for each target's table, the snapshot and the rejects of its import.

There is one file for each target, which follows its imports table by table, and one for each archive, which is
identified by its content. A run that imports nothing, or into another target, changes none of them.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from supavex.errors import UsageError
from supavex.files import owner_only, whole_file
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.old_state import old_state
from supavex.migrate.state.rejects import Reject
from supavex.postgres.snapshot import Snapshot
from supavex.postgres.visibility import Visibility

#: The first line of each file has this version.
_VERSION = 3
#: The number of archives whose records are kept, the last ones.
_ARCHIVES = 20


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """The record of copies.

    ``seen``: by source table, the transactions that its snapshot saw. ``rejects``: the rejected rows; a table whose
    rejects are unknown is not in ``seen``. ``snapshot``: the snapshot, which may still be held.
    """

    seen: Mapping[str, Visibility] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class CopyRecords:
    """The files of records, in ``folder``."""

    folder: Path

    def of_target(self, target: str) -> Path:
        """The file of a deployment, by its name as in :func:`~supavex.convex_cli.targets.deployment_of`."""
        return self.folder / f"{name_of(target)}.jsonl"

    def of_archive(self, archive: Path) -> Path | None:
        """The file of an archive, by its content; None if it is not an archive."""
        try:
            with zipfile.ZipFile(archive) as opened:
                entries = sorted((entry.filename, entry.CRC, entry.file_size) for entry in opened.infolist())
        except (OSError, zipfile.BadZipFile):
            return None
        return self.folder / "archives" / f"{hashlib.sha256(repr(entries).encode()).hexdigest()[:32]}.jsonl"

    def newest(self) -> Path | None:
        """The file that was written last."""
        files = [*self.folder.glob("*.jsonl"), *self.folder.glob("archives/*.jsonl")]
        return max(files, key=lambda path: path.stat().st_mtime_ns, default=None)

    def keep(self, path: Path, taken: Iterable[str], copied: CopyRecord) -> None:
        """Records that the source tables ``taken`` have the copy ``copied``. Other tables keep their records."""
        taken = set(taken)
        before = CopyRecord()
        with suppress(UsageError):  # A damaged file is replaced.
            before = self.read(path) if path.is_file() else before
        seen = {name: visibility for name, visibility in before.seen.items() if name not in taken}
        seen |= {name: visibility for name, visibility in copied.seen.items() if name in taken}
        rejects = [reject for reject in before.rejects if reject.table not in taken]
        rejects += [reject for reject in copied.rejects if reject.table in taken]
        with whole_file(path) as file:
            file.write(json.dumps({"version": _VERSION}) + "\n")
            for name, visibility in sorted(seen.items()):
                file.write(json.dumps({"source": name, "visibility": visibility.to_json()}, ensure_ascii=False) + "\n")
            for reject in rejects:
                file.write(json.dumps({"rejected": reject.to_json()}, ensure_ascii=False) + "\n")
        if path.parent.name == "archives":
            kept = sorted(path.parent.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
            for old in kept[:-_ARCHIVES]:
                old.unlink(missing_ok=True)

    def read(self, path: Path) -> CopyRecord:
        """The record in a file. Raises :class:`~supavex.errors.UsageError` if it is damaged, or of another version."""
        seen: dict[str, Visibility] = {}
        rejects: list[Reject] = []
        with open(path, encoding="utf-8", opener=owner_only) as file:
            for number, line in enumerate(file, start=1):
                try:
                    data = json.loads(line)
                    if number == 1 and data.get("version") != _VERSION:
                        raise old_state(path, "run supavex migrate again")
                    if number == 1:
                        continue
                    if "rejected" in data:
                        rejects.append(Reject.from_json(data["rejected"]))
                    elif (visibility := Visibility.from_json(data["visibility"])) is not None:
                        seen[str(data["source"])] = visibility
                except (ValueError, TypeError, KeyError, AttributeError):
                    hint = "Run supavex migrate again; it writes the file anew."
                    where = f"{path}:{number}"
                    raise UsageError("InvalidCopied", "the file is damaged.", where=where, hint=hint) from None
        return CopyRecord(seen, rejects)
