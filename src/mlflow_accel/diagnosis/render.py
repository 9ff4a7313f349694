"""Show facts and findings as tables: in colour on a terminal, plain and unfolded in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlflow_accel.diagnosis.findings import Finding, Level

STYLES = {Level.OK: "green", Level.NOTE: "yellow", Level.PROBLEM: "bold red"}

UNFOLDED = 100_000
"""The width of a pipe: no value is cut or folded."""


def console() -> Console:
    """Return the console of this process's standard output."""
    plain = not sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        width=UNFOLDED if plain else None,
        force_terminal=False if plain else None,
        no_color=True if plain else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def findings(out: Console, found: Sequence[Finding]) -> None:
    """Print a table of findings, then the commands that mend them, one to a line to be copied."""
    rows = [(Text(f.level.value, STYLES[f.level]), f.check, f.found, f.needed) for f in found]
    _table(out, ("level", "check", "found", "needed"), rows)
    commands = [f for f in found if f.command]
    if commands:
        out.print("\nCommands:")
    for finding in commands:
        out.print(f"  {finding.check}: {finding.command}", soft_wrap=True)


def overview(out: Console, facts: Mapping[str, Any]) -> None:
    """Print the facts that ``overview.collect`` returns."""
    _pairs(out, "Installation", facts["versions"])
    _modules(out, facts["modules"])
    _patches(out, facts["patches"], would="would be applied")
    if not facts["servers"]:
        out.print("\nNo server of this user runs.")
    for server in facts["servers"]:
        _server(out, server)


def _server(out: Console, server: Mapping[str, Any]) -> None:
    pids = ", ".join(map(str, server["workers"]))
    facts = {"workers": f"{len(server['workers'])} ({pids})" if pids else "none yet"}
    if server["cold_worker"]:
        facts["cold worker"] = f"{server['cold_worker']}, one of them: it computes what may take long"
    if "versions" in server:
        facts["versions"] = ", ".join(f"{name} {number}" for name, number in server["versions"].items())
    if server["requests"] is None:
        known = "versions" in server
        facts["state"] = "another version's: ask its own status command" if known else "starting"
        _pairs(out, f"Server {server['pid']}", facts)
        return
    lane = server["fast_lane"]
    facts["address"] = ", ".join(map(_address, server["addresses"]))
    facts["fast lane"] = "on" if lane["on"] else f"off: {lane['reason']}"
    facts |= {f"{name} store": _store(store) for name, store in server["stores"].items()}
    _pairs(out, f"Server {server['pid']}", facts)
    _modules(out, server["modules"])
    _patches(out, server["patches"], would="not applied")
    _requests(out, server)


def _address(address: Any) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in str(host) else f"http://{host}:{port}"


def _store(store: Mapping[str, Any]) -> str:
    if "database" not in store:
        return str(store["class"])
    pool = store["pool"]
    bounds = (
        f"{pool['size']} + {pool['overflow']} overflow, {pool['timeout']:g} s" if pool["size"] else "no bound"
    )
    return f"{store['class']}, {store['database']}, driver {store['driver']}, pool {pool['class']} ({bounds})"


def _modules(out: Console, modules: Mapping[str, str]) -> None:
    out.print()
    _table(out, ("module", "runs"), list(modules.items()))


def _patches(out: Console, patches: Sequence[Mapping[str, Any]], would: str) -> None:
    def state(patch: Mapping[str, Any]) -> str:
        return "applied" if patch["applied"] else would if patch["reviewed"] else "not applied"

    if patches:
        out.print()
        rows = [(p["id"], p["seam"], p["upstream"], state(p), p["reason"]) for p in patches]
        _table(out, ("patch", "seam", "upstream", "state", "reason"), rows)


def _requests(out: Console, server: Mapping[str, Any]) -> None:
    rows = []
    for endpoint, outcomes in server["requests"].items():
        share = server["fast_share"][endpoint]
        declined = ", ".join(f"{reason} {count}" for reason, count in outcomes.items() if reason != "fast")
        percent = "-" if share is None else f"{share:.1%}"
        rows.append(
            (endpoint, str(sum(outcomes.values())), str(outcomes.get("fast", 0)), percent, declined or "-")
        )
    out.print()
    _table(out, ("endpoint", "requests", "fast", "share", "declined by reason"), rows)


def _pairs(out: Console, title: str, pairs: Mapping[str, str]) -> None:
    out.print(f"\n{title}")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, value)
    _show(out, table)


def _table(out: Console, headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _show(out, table)


def _show(out: Console, table: Table) -> None:
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    out.file.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())
