"""Charts for the README: how many times as fast as `mlflow server` each server is, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kinds import BASELINE, KINDS, OURS
from benchmarks.report import ratio
from benchmarks.results import WorkloadResult


@dataclass(frozen=True)
class Theme:
    """Colours of one chart."""

    name: str
    ink: str
    faint: str
    bars: dict[str, str]


THEMES = (
    Theme("light", "#1f2328", "#d0d7de", {OURS: "#0969da", "fasttrackml": "#8c959f", "mlflow-go": "#bcc4cc"}),
    Theme("dark", "#e6edf3", "#3d444d", {OURS: "#58a6ff", "fasttrackml": "#848d97", "mlflow-go": "#57606a"}),
)
# Without time and random ids, so that the same results draw the same file.
SETTINGS = {
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
}


def paths(directory: Path, name: str) -> dict[str, Path]:
    """Return where a chart's files lie, by theme."""
    return {theme.name: directory / f"{name}-{theme.name}.svg" for theme in THEMES}


def draw(workloads: Sequence[WorkloadResult], directory: Path, name: str, title: str) -> None:
    """Write a chart of some workloads in each theme. Without matplotlib it raises ``ImportError``."""
    for theme in THEMES:
        _draw(workloads, paths(directory, name)[theme.name], title, theme)


def multiples(workloads: Sequence[WorkloadResult], server: str) -> list[float | None]:
    """Return the median of how many times as many requests as upstream's a server answered, per workload."""
    found: list[float | None] = []
    for workload in workloads:
        figure = next(figure for figure in workload.figures if figure.key == "rate")
        row, base = workload.servers.get(server), workload.servers.get(BASELINE)
        spread = ratio(figure, row, base) if row is not None and base is not None else None
        found.append(spread.median if spread is not None else None)
    return found


def _draw(workloads: Sequence[WorkloadResult], path: Path, title: str, theme: Theme) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    colours: dict[Any, Any] = {"text.color": theme.ink, "xtick.color": theme.ink, "ytick.color": theme.ink}
    with mpl.rc_context(SETTINGS | colours):
        figure, axes = pyplot.subplots(figsize=(8, 0.62 * len(workloads) + 1.3))
        _bars(axes, workloads, theme)
        axes.set_title(title, loc="left")
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, frameon=False)
        figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)


def _bars(axes: Any, workloads: Sequence[WorkloadResult], theme: Theme) -> None:
    shown = [name for name in theme.bars if any(name in workload.servers for workload in workloads)]
    height = 0.8 / len(shown)
    for number, server in enumerate(shown):
        values = multiples(workloads, server)
        places = [i + (number - (len(shown) - 1) / 2) * height for i in range(len(workloads))]
        drawn = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        axes.barh(
            [place for place, _ in drawn],
            [value - 1 for _, value in drawn],
            left=1,
            height=0.9 * height,
            color=theme.bars[server],
            label=KINDS[server].title,
        )
        for place, value in drawn:
            text = f"{value:.3g}×"
            # Beside the end of the bar that is further right.
            axes.annotate(
                text,
                (max(value, 1), place),
                (4, 0),
                textcoords="offset points",
                va="center",
                color=theme.ink,
                size=8,
            )
    axes.set_xscale("log")
    axes.axvline(1, color=theme.ink, linewidth=1)
    axes.set_yticks(range(len(workloads)), [workload.name for workload in workloads])
    axes.invert_yaxis()
    axes.set_xlabel(
        "times as many requests per second as mlflow server (=1), the same machine", color=theme.ink
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="x", color=theme.faint, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
