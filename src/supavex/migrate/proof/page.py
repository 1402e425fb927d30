"""The proof as one HTML file, to be attached to a ticket: no scripts, nothing fetched, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

from supavex.migrate.proof.findings import LISTED, Proof, TableProof
from supavex.migrate.state.rejects import Reject
from supavex.text import counted, duration
from supavex.version import __version__

#: Characters of a value that are shown.
_SHOWN = 600
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_VERDICTS = {
    "proven": ("good", "Proven", "Every row and every field of the source is in the target, and nothing else is."),
    "proven for what the files gave": (
        "good",
        "Proven for what the files gave",
        "Every row and every field of the source is in the target, and nothing else is; but the files did not give all "
        "of the source.",
    ),
    "changed since the copy": (
        "changed",
        "Changed since the copy",
        "What was not written since the copy is equal. The rows listed below were written after it had read; they are "
        "not in the target as they are now. Run supavex migrate again once the app has stopped writing.",
    ),
    "not proven": ("wrong", "Not proven", "Source and target differ. What differs is listed below."),
    "sample equal": ("sample", "Sample equal: this is no proof", "Only some rows of each table were compared."),
    "sample differs": (
        "wrong",
        "The sample differs",
        "Only some rows of each table were compared; what differs is below.",
    ),
}
_KINDS = (
    ("matched", "equal"),
    ("rejected", "rejected, with a reason"),
    ("changed", "changed since"),
    ("wrong", "wrong"),
)


@dataclass(frozen=True, slots=True)
class About:
    """The description of the project for the page. ``source`` and ``target`` hold no password."""

    project: str
    source: str
    target: str


def proof_page(proof: Proof, about: About, rejects: Iterable[Reject] = ()) -> str:
    """The page. ``rejects``: the rows that the copy rejected, with their reasons."""
    kind, title, meaning = _VERDICTS[proof.verdict]
    if proof.ok and not proof.sampled and any(table.rejected for table in proof.tables):
        whole = "Every row and every field of the source is in the target"
        meaning = meaning.replace(whole, "Every row but the rejected ones is in the target, in every field")
    style = resources.files("supavex.migrate.proof").joinpath("page.css").read_text(encoding="utf-8")
    by_table: dict[str, list[Reject]] = {}
    for reject in rejects:
        by_table.setdefault(reject.table, []).append(reject)
    sums = {name: sum(_counts(table)[name] for table in proof.tables) for name, _ in _KINDS}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_text(f'{title}: {about.project}')}</title><style>{style}</style></head><body><main>",
        f'<header class="verdict {kind}"><p class="project">{_text(about.project)}</p><h1>{_text(title)}</h1>',
        f"<p>{_text(meaning)}</p>{_remarks(proof)}</header>",
        _facts(proof, about, sums),
        '<section class="all">',
        _bar(sums, "all tables"),
        _legend(sums),
        "</section>",
        "<h2>Tables</h2>",
        _tables(proof.tables),
    ]
    detailed = [_details(table, by_table.get(table.source, [])) for table in proof.tables]
    if proof.store is not None:
        detailed.append(_details(proof.store.found, []))
    if any(detailed):
        parts += ["<h2>Rows</h2>", *detailed]
    parts += [_method(proof), "</main></body></html>"]
    return "\n".join(part for part in parts if part) + "\n"


def _remarks(proof: Proof) -> str:
    """The parts of the source that the proof does not cover."""
    if not proof.remarks:
        return ""
    items = "".join(f"<li>{_text(remark)}</li>" for remark in proof.remarks)
    return f"<p>Of the source's files:</p><ul>{items}</ul><p>supavex check lists them.</p>"


def _counts(table: TableProof) -> dict[str, int]:
    """The numbers of a table's rows by result. Documents without a row are counted as wrong."""
    extra = sum(table.counts[kind] for kind in ("extra document", "deleted or extra"))
    wrong = max(0, table.rows - table.matched - table.rejected - table.changed) + extra
    # A broken rule belongs to no row, but the bar has to show it.
    wrong = max(wrong, 1 if table.wrong else 0)
    return {"matched": table.matched, "rejected": table.rejected, "changed": table.changed, "wrong": wrong}


def _facts(proof: Proof, about: About, sums: Mapping[str, int]) -> str:
    rows = sum(table.rows for table in proof.tables)
    facts = [
        ("Source", about.source),
        ("Target", about.target),
        ("Compared as of", proof.taken_at),
        *([("Copied as of", proof.copied_at)] if proof.copied_at is not None else []),
        ("Tables", f"{len(proof.tables):,}"),
        ("Rows read again", f"{rows:,}" + (f" (a sample: up to {proof.sampled:,} a table)" if proof.sampled else "")),
        ("Fields compared", f"{sum(table.fields for table in proof.tables):,}"),
        ("Rejected by the copy", f"{sums['rejected']:,}"),
        ("Changed since the copy", f"{proof.changed:,}"),
        ("NULLs filled", f"{proof.filled:,}"),
        ("Differences", f"{proof.wrong:,}"),
        *([] if proof.store is None else [("Index entries compared", f"{proof.store.entries:,}")]),
        ("Time", duration(proof.seconds)),
    ]
    items = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{items}</dl>'


