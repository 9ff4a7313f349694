"""The README's numbers, from the stored results: ``python -m benchmarks.readme`` writes them, ``--check`` compares.

Each ``results/*.json`` is a run that was kept; of several that have a workload, the newest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks import report
from benchmarks.results import Results, WorkloadResult
from benchmarks.servers import REPOSITORY

KEPT = Path(__file__).parent / "results"
README = REPOSITORY / "README.md"
BEGIN = "<!-- numbers: python -m benchmarks.readme -->"
END = "<!-- end of numbers -->"


class NoPlace(RuntimeError):
    """A text without the two comments between which the numbers belong."""


def kept(directory: Path = KEPT) -> list[Results]:
    """Return the stored runs, the newest last."""
    return sorted((Results.load(path) for path in directory.glob("*.json")), key=lambda run: run.started)


def section(runs: Sequence[Results]) -> str:
    """Return what stands between the comments."""
    newest: dict[str, WorkloadResult] = {}
    for run in runs:
        newest |= {workload.name: workload for workload in run.workloads}
    # In the order in which the runs have them.
    workloads = list(newest.values())
    loads = [one for one in workloads if any(figure.key == "rate" for figure in one.figures)]
    parts = report.summaries(loads)
    for workload in workloads:
        if workload not in loads:
            parts.append(f"### {workload.title}\n\n{report.as_markdown(report.lines(workload))}")
    notes = [f"* {one.name}: {note}\n" for one in workloads for note in report.notes(one)]
    if notes:
        parts.append("What else was seen:\n\n" + "".join(notes))
    used = [run for run in runs if any(workload in run.workloads for workload in workloads)]
    parts.append("Measured on:\n\n" + "".join(f"* {report.described(run)}\n" for run in used))
    return "\n".join(parts)


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


if __name__ == "__main__":
    main()
