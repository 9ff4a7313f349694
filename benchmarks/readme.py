"""The README's numbers, from the stored results: ``python -m benchmarks.readme`` writes them, ``--check`` compares.

Each ``results/*.json`` is a run that was kept; of several that have a workload, the newest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import charts, report
from benchmarks.kinds import OURS
from benchmarks.results import Results, WorkloadResult
from benchmarks.servers import REPOSITORY
from benchmarks.workloads import scaling

KEPT = Path(__file__).parent / "results"
README = REPOSITORY / "README.md"
BEGIN = "<!-- numbers: python -m benchmarks.readme -->"
END = "<!-- end of numbers -->"
CHART = "speed"
SCALING = "scaling"
TITLE = "Requests per second, as a multiple of mlflow server's"


class NoPlace(RuntimeError):
    """A text without the two comments between which the numbers belong."""


def kept(directory: Path = KEPT) -> list[Results]:
    """Return the stored runs, the newest last."""
    return sorted((Results.load(path) for path in directory.glob("*.json")), key=lambda run: run.started)


def newest(runs: Sequence[Results]) -> list[WorkloadResult]:
    """Return each workload once, as the newest of the runs that have it found it; in their order."""
    found: dict[str, WorkloadResult] = {}
    for run in runs:
        found |= {workload.name: workload for workload in run.workloads}
    return list(found.values())


def under_load(workloads: Sequence[WorkloadResult]) -> list[WorkloadResult]:
    """Return those that have a rate, without the sizes of one and the same request."""
    loads = [one for one in workloads if any(figure.key == "rate" for figure in one.figures)]
    return [one for one in loads if one not in sizes(loads)]


def sizes(workloads: Sequence[WorkloadResult]) -> list[WorkloadResult]:
    """Return those that show how cost grows."""
    names = {workload.name for workload in scaling.WORKLOADS}
    return [one for one in workloads if one.name in names]


def section(runs: Sequence[Results]) -> str:
    """Return what stands between the comments."""
    workloads = newest(runs)
    loads = under_load(workloads)
    parts = [_picture(CHART, f"{TITLE}: {_spoken(loads)}")] if loads else []
    parts += report.summaries(loads)
    for workload in workloads:
        if workload not in loads and workload not in sizes(workloads):
            parts.append(f"### {workload.title}\n\n{report.as_markdown(report.lines(workload))}")
    if sizes(workloads):
        parts.append(
            _picture(SCALING, "CPU of a request against clients, size, runs in the database, and workers")
        )
    notes = [f"* {one.name}: {note}\n" for one in workloads for note in report.notes(one)]
    if notes:
        parts.append("What else was seen:\n\n" + "".join(notes))
    used = [run for run in runs if any(workload in run.workloads for workload in workloads)]
    parts.append("Measured on:\n\n" + "".join(f"* {report.described(run)}\n" for run in used))
    return "\n".join(parts)


def _picture(chart: str, alternative: str) -> str:
    places = {
        theme: path.relative_to(REPOSITORY).as_posix() for theme, path in charts.paths(KEPT, chart).items()
    }
    return (
        f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{places["dark"]}">\n'
        f'<img alt="{alternative}" src="{places["light"]}">\n</picture>\n'
    )


def _spoken(loads: Sequence[WorkloadResult]) -> str:
    """Return the chart's figures for those who do not see it."""
    ours = zip(loads, charts.multiples(loads, OURS), strict=True)
    return ", ".join(f"{workload.name} {value:.3g} times" for workload, value in ours if value is not None)


def replaced(text: str, numbers: str) -> str:
    """Return ``text`` with ``numbers`` between the comments; raises ``NoPlace`` where they are not in it."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlace(f"{BEGIN} and {END} are to stand on lines of their own")
    return f"{before}{BEGIN}\n\n{numbers}\n{END}{after}"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where the README has other numbers.")
def main(check: bool) -> None:
    """Write the numbers of benchmarks/results/ into the README."""
    text = README.read_text()
    try:
        wanted = replaced(text, section(kept()))
    except NoPlace as ex:
        raise click.ClickException(str(ex)) from None
    if check and wanted != text:
        raise click.ClickException("the README's numbers are not those of benchmarks/results/")
    if not check:
        README.write_text(wanted)
        workloads = newest(kept())
        if loads := under_load(workloads):
            charts.draw(loads, KEPT, CHART, TITLE)
        if grown := sizes(workloads):
            charts.draw_scaling(grown, KEPT, SCALING)


if __name__ == "__main__":
    main()
