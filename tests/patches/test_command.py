"""``python -m mlflow_accel.patching``: what it says, what it writes, and what it refuses."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from mlflow_accel.patching import __main__ as command
from mlflow_accel.patching import descriptors
from mlflow_accel.patching.fingerprint import Release
from mlflow_accel.patching.manifest import MANIFEST

ID = "workspace.teardown"
FUNCTION = "def workspace_teardown_request_handler(_exc):"
CHANGED = "mlflow.server.workspace_helpers:workspace_teardown_request_handler"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``patches/`` and of the manifest, which the command then works on."""
    shutil.copytree(descriptors.DIRECTORY, tmp_path / "patches")
    shutil.copy(descriptors.MANIFEST_FILE, tmp_path / "manifest.py")
    monkeypatch.setattr(descriptors, "DIRECTORY", tmp_path / "patches")
    monkeypatch.setattr(descriptors, "MANIFEST_FILE", tmp_path / "manifest.py")
    return tmp_path


@pytest.fixture
def changed_wheel(tmp_path: Path) -> Path:
    """A wheel of the installed release, with one more line in one replaced function."""
    import mlflow

    root = Path(mlflow.__file__).parents[1]
    names = {name.partition(":")[0] for patch in MANIFEST.patches for name in patch.reviews[-1].texts}
    files = {root / (name.replace(".", "/") + suffix) for name in names for suffix in (".py", "/__init__.py")}
    path = tmp_path / "mlflow-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in sorted({*files, root / "mlflow/version.py", root / "mlflow/utils/process.py"}):
            if file.is_file():
                text = file.read_text()
                if FUNCTION in text:
                    text = text.replace(FUNCTION, f"{FUNCTION}\n    print(1)")
                wheel.writestr(str(file.relative_to(root)), text)
    return path


def test_check_of_the_installed_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"MLflow {Release.installed().version}, supported")
    assert said.count(": as read") == len(MANIFEST.patches)


def test_check_of_a_changed_release_says_how_to_refresh(
    changed_wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["check", "--from", str(changed_wheel)]) == 1
    said = capsys.readouterr().out
    assert f"{ID}: differs from" in said
    watching = [p.id for p in MANIFEST.patches if any(CHANGED in r.texts for r in p.reviews)]
    assert said.count(": as read") == len(MANIFEST.patches) - len(watching)
    assert f"refresh {ID} --reviewed" in said
    assert f"--from {changed_wheel}" in said


def test_check_of_one_patch(changed_wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check", "handlers.health", "--from", str(changed_wheel)]) == 0
    assert ID not in capsys.readouterr().out


def test_refresh_writes_one_block_and_the_manifest(
    copy: Path, changed_wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {d.id: d.path.read_text() for d in descriptors.read()}
    assert command.main(["refresh", ID, "--reviewed", "2030-01-02", "--from", str(changed_wheel)]) == 0

    after = {d.id: d for d in descriptors.read()}
    assert [id for id, d in after.items() if d.path.read_text() != before[id]] == [ID]
    version = Release.installed().version
    [seen] = [seen for seen in after[ID].seen if seen.version == version]
    assert seen.reviewed == "2030-01-02"
    assert seen.target == Release.archive(changed_wheel).text(after[ID].upstream)
    assert before[ID].partition("[[seen]]")[0] == after[ID].path.read_text().partition("[[seen]]")[0]
    assert seen.target in (copy / "manifest.py").read_text()
    assert command.main(["manifest", "--check"]) == 0


def test_refresh_to_the_same_text_changes_only_the_day(copy: Path) -> None:
    path = copy / "patches/workspace/teardown.toml"
    before = path.read_text()
    assert command.main(["refresh", ID, "--reviewed", "2030-01-02"]) == 0
    after = path.read_text()
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    assert [new for old, new in lines if old != new] == ['reviewed = "2030-01-02"']


def test_refresh_needs_a_supported_release(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "patches/upstream.toml"
    line = f'"{Release.installed().version}"\nstatus = '
    path.write_text(path.read_text().replace(f'{line}"supported"', f'{line}"watched"'))
    assert command.main(["refresh", ID, "--reviewed", "2030-01-02"]) == 1
    assert "patches/upstream.toml" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["check no.such", "refresh no.such --reviewed 2030-01-02"])
def test_unknown_id_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(line.split()) == 1
    assert "no such patch: no.such" in capsys.readouterr().err


def test_refresh_needs_a_day() -> None:
    with pytest.raises(SystemExit):
        command.main(["refresh", ID])


def test_manifest_that_is_not_current_is_noticed_and_written(copy: Path) -> None:
    current = (copy / "manifest.py").read_text()
    (copy / "manifest.py").write_text("")
    assert command.main(["manifest", "--check"]) == 1
    assert (copy / "manifest.py").read_text() == ""
    assert command.main(["manifest"]) == 0
    assert (copy / "manifest.py").read_text() == current
