"""What is made of the figures: results kept and read again, the tables, the README's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import charts, readme, report
from benchmarks.results import Figure, Results, ServerResult, WorkloadResult
from benchmarks.rounds import FIGURES
from benchmarks.workloads import GROUPS, WORKLOADS

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "memory_gib": 8.0,
    "system": "a system",
    "python": "3.11.7",
    "commit": "c" * 40,
    "changed_files": 0,
}


def server(title: str, *rates: float) -> ServerResult:
    return ServerResult(title, rounds=[{"rate": rate, "cpu": 1000 / rate} for rate in rates if rate])


def load(name: str, *, ours: float) -> WorkloadResult:
    slow, fast = server("go", 200.0, 220.0), server("fml", 400.0, 500.0)
    servers = {"mlflow": server("upstream", 100.0, 100.0), "mlflow-go": slow, "fasttrackml": fast}
    servers["mlflow-accel"] = server("ours", ours, 2 * ours)
    return WorkloadResult(name, f"what {name} does", list(FIGURES), servers)


def run(*workloads: WorkloadResult, started: str = "2026-01-01T00:00:00+00:00") -> Results:
    settings = {
        "workloads": [one.name for one in workloads],
        "servers": ["mlflow"],
        "quick": False,
        "rounds": 5,
    }
    return Results(settings, list(workloads), MACHINE, {"mlflow": {"mlflow": "3.17.2"}}, True, started)


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    results = run(load("w", ours=1000.0))
    results.workloads[0].servers["mlflow"].errors["500"] = 3
    results.save(tmp_path / "r.json")
    assert Results.load(tmp_path / "r.json") == results


def test_the_summary_compares_with_upstream_and_with_the_better_peer() -> None:
    head, row = report.summary([load("w", ours=1000.0)], "rate")
    assert head[-2:] == ["ours to mlflow server", "ours to the best peer"]
    # Round by round: 1000/100 and 2000/100, 1000/400 and 2000/500.
    assert row[1:] == ["100.0", "210.0", "450.0", "1,500.0", "15x, 10-20", "3.25x, 2.5-4"]


def test_a_peer_that_failed_is_not_the_best() -> None:
    workload = load("w", ours=1000.0)
    workload.servers["fasttrackml"] = ServerResult("fml", failed="wrong: it dropped a row")
    _, row = report.summary([workload], "rate")
    assert row[3] == "failed"
    assert row[-1] == "7.05x, 5-9.09"
    assert report.notes(workload) == ["fml: wrong: it dropped a row"]


def test_a_peer_that_answers_nothing_is_not_divided_by() -> None:
    workload = load("w", ours=1000.0)
    for name in ("mlflow", "mlflow-go", "fasttrackml"):
        workload.servers[name] = ServerResult(name, rounds=[{"rate": 0.0}, {"rate": 0.0}])
    _, row = report.summary([workload], "rate")
    assert row[-2:] == ["-", ""]


def test_errors_are_counted_by_status() -> None:
    row = ServerResult("upstream", errors={"400": 7, "timeout": 2})
    workload = WorkloadResult("w", "a workload", [Figure("rate", "req/s")], {"mlflow": row})
    assert report.notes(workload) == [
        "upstream: requests that were not answered 200: 7 times 400, 2 times timeout"
    ]


def test_the_newest_run_that_has_a_workload_counts() -> None:
    old = run(load("a", ours=1000.0), load("b", ours=3000.0))
    new = run(load("a", ours=2000.0), started="2026-02-01T00:00:00+00:00")
    text = readme.section([old, new])
    assert text.count("what a does | 100.0 | 210.0 | 450.0 | 3,000.0") == 1
    assert text.count("what b does | 100.0 | 210.0 | 450.0 | 4,500.0") == 1
    assert "2026-01-01" in text
    assert "2026-02-01" in text


def test_other_numbers_are_noticed() -> None:
    first, other = (readme.section([run(load("a", ours=rate))]) for rate in (1000.0, 1100.0))
    text = readme.replaced(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", first)
    assert readme.replaced(text, first) == text
    assert readme.replaced(text, other) != text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    with pytest.raises(readme.NoPlace):
        readme.replaced("no comments", first)


def test_the_readme_has_the_numbers_of_the_stored_results() -> None:
    runs = readme.kept()
    text = readme.README.read_text()
    if not runs:
        assert readme.BEGIN not in text, "the README has a place for numbers, but no results are stored"
        return
    assert all(one.finished for one in runs)
    assert readme.replaced(text, readme.section(runs)) == text, "run python -m benchmarks.readme"


def test_every_workload_has_a_name_of_its_own() -> None:
    assert sum(map(len, GROUPS.values())) == len(WORKLOADS)
    assert not GROUPS.keys() & WORKLOADS.keys()


@pytest.mark.parametrize("group", ["writes", "reads", "operation"])
def test_the_quick_form_has_some_of_each_sort(group: str) -> None:
    assert {workload.quick for workload in GROUPS[group]} == {True, False}


def test_charts_are_the_same_for_the_same_results(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    workloads = [load("a", ours=1000.0), load("b", ours=50.0)]
    workloads[1].servers["fasttrackml"] = ServerResult("fml", failed="wrong: it dropped a row")
    assert charts.multiples(workloads, "fasttrackml") == [4.5, None]
    drawn = []
    for directory in (tmp_path / "first", tmp_path / "second"):
        directory.mkdir()
        charts.draw(workloads, directory, "speed", "a title")
        drawn.append([path.read_text() for path in charts.paths(directory, "speed").values()])
        charts.draw_scaling(
            [load("batch_10", ours=1000.0), load("batch_100", ours=100.0)], directory, "scaling"
        )
        drawn[-1] += [path.read_text() for path in charts.paths(directory, "scaling").values()]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4
    assert all("FastTrackML" in text for text in drawn[0])


def test_sizes_are_drawn_and_not_listed() -> None:
    text = readme.section([run(load("log_metric", ours=1000.0), load("clients_4", ours=900.0))])
    assert "what log_metric does" in text
    assert "what clients_4 does" not in text
    assert "benchmarks/results/scaling-light.svg" in text