def _bar(counts: Mapping[str, int], name: str) -> str:
    """A bar of a table's rows by result. Every result with at least one row is visible."""
    total = sum(counts.values())
    said = ", ".join(f"{counts[kind]:,} {label}" for kind, label in _KINDS if counts[kind]) or "no rows"
    width, least, start = 1000.0, 12.0, 0.0
    there = [kind for kind, _ in _KINDS if counts[kind]]
    small = [kind for kind in there if counts[kind] / total * width < least]
    left = width - least * len(small)
    large = sum(counts[kind] for kind in there if kind not in small)
    pieces = []
    for kind in there:
        size = least if kind in small else counts[kind] / large * left
        pieces.append(f'<rect class="{kind}" x="{start:.1f}" y="0" width="{size:.1f}" height="16"/>')
        start += size
    if not pieces:
        pieces = ['<rect class="none" x="0" y="0" width="1000" height="16"/>']
    label = _text(f"{name}: {said}")
    box = 'viewBox="0 0 1000 16" preserveAspectRatio="none"'
    return f'<svg role="img" {box}><title>{label}</title>{"".join(pieces)}</svg>'


def _legend(counts: Mapping[str, int]) -> str:
    items = "".join(
        f'<li><span class="key {kind}"></span>{counts[kind]:,} {_text(label)}</li>' for kind, label in _KINDS
    )
    return f'<ul class="legend">{items}</ul>'


def _tables(tables: Sequence[TableProof]) -> str:
    head = (
        "<tr><th>source</th><th>target</th><th class=picture></th><th>rows</th><th>equal</th><th>rejected</th>"
        "<th>changed</th><th>differences</th><th>fields</th></tr>"
    )
    rows = []
    for table in tables:
        numbers = (table.rows, table.matched, table.rejected, table.changed, table.wrong, table.fields)
        classes = ("", "", "rejected", "changed", "wrong", "")
        labels = ("rows", "equal", "rejected", "changed", "differences", "fields")
        cells = "".join(
            f'<td class="number{f" {kind}" if kind and number else ""}" data-label="{label}">{number:,}</td>'
            for number, kind, label in zip(numbers, classes, labels, strict=True)
        )
        name = _text(table.source.removeprefix("public."))
        rows.append(
            f'<tr><th scope="row"><code>{name}</code></th>'
            f'<td data-label="target"><code>{_text(table.target)}</code></td>'
            f"<td class=picture>{_bar(_counts(table), table.source)}</td>{cells}</tr>"
        )
    return f'<div class="wide"><table class="tables"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _details(table: TableProof, rejects: Sequence[Reject]) -> str:
    """The findings of a table: the first of each kind, with the number of further ones."""
    parts = []
    if table.mismatches:
        rows = [(m.key, m.column, m.source, m.target) for m in table.mismatches]
        title = "Different in source and target"
        parts.append(_list(title, ("key", "column", "source", "target"), rows, table.counts["mismatch"], "wrong"))
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for finding in table.findings:
        by_kind.setdefault(finding.kind, []).append((finding.key, finding.detail))
    for kind, found in by_kind.items():
        parts.append(_list(kind.capitalize(), ("key", "what"), found, table.counts[kind], "wrong"))
    if table.changes:
        changes = [(change.key, change.detail) for change in table.changes]
        parts.append(_list("Changed since the copy", ("key", "what"), changes, table.changed, "changed"))
    notes = [(column, f"{counted(n, 'NULL')} filled") for column, n in table.filled.items()]
    notes += [(c, f"{counted(n, 'row')} with a number that JSON.parse rounds") for c, n in table.rounded.items()]
    if notes:
        parts.append(_list("Not as it stood in the source", ("column", "what"), notes, len(notes), "matched"))
    if rejects:
        some = [(r.shown_key, why.column, why.reason, why.fix) for r in rejects[:LISTED] for why in r.reasons]
        headings = ("key", "column", "why", "fix")
        left = max(0, len(rejects) - LISTED)
        parts.append(_list("Rejected by the copy", headings, some, len(rejects), "rejected", left))
    if not parts:
        return ""
    title = f"<code>{_text(table.source)}</code> → <code>{_text(table.target)}</code>"
    return f"<section><h3>{title}</h3>{''.join(parts)}</section>"


def _list(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], count: int, kind: str, left: int | None = None
) -> str:
    """A table under a title. ``count``: of the findings. ``left``: those not in ``rows``, if one may have several."""
    left = count - len(rows) if left is None else left
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    prose = [heading in ("what", "why", "fix") for heading in headings]
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{_text(heading)}">{_value(cell, prose=p)}</td>'
            for cell, p, heading in zip(row, prose, headings, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    more = f"<p class=more>… and {left:,} more.</p>" if left > 0 else ""
    return (
        f'<h4><span class="key {kind}"></span>{_text(title)} ({count:,})</h4><div class="wide"><table class="list">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _method(proof: Proof) -> str:
    how = (
        "Source and target were read again, by another way than the copy's: the source as text under one snapshot, the "
        "target's documents decoded back to what PostgreSQL says. Every row and document is in a keyed 64-bit digest, "
        "summed by ranges of keys; rows of ranges that differ were compared one by one. References that lead nowhere, "
        "documents that no row stands for, and the unique constraints, rules and checks of the schema were looked for."
    )
    if proof.store is not None:
        how += (
            f" Every entry of the deployment's {proof.store.indexes:,} indexes was held against its "
            f"document, SQLite's {proof.store.sqlite_check} was asked, and the code of "
            f"{counted(proof.store.modules, 'module')} was held against its digest."
        )
    if proof.sampled is not None:
        how = f"At most {counted(proof.sampled, 'row')} of each table were compared, one by one: a look, and no proof."
    return f"<footer><p>{_text(how)}</p><p>supavex {_text(__version__)}: <code>supavex verify</code></p></footer>"


def _text(text: str) -> str:
    """Text for HTML. Invisible characters, and those that change the direction of text, are shown by number."""
    return escape(_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _value(text: str, *, prose: bool = False) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN]
    more = "" if shown is text else f" <em>… {len(text):,} characters</em>"
    return f"{_text(shown)}{more}" if prose else f"<code>{_text(shown)}</code>{more}"
