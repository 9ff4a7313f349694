"""``python -m benchmarks``."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import processes, report
from benchmarks.bench import Bench, Workload
from benchmarks.databases import POSTGRESQL, SQLITE, Databases, opened
from benchmarks.environments import BuildFailed
from benchmarks.kinds import KINDS, Kind
from benchmarks.results import Results, WorkloadResult, machine, server_versions
from benchmarks.workloads import GROUPS, WORKLOADS

OUT = Path(__file__).parent / "out"
_GROUPS = "; ".join(f"{name}: {', '.join(one.name for one in group)}" for name, group in GROUPS.items())


def _chosen(allowed: list[str], value: str) -> list[str]:
    """Return the names, separated by commas, in our own order: the baseline is the first server."""
    names = [name.strip() for name in value.split(",")]
    for name in names:
        if name not in allowed:
            raise click.BadParameter(f"{name!r} is none of {', '.join(allowed)}")
    return [name for name in allowed if name in names]


def _workloads(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    names = [*GROUPS, *WORKLOADS]
    chosen = set(_chosen(names, value))
    members = {workload.name for group in chosen & GROUPS.keys() for workload in GROUPS[group]}
    return [name for name in WORKLOADS if name in chosen | members]


def _servers(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    return list(KINDS) if value is None else _chosen(list(KINDS), value)


def _database(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None or value in (SQLITE, POSTGRESQL) or value.startswith("postgresql"):
        return value
    raise click.BadParameter("use sqlite, postgresql or the URI of a PostgreSQL", ctx, param)


@click.command()
@click.option(
    "--only",
    callback=_workloads,
    help=f"Workloads or groups of them, separated by commas. {_GROUPS}. "
    "Default: all, and in the quick form one or two of each sort.",
)
@click.option(
    "--servers", callback=_servers, help=f"Servers, separated by commas, of {', '.join(KINDS)}. Default: all."
)
@click.option(
    "--quick",
    is_flag=True,
    help="Fewer workloads, fewer and shorter rounds: the same order of servers, wider spread.",
)
@click.option("--rounds", type=click.IntRange(1), help="How many rounds each workload has.")
@click.option("--seconds", type=click.IntRange(1), help="How long each server is under load in a round.")
@click.option(
    "--database",
    callback=_database,
    help="sqlite, postgresql (started here) or the URI of a PostgreSQL whose user may create databases. "
    "Default: what each workload is made for.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the newest run that was interrupted, with its settings, after its last complete workload.",
)
def main(
    only: list[str] | None,
    servers: list[str],
    quick: bool,
    rounds: int | None,
    seconds: int | None,
    database: str | None,
    resume: bool,
) -> None:
    """Measure MLflow tracking servers side by side; results go to benchmarks/out/ and to the terminal."""
    # An interrupted run must stop its servers: SIGTERM takes the way of Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    processes.adopt_orphans()
    OUT.mkdir(exist_ok=True)
    if resume:
        path, results = _interrupted()
    else:
        names = only or [name for name, workload in WORKLOADS.items() if workload.quick or not quick]
        path = OUT / f"{datetime.now():%Y%m%d-%H%M%S}.json"
        settings = {"workloads": names, "servers": servers, "quick": quick, "database": database}
        results = Results({**settings, "rounds": rounds, "seconds": seconds})
    logs = path.with_suffix(".logs")
    logs.mkdir(exist_ok=True)
    console = Console()
    with _in_progress(logs):
        _run(results, path, logs, console)
    for workload_result in results.workloads:
        console.print(report.table(workload_result))
    text = report.markdown(results)
    path.with_suffix(".md").write_text(text)
    click.echo(text)
    click.echo(f"{path}\n{path.with_suffix('.md')}")


def _interrupted() -> tuple[Path, Results]:
    """Return the newest run that has not finished, with what it has."""
    for path in sorted(OUT.glob("*.json"), reverse=True):
        results = Results.load(path)
        if results.finished or _is_in_progress(path.with_suffix(".logs")):
            continue
        begun, now = results.machine["commit"], machine()["commit"]
        if begun != now:
            raise click.ClickException(f"{path.name} was begun on commit {begun[:12]}, this is {now[:12]}")
        return path, results
    raise click.ClickException(f"no run in {OUT} was interrupted")


@contextmanager
def _in_progress(logs: Path) -> Iterator[None]:
    """Keep others from going on with this run meanwhile."""
    directory = os.open(logs, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _is_in_progress(logs: Path) -> bool:
    directory = os.open(logs, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)
    return False


def _run(results: Results, path: Path, logs: Path, console: Console) -> None:
    """Run the workloads that ``results`` lacks, and keep what is found in ``path``, workload by workload."""
    settings: dict[str, Any] = results.settings
    done = {workload.name for workload in results.workloads}
    wanted = [WORKLOADS[name] for name in settings["workloads"] if name not in done]
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
            kinds=[KINDS[name] for name in settings["servers"]],
            rounds=settings["rounds"],
            seconds=settings["seconds"],
            quick=settings["quick"],
            databases_of=databases_of,
            database=settings["database"],
            logs=logs,
            step=lambda turn: progress.update(task, description=turn, advance=1),
            say=progress.console.print,
        )
        for kind in bench.kinds:
            _set_up(kind, bench, results)
        results.save(path)
        progress.update(task, total=sum(workload.turns(bench) for workload in wanted))
        try:
            for workload in wanted:
                results.workloads.append(_watched(workload, bench))
                results.save(path)
        finally:
            bench.alone()  # before the databases go
        results.finished = True
        results.save(path)
        progress.update(task, description="done", advance=1)


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
