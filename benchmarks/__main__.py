"""``python -m benchmarks``."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import processes, report
from benchmarks.bench import Bench, Workload
from benchmarks.databases import POSTGRESQL, SQLITE, Databases, opened
from benchmarks.environments import BuildFailed
from benchmarks.kinds import KINDS, Kind
from benchmarks.results import Results, WorkloadResult, server_versions
from benchmarks.workloads import WORKLOADS

OUT = Path(__file__).parent / "out"


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    """Return the names, separated by commas, that an option is given; all of them where it is not."""
    allowed = list(WORKLOADS if param.name == "only" else KINDS)
    names = [name.strip() for name in value.split(",")] if value is not None else allowed
    for name in names:
        if name not in allowed:
            raise click.BadParameter(f"{name!r} is none of {', '.join(allowed)}", ctx, param)
    # In our own order: the baseline is the first server.
    return [name for name in allowed if name in names]


def _database(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None or value in (SQLITE, POSTGRESQL) or value.startswith("postgresql"):
        return value
    raise click.BadParameter("use sqlite, postgresql or the URI of a PostgreSQL", ctx, param)


@click.command()
@click.option(
    "--only",
    callback=_names,
    help=f"Workloads, separated by commas, of {', '.join(WORKLOADS)}. Default: all.",
)
@click.option(
    "--servers", callback=_names, help=f"Servers, separated by commas, of {', '.join(KINDS)}. Default: all."
)
@click.option(
    "--quick", is_flag=True, help="Fewer and shorter rounds: the same order of servers, wider spread."
)
@click.option(
    "--database",
    callback=_database,
    help="sqlite, postgresql (started here) or the URI of a PostgreSQL whose user may create databases. "
    "Default: what each workload is made for.",
)
def main(only: list[str], servers: list[str], quick: bool, database: str | None) -> None:
    """Measure MLflow tracking servers side by side; results go to benchmarks/out/ and to the terminal."""
    # An interrupted run must stop its servers: SIGTERM takes the way of Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    processes.adopt_orphans()
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{datetime.now():%Y%m%d-%H%M%S}.json"
    logs = path.with_suffix(".logs")
    logs.mkdir()
    console = Console()
    results = Results({"quick": quick, "database": database or "each workload's own"})
    chosen = [WORKLOADS[name] for name in only]
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        made: dict[str, Databases] = {}

        def databases_of(which: str) -> Databases:
            if which not in made:
                made[which] = stack.enter_context(opened(which, directory, logs))
            return made[which]

        progress = stack.enter_context(Progress(*columns, console=console))
        task = progress.add_task("", total=None, completed=-1)
        bench = Bench(
            kinds=[KINDS[name] for name in servers],
            quick=quick,
            databases_of=databases_of,
            database=database,
            logs=logs,
            step=lambda turn: progress.update(task, description=turn, advance=1),
            say=progress.console.print,
        )
        for kind in bench.kinds:
            _set_up(kind, bench, results)
        progress.update(task, total=sum(workload.turns(bench) for workload in chosen))
        for workload in chosen:
            results.workloads.append(_watched(workload, bench))
            results.save(path)
        progress.update(task, description="done", advance=1)
    for workload_result in results.workloads:
        console.print(report.table(workload_result))
    text = report.markdown(results)
    path.with_suffix(".md").write_text(text)
    click.echo(text)
    click.echo(f"{path}\n{path.with_suffix('.md')}")


def _set_up(kind: Kind, bench: Bench, results: Results) -> None:
    """Build a server's environment, if it needs one, and take down its versions; a failure is its own only."""
    try:
        if kind.environment is not None:
            kind.environment.build(bench.say)
        results.versions[kind.name] = server_versions(kind)
    except BuildFailed as ex:
        bench.unavailable[kind.name] = f"could not be set up: {ex}"
        bench.say(f"{kind.title}: {bench.unavailable[kind.name]}")


def _watched(workload: Workload, bench: Bench) -> WorkloadResult:
    """Run a workload, and take down what other programs used meanwhile."""

    def foreign() -> float:
        return processes.machine_cpu_seconds() - processes.cpu_seconds(processes.tree(os.getpid()))

    start, before = time.monotonic(), foreign()
    result = workload.run(bench)
    result.foreign_cores = (foreign() - before) / (time.monotonic() - start)
    return result


def _interrupt(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
