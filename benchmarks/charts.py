"""Charts for the README, light and dark: each server's speed as a multiple of upstream's, and cost against size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kinds import BASELINE, KINDS, OURS
from benchmarks.report import ratio
from benchmarks.results import WorkloadResult
from benchmarks.stats import Spread
from benchmarks.workloads.scaling import FAMILIES, Family


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


def draw_scaling(workloads: Sequence[WorkloadResult], directory: Path, name: str) -> None:
    """Write a chart of ``scaling``'s workloads in each theme: CPU ms per unit of work against size."""
    for theme in THEMES:
        with _canvas(theme, paths(directory, name)[theme.name]) as pyplot:
            figure, grid = pyplot.subplots(2, 2, figsize=(8, 6))
            for axes, family in zip(grid.flat, FAMILIES, strict=True):
                _lines(axes, workloads, family, theme)
            legends = [axes.get_legend_handles_labels() for axes in grid.flat]
            handles, labels = max(legends, key=lambda legend: len(legend[0]))
            figure.legend(
                handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False
            )
            figure.tight_layout()


def _lines(axes: Any, workloads: Sequence[WorkloadResult], family: Family, theme: Theme) -> None:
    for server, colour in {BASELINE: theme.ink, **theme.bars}.items():
        costs = {}
        for size in family.sizes:
            found = next((one for one in workloads if one.name == f"{family.name}_{size}"), None)
            values = (
                found.servers[server].values("cpu") if found is not None and server in found.servers else []
            )
            if values:
                costs[size] = Spread.of(values).median / (size if family.units else 1)
        if costs:
            axes.plot(list(costs), list(costs.values()), color=colour, marker="o", label=KINDS[server].title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(family.title, loc="left", fontsize=10)
    axes.grid(color=theme.faint, linewidth=0.5)
    axes.set_facecolor("none")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for side in axes.spines.values():
        side.set_color(theme.faint)


def multiples(workloads: Sequence[WorkloadResult], server: str) -> list[float | None]:
    """Return the median of how many times as many requests as upstream's a server answered, per workload."""
    found: list[float | None] = []
    for workload in workloads:
        figure = next(figure for figure in workload.figures if figure.key == "rate")
        row, base = workload.servers.get(server), workload.servers.get(BASELINE)
        spread = ratio(figure, row, base) if row is not None and base is not None else None
        found.append(spread.median if spread is not None else None)
    return found


@contextmanager
def _canvas(theme: Theme, path: Path) -> Iterator[Any]:
    """Give pyplot in the colours of a theme; what is drawn meanwhile goes to ``path``."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    colours: dict[Any, Any] = {"text.color": theme.ink, "xtick.color": theme.ink, "ytick.color": theme.ink}
    with mpl.rc_context(SETTINGS | colours):
        yield pyplot
        pyplot.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
        pyplot.close()


def _draw(workloads: Sequence[WorkloadResult], path: Path, title: str, theme: Theme) -> None:
    with _canvas(theme, path) as pyplot:
        figure, axes = pyplot.subplots(figsize=(8, 0.62 * len(workloads) + 1.3))
        _bars(axes, workloads, theme)
        axes.set_title(title, loc="left")
        figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, frameon=False)


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
