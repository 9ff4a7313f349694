"""The tables: one per workload, figures down and servers across, in the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from benchmarks.kinds import BASELINE, KINDS
from benchmarks.results import Figure, Results, ServerResult, WorkloadResult
from benchmarks.stats import Spread, advantage, is_difference

BUSY_CORES = 0.1


def table(workload: WorkloadResult) -> Table:
    """Return a workload's table for the terminal."""
    head, *rows = _lines(workload)
    made = Table(title=workload.title, title_justify="left", caption_justify="left")
    made.caption = "\n".join(_notes(workload))
    for number, title in enumerate(head):
        made.add_column(title, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def markdown(results: Results) -> str:
    """Return all tables as one Markdown text, with what they were measured on."""
    machine = results.machine
    changed = f" with {machine['changed_files']} changed files" if machine["changed_files"] else ""
    settings = ", ".join(f"{name}: {value}" for name, value in results.settings.items())
    parts = [
        (
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python "
            f"{machine['python']}, commit {machine['commit'][:12]}{changed}. {results.started}, {settings}.\n"
        ),
        "".join(f"* {KINDS[name].title}: {_listed(found)}\n" for name, found in results.versions.items()),
    ]
    for workload in results.workloads:
        head, *rows = _lines(workload)
        lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
        parts.append(f"### {workload.name}\n\n{workload.title}\n")
        parts.append(
            "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
        )
        parts.append("".join(f"* {note}\n" for note in _notes(workload)))
    return "\n".join(filter(None, parts))


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def _lines(workload: WorkloadResult) -> list[list[str]]:
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
    values = row.values(figure.key)
    if not values:
        return "-"
    text = f"{Spread.of(values).median:,.{figure.digits}f}"
    if baseline is None or baseline is row or not figure.compared:
        return text
    key = figure.key
    rounds = [
        (ours[key], theirs[key])
        for ours, theirs in zip(row.rounds, baseline.rounds, strict=False)
        if key in ours and key in theirs
    ]
    ratio = advantage(rounds, higher_is_better=figure.higher_is_better)
    return text if ratio is None else f"{text} ({ratio_text(ratio)})"


def ratio_text(ratio: Spread) -> str:
    """Return a ratio as people read it: the median with its spread, and whether it is a difference at all."""
    spread = f"{ratio.low:.3g}-{ratio.high:.3g}"
    if not is_difference(ratio):
        return f"no difference, {spread}x"
    return f"{ratio.median:.3g}x" if ratio.low == ratio.high else f"{ratio.median:.3g}x, {spread}"


def _notes(workload: WorkloadResult) -> list[str]:
    busy = f"other programs used {workload.foreign_cores:.1f} cores meanwhile: do not quote these figures"
    return ([busy] if workload.foreign_cores > BUSY_CORES else []) + [
        f"{row.title}: {text}"
        for row in workload.servers.values()
        for text in ([row.failed] if row.failed else []) + row.notes
    ]
