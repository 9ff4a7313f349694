"""The tables: all servers at a glance, then one per workload with figures down and servers across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.kinds import BASELINE, KINDS, OURS, PEERS
from benchmarks.results import Figure, Results, ServerResult, WorkloadResult
from benchmarks.stats import Spread, advantage, is_difference

BUSY_CORES = 0.1
SUMMARIES = {
    "rate": "Requests per second",
    "cpu": "CPU ms per request, of all processes of the server",
    "statements": "SQL statements per request, BEGIN and COMMIT apart",
    "p99": "p99, ms",
}
"""The figures of the tables at a glance."""


def table(workload: WorkloadResult) -> Table:
    """Return a workload's table for the terminal."""
    head, *rows = lines(workload)
    made = Table(title=workload.title, title_justify="left", caption_justify="left")
    made.caption = "\n".join(notes(workload))
    for number, title in enumerate(head):
        made.add_column(title, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def markdown(results: Results) -> str:
    """Return all tables as one Markdown text, with what they were measured on."""
    versions = "".join(
        f"* {KINDS[name].title}: {', '.join(f'{package} {version}' for package, version in found.items())}\n"
        for name, found in results.versions.items()
    )
    parts = [f"{described(results)}\n", versions, *summaries(results.workloads)]
    for workload in results.workloads:
        parts.append(f"### {workload.name}\n\n{workload.title}\n")
        parts.append(as_markdown(lines(workload)))
        parts.append("".join(f"* {note}\n" for note in notes(workload)))
    return "\n".join(filter(None, parts))


def described(results: Results) -> str:
    """Return a line on machine, commit, time and settings."""
    machine = results.machine
    changed = f" with {machine['changed_files']} changed files" if machine["changed_files"] else ""
    chosen = {name: value for name, value in results.settings.items() if name not in ("workloads", "servers")}
    settings = ", ".join(f"{name}: {value}" for name, value in chosen.items() if value is not None)
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python "
        f"{machine['python']}, commit {machine['commit'][:12]}{changed}. {results.started}, {settings}."
    )


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first line is its head."""
    head, *others = rows
    ruled = [head, ["---", *("---:" for _ in head[1:])], *others]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in ruled)


def summaries(workloads: Sequence[WorkloadResult]) -> list[str]:
    """Return a table for each figure of ``SUMMARIES`` that workloads under load have."""
    return [
        f"### {title}\n\n{as_markdown(rows)}"
        for key, title in SUMMARIES.items()
        if len(rows := summary(workloads, key)) > 1
    ]


def summary(workloads: Sequence[WorkloadResult], key: str) -> list[list[str]]:
    """Return a figure of all workloads: their servers across, then our ratio to upstream and to the best peer."""
    names = [name for name in KINDS if any(name in workload.servers for workload in workloads)]
    made = [["", *(KINDS[name].title for name in names), "ours to mlflow server", "ours to the best peer"]]
    for workload in workloads:
        figure = next((figure for figure in workload.figures if figure.key == key), None)
        if figure is None:
            continue
        rows = [workload.servers.get(name) for name in names]
        peer = best_peer(workload)
        made.append(
            [
                workload.title,
                *(shown(figure, row) if row is not None else "" for row in rows),
                _ratio_cell(figure, workload, BASELINE),
                _ratio_cell(figure, workload, peer) if peer is not None else "",
            ]
        )
    return made


def best_peer(workload: WorkloadResult) -> str | None:
    """Return the peer that answered most requests of a workload per second, if any of them answered some."""
    rates = {
        name: Spread.of(values).median
        for name in PEERS
        if name in workload.servers and (values := workload.servers[name].values("rate"))
    }
    best = max(rates, key=lambda name: rates[name], default=None)
    return best if best is not None and rates[best] else None


def shown(figure: Figure, row: ServerResult) -> str:
    """Return the median of a figure; where there is none, whether that is a failure."""
    values = row.values(figure.key)
    if not values:
        return "failed" if row.failed else "-"
    return f"{Spread.of(values).median:,.{figure.digits}f}"


def ratio(figure: Figure, row: ServerResult, other: ServerResult) -> Spread | None:
    """Return how many times better ``row`` is than ``other``, round by round."""
    key = figure.key
    rounds = [
        (ours[key], theirs[key])
        for ours, theirs in zip(row.rounds, other.rounds, strict=False)
        if key in ours and key in theirs
    ]
    return advantage(rounds, higher_is_better=figure.higher_is_better)


def ratio_text(ratio: Spread) -> str:
    """Return a ratio as people read it: the median with its spread, and whether it is a difference at all."""
    spread = f"{ratio.low:.3g}-{ratio.high:.3g}"
    if not is_difference(ratio):
        return f"no difference, {spread}x"
    return f"{ratio.median:.3g}x" if ratio.low == ratio.high else f"{ratio.median:.3g}x, {spread}"


def _ratio_cell(figure: Figure, workload: WorkloadResult, other: str) -> str:
    if OURS not in workload.servers or other not in workload.servers:
        return ""
    found = ratio(figure, workload.servers[OURS], workload.servers[other])
    return ratio_text(found) if found is not None else "-"


def lines(workload: WorkloadResult) -> list[list[str]]:
    """Return the head and the rows; a figure that no server has makes no row."""
    rows = list(workload.servers.values())
    baseline = workload.servers.get(BASELINE)
    return [
        ["", *(row.title for row in rows)],
        *(
            [figure.title, *(_cell(figure, row, baseline) for row in rows)]
            for figure in workload.figures
            if any(row.values(figure.key) for row in rows)
        ),
    ]


def _cell(figure: Figure, row: ServerResult, baseline: ServerResult | None) -> str:
    text = shown(figure, row)
    if baseline is None or baseline is row or not figure.compared:
        return text
    found = ratio(figure, row, baseline)
    return text if found is None else f"{text} ({ratio_text(found)})"


def notes(workload: WorkloadResult) -> list[str]:
    """Return what a reader of a workload's figures must know."""
    busy = f"other programs used {workload.foreign_cores:.1f} cores meanwhile: do not quote these figures"
    return ([busy] if workload.foreign_cores > BUSY_CORES else []) + [
        f"{row.title}: {text}" for row in workload.servers.values() for text in _notes(row)
    ]


def _notes(row: ServerResult) -> list[str]:
    return [*([row.failed] if row.failed else []), *row.notes, *([_errors(row.errors)] if row.errors else [])]


def _errors(errors: Mapping[str, int]) -> str:
    counted = ", ".join(f"{number} times {what}" for what, number in errors.items())
    return f"requests that were not answered 200: {counted}"
