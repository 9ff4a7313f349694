"""Upstream's texts are those that were read, and both ways of reading them agree."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import pytest

from mlflow_accel.patching import fingerprint
from mlflow_accel.patching.fingerprint import Release, digest
from mlflow_accel.patching.manifest import MANIFEST
from mlflow_accel.patching.model import Patch
from tests.patches.interpreter import isolated


@pytest.fixture(scope="module")
def installed() -> Release:
    return Release.installed()


@pytest.mark.parametrize("patch", MANIFEST.patches, ids=lambda patch: patch.id)
def test_installed_release_is_as_it_was_read(patch: Patch, installed: Release) -> None:
    texts = patch.texts(installed.version)
    command = f"python -m mlflow_accel.patching refresh {patch.id} --reviewed {date.today()}"
    assert texts is not None, f"MLflow {installed.version} was not read; read it, then run: {command}"
    differing = [name for name, text in texts.items() if installed.text(name) != text]
    assert not differing, f"read what changed in {differing}, then run: {command}"


@isolated
def test_live_texts_are_those_of_the_files() -> None:
    files = Release.installed()
    names = {name for patch in MANIFEST.patches for name in patch.texts(files.version) or {}}
    assert names
    expected = {name: files.text(name) for name in names}
    apart = {name for name in names if name.startswith("mlflow.server.auth")}
    live = {name: fingerprint.resolve(name) for name in names - apart}
    assert {name: fingerprint.live(name, of) for name, of in live.items()} == {
        name: text for name, text in expected.items() if name not in apart
    }
    glance = {name for name in names if fingerprint.is_likely(name, live.get(name), expected[name])}
    assert glance >= apart, "the server would import what it is not to import"
    assert len(glance) > 0.95 * len(names), f"told at a glance: all but {names - glance}"
    assert not any(fingerprint.is_likely(name, live.get(name), "sha256:other") for name in names)
    assert "mlflow.server.auth" not in sys.modules


MODULE = '''"""A module of upstream's."""

import functools

LIMIT = 10
SHAPE: tuple[int, ...] = (
    1,
    2,
)
LIMIT = 20  # the one that counts


def decorate(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args)

    return inner


@decorate
@decorate
def twice(a, *, b=(1, 2)):
    text = """
flush left
"""
    return text
    # a closing remark


@functools.lru_cache
class Table:
    key = 1

    @property
    def name(self):
        return "x"

    @classmethod
    @decorate
    def make(cls):
        return cls

    def last(self):
        return 1  # kept


def after():
    pass
'''
NAMES = ("LIMIT", "SHAPE", "decorate", "twice", "after", "Table.last", "Table.name", "Table.make")


def _write_package(root: Path, module: str = MODULE) -> Path:
    package = root / "mlflow"
    package.mkdir()
    (package / "__init__.py").write_text("from mlflow.place import twice as here\n")
    (package / "version.py").write_text('VERSION = "9.8.7"\n')
    (package / "place.py").write_text(module)
    return package


def _wheel(root: Path) -> Path:
    path = root / "mlflow-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in sorted((root / "mlflow").iterdir()):
            wheel.write(file, f"mlflow/{file.name}")
    return path


def _sdist(root: Path) -> Path:
    path = root / "mlflow-9.8.7.tar.gz"
    with tarfile.open(path, "w:gz") as sdist:
        sdist.add(root / "mlflow", "mlflow-9.8.7/mlflow")
    return path


@pytest.mark.parametrize("archive", [_wheel, _sdist])
def test_archive_and_import_agree(archive: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(archive)
    _write_package(tmp_path)
    (tmp_path / "place_of_upstream.py").write_text(MODULE.replace("@functools.lru_cache\nclass", "class"))
    release = Release.archive(archive(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "place_of_upstream", raising=False)

    assert release.version == "9.8.7"
    for name in NAMES:
        live = f"place_of_upstream:{name}"
        assert fingerprint.live(live, fingerprint.resolve(live)) == release.text(f"mlflow.place:{name}"), name


def test_class_is_found_with_its_decorator(tmp_path: Path) -> None:
    lines = MODULE.splitlines(keepends=True)
    _write_package(tmp_path)
    start, end = lines.index("@functools.lru_cache\n"), lines.index("def after():\n")
    expected = digest(lines[start:end])
    assert Release.archive(_wheel(tmp_path)).text("mlflow.place:Table") == expected
    assert digest(fingerprint._statement(lines, "Table")) == expected


def test_imported_name_is_followed_to_its_definition(tmp_path: Path) -> None:
    _write_package(tmp_path)
    release = Release.archive(_wheel(tmp_path))
    assert release.text("mlflow:here") == release.text("mlflow.place:twice")
    assert release.signature("mlflow:here") == "(a, *, b=(1, 2))"


@pytest.mark.parametrize("name", ["mlflow.place:gone", "mlflow.place:Table.gone", "mlflow.gone:twice"])
def test_missing_name_is_a_lookup_error(name: str, tmp_path: Path) -> None:
    _write_package(tmp_path)
    release = Release.archive(_wheel(tmp_path))
    with pytest.raises(LookupError):
        release.text(name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return text\n    # a closing remark", "return text"),
        ("    # a closing remark\n", "    # a closing remark   \n\n"),
        ('"x"', '"y"'),
    ],
)
def test_what_stands_around_a_definition_does_not_count(old: str, new: str, tmp_path: Path) -> None:
    assert old in MODULE
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _write_package(tmp_path / "a")
    _write_package(tmp_path / "b", MODULE.replace(old, new))
    one, other = (Release.archive(_wheel(tmp_path / side)).text("mlflow.place:twice") for side in "ab")
    assert one == other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@decorate\n@decorate\ndef twice", "@decorate\ndef twice"),
        ("flush left", "flush  left"),
        ("b=(1, 2)", "b=(1, 3)"),
        ("    text =", "    # a new remark\n    text ="),
    ],
)
def test_every_change_of_a_definition_counts(old: str, new: str, tmp_path: Path) -> None:
    assert old in MODULE
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _write_package(tmp_path / "a")
    _write_package(tmp_path / "b", MODULE.replace(old, new))
    one, other = (Release.archive(_wheel(tmp_path / side)).text("mlflow.place:twice") for side in "ab")
    assert one != other


def test_an_object_without_source_is_refused() -> None:
    with pytest.raises(LookupError):
        fingerprint.live("mlflow_accel.config:nothing_of_the_kind", 3)
