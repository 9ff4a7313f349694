"""How the servers that are compared are set up and started."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.environments import READY, BuildFailed, Environment
from benchmarks.kinds import KINDS, MLFLOW_GO, OURS, Kind, Options, environment_of

OPTIONS = Options(5000, 2, "sqlite:////tmp/m.db", Path("/tmp/artifacts"))


def test_an_environment_that_cannot_be_built_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    broken = Environment("broken", (str(tmp_path / "no-such-package"),))
    said: list[str] = []
    with pytest.raises(BuildFailed, match=".+"):
        broken.build(said.append)
    assert len(said) == 1
    assert not (broken.directory / READY).exists()


def test_an_environment_that_is_ready_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    kept = Environment("kept", ("no-such-package",))
    kept.directory.mkdir()
    (kept.directory / READY).touch()
    said: list[str] = []
    kept.build(said.append)
    assert said == []


def test_other_requirements_make_another_environment() -> None:
    assert Environment("e", ("a==1",)).directory != Environment("e", ("a==2",)).directory


def test_the_library_of_mlflow_go_gets_its_name(tmp_path: Path) -> None:
    library = tmp_path / "mlflow_go_backend" / "libmlflow-go-backend.dylib"
    library.parent.mkdir()
    library.write_bytes(b"ELF")
    assert MLFLOW_GO.repair is not None
    MLFLOW_GO.repair(tmp_path)
    assert library.with_suffix(".so").read_bytes() == b"ELF"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_server_is_told_port_database_and_artifacts(kind: Kind) -> None:
    command = " ".join(map(str, kind.command(OPTIONS)))
    assert "127.0.0.1" in command
    assert "5000" in command
    assert "/tmp/m.db" in command
    assert "/tmp/artifacts" in command


def test_no_server_inherits_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    monkeypatch.setenv("_MLFLOW_SGI_NAME", "uvicorn")
    monkeypatch.setenv("FML_DATABASE_URI", "sqlite://elsewhere.db")
    for kind in KINDS.values():
        names = environment_of(kind).keys()
        assert not {"MLFLOW_TRACKING_URI", "_MLFLOW_SGI_NAME", "FML_DATABASE_URI"} & names
    assert environment_of(KINDS[OURS])["MLFLOW_ACCEL_IMPL"] == "compiled"
