"""``patches/`` is complete, consistent with itself, and what ``manifest.py`` was made from."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mlflow_accel.errors import ConfigurationError
from mlflow_accel.patching import descriptors, fingerprint
from mlflow_accel.patching.descriptors import DIRECTORY, Descriptor
from tests.patches.interpreter import ROOT, isolated

DESCRIPTORS = descriptors.read()

each = pytest.mark.parametrize("descriptor", DESCRIPTORS, ids=lambda descriptor: descriptor.id)


def test_series_names_every_descriptor_once() -> None:
    files = sorted(str(path.relative_to(DIRECTORY)) for path in DIRECTORY.glob("*/**/*.toml"))
    assert sorted(file for _, file in descriptors.series()) == files


def test_series_has_each_descriptor_below_its_category() -> None:
    named = [(category, DIRECTORY / file) for category, file in descriptors.series()]
    assert named == [(descriptor.category, descriptor.path) for descriptor in DESCRIPTORS]


def test_ids_are_the_paths() -> None:
    paths = [".".join(d.path.relative_to(DIRECTORY).with_suffix("").parts) for d in DESCRIPTORS]
    assert [descriptor.id for descriptor in DESCRIPTORS] == paths
    assert len(set(paths)) == len(paths)


def test_dependencies_come_first() -> None:
    before: set[str] = set()
    for descriptor in DESCRIPTORS:
        assert before.issuperset(descriptor.depends_on), descriptor.id
        before.add(descriptor.id)


@each
def test_fields_fit_the_seam(descriptor: Descriptor) -> None:
    assert bool(descriptor.endpoint) == (descriptor.seam == "route")
    assert not descriptor.bound_in or descriptor.seam == "attribute"


@each
def test_names_are_names_and_differ(descriptor: Descriptor) -> None:
    names = [*descriptor.names, descriptor.replacement]
    assert [name for name in names if not re.fullmatch(r"[\w.]+:[\w.]+", name)] == []
    assert len(set(names)) == len(names)


@each
def test_reason_and_proof_are_given(descriptor: Descriptor) -> None:
    assert descriptor.why.strip()
    assert descriptor.forwarded in ("no", "not-needed") or descriptor.forwarded.startswith("https:")
    assert (ROOT / descriptor.equivalence).is_file(), f"{descriptor.equivalence} does not exist"
    assert not descriptor.benchmark or (ROOT / descriptor.benchmark).is_file(), f"no {descriptor.benchmark}"


@each
def test_every_supported_release_was_read(descriptor: Descriptor) -> None:
    read = {seen.version: seen for seen in descriptor.seen}
    assert set(descriptors.releases()) <= set(read)
    assert list(read) == [seen.version for seen in descriptor.seen]
    for seen in descriptor.seen:
        assert tuple(seen.watched) == descriptor.watches, f"{seen.version}: refresh it"
        date.fromisoformat(seen.reviewed)


def test_supported_releases_are_those_that_can_be_installed() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    [requirement] = [line.strip(' ",') for line in lines if line.startswith('    "mlflow>')]
    allowed = Requirement(requirement).specifier
    assert descriptors.releases()
    assert all(version in allowed for version in descriptors.releases())
    assert not any(version in allowed for version in descriptors.releases("watched"))


@isolated
def test_replacements_can_be_imported() -> None:
    missing = {}
    for descriptor in DESCRIPTORS:
        try:
            assert callable(fingerprint.resolve(descriptor.replacement))
        except (ImportError, AttributeError) as ex:
            missing[descriptor.id] = str(ex)
    assert not missing, missing


def test_manifest_is_current() -> None:
    text = descriptors.render(descriptors.manifest())
    assert descriptors.MANIFEST_FILE.read_text() == text, "run: python -m mlflow_accel.patching manifest"


def test_manifest_says_what_the_descriptors_say() -> None:
    from mlflow_accel.patching.manifest import MANIFEST

    assert descriptors.manifest() == MANIFEST


def test_descriptor_with_an_unknown_field_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "series").write_text("[core]\ndb/x.toml\n")
    (tmp_path / "db/x.toml").write_text(DESCRIPTORS[0].path.read_text().replace("category =", "kind ="))
    monkeypatch.setattr(descriptors, "DIRECTORY", tmp_path)
    with pytest.raises(ConfigurationError, match="kind"):
        descriptors.read()
