"""Read ``patches/``; write its ``[[seen]]`` blocks and ``manifest.py``. Not used at run time."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlflow_accel.errors import ConfigurationError
from mlflow_accel.patching.fingerprint import Release
from mlflow_accel.patching.model import Manifest, Patch, Review, Seam

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DIRECTORY = Path("patches").absolute()
MANIFEST_FILE = Path("src/mlflow_accel/patching/manifest.py").absolute()
"""Descriptors are no part of an installation: the tool works on the checkout in which it is called."""


@dataclass(frozen=True)
class Seen:
    """The texts of one patch in one release, as somebody read them on a day."""

    version: str
    reviewed: str
    signature: str
    target: str
    watched: Mapping[str, str]


@dataclass(frozen=True)
class Descriptor:
    """One file of ``patches/``; its README says what each field means."""

    path: Path
    id: str
    category: Literal["core", "extra"]
    seam: Seam
    upstream: str
    replacement: str
    why: str
    benchmark: str
    equivalence: str
    forwarded: str
    watches: tuple[str, ...]
    bound_in: tuple[str, ...]
    depends_on: tuple[str, ...]
    seen: tuple[Seen, ...]
    endpoint: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every upstream name whose text matters to this patch, the target first."""
        return (self.upstream, *self.watches)


def releases(status: str = "supported") -> tuple[str, ...]:
    """Return the upstream releases of that status in ``upstream.toml``, oldest first."""
    table = tomllib.loads((DIRECTORY / "upstream.toml").read_text(encoding="utf-8"))
    return tuple(release["version"] for release in table["release"] if release["status"] == status)


def series() -> tuple[tuple[str, str], ...]:
    """Return ``(category, file)`` per line of ``series``, in order."""
    category, entries = "", []
    for line in (DIRECTORY / "series").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[]")
        elif line.strip() and not line.startswith("#"):
            entries.append((category, line.strip()))
    return tuple(entries)


def read() -> tuple[Descriptor, ...]:
    """Return every descriptor that ``series`` names, in that order."""
    return tuple(_read(DIRECTORY / file) for _, file in series())


def _read(path: Path) -> Descriptor:
    fields: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        seen = tuple(Seen(**block) for block in fields.pop("seen", []))
        fields |= {key: tuple(fields[key]) for key in ("watches", "bound_in", "depends_on")}
        return Descriptor(path, **fields, seen=seen)
    except (KeyError, TypeError) as ex:
        raise ConfigurationError(f"{path}: {ex}; the fields are listed in patches/README.md") from None


def refresh(descriptor: Descriptor, release: Release, reviewed: str) -> None:
    """Write the texts of ``release`` into its ``[[seen]]`` block, replacing one of the same version."""
    new = Seen(
        release.version,
        reviewed,
        release.signature(descriptor.upstream),
        release.text(descriptor.upstream),
        {name: release.text(name) for name in descriptor.watches},
    )
    order = releases()
    if new.version not in order:
        raise ConfigurationError(f"MLflow {new.version} is not supported in patches/upstream.toml")
    blocks = {seen.version: seen for seen in (*descriptor.seen, new)}
    dropped = [version for version in blocks if version not in order]
    ordered = [blocks[version] for version in (*dropped, *order) if version in blocks]
    head = descriptor.path.read_text(encoding="utf-8").partition("\n[[seen]]")[0].rstrip()
    text = "\n\n".join([head, *map(_render_seen, ordered)]) + "\n"
    descriptor.path.write_text(text, encoding="utf-8")


def _render_seen(seen: Seen) -> str:
    # A JSON string of printable text is a TOML string too.
    lines = [
        "[[seen]]",
        f"version = {json.dumps(seen.version)}",
        f"reviewed = {json.dumps(seen.reviewed)}",
        f"signature = {json.dumps(seen.signature)}",
        f"target = {json.dumps(seen.target)}",
        "[seen.watched]",
        *(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in seen.watched.items()),
    ]
    return "\n".join(lines)


def manifest() -> Manifest:
    """Return the manifest that ``patches/`` describes."""
    supported = releases()
    return Manifest(supported, tuple(_patch(descriptor, supported) for descriptor in read()))


def _patch(descriptor: Descriptor, supported: tuple[str, ...]) -> Patch:
    reviews: list[Review] = []
    for seen in descriptor.seen:
        texts = {descriptor.upstream: seen.target, **seen.watched}
        same = next((review for review in reviews if review.texts == texts), None)
        if seen.version not in supported:
            continue
        if same is not None:
            reviews.remove(same)
        reviews.append(Review((*(same.releases if same else ()), seen.version), texts))
    return Patch(
        descriptor.id,
        descriptor.seam,
        descriptor.upstream,
        descriptor.replacement,
        tuple(reviews),
        descriptor.endpoint,
        descriptor.bound_in,
        descriptor.depends_on,
    )


def render(manifest: Manifest) -> str:
    """Return the text of ``manifest.py``."""
    patches = "".join(map(_render_patch, manifest.patches))
    return (
        '"""DO NOT EDIT: made from patches/ by `python -m mlflow_accel.patching manifest`."""\n\n'
        "from mlflow_accel.patching.model import Manifest, Patch, Review\n\n"
        f"PATCHES = (\n{patches})\n\n"
        f"MANIFEST = Manifest(releases={_tuple(manifest.releases, 0)}, patches=PATCHES)\n"
    )


def _render_patch(patch: Patch) -> str:
    lines = [f"    Patch(\n        id={json.dumps(patch.id)},"]
    for key in ("seam", "upstream", "replacement", "endpoint"):
        if value := getattr(patch, key):
            lines.append(f"        {key}={json.dumps(value)},")
    for key in ("bound_in", "depends_on"):
        if values := getattr(patch, key):
            lines.append(f"        {key}={_tuple(values, 8)},")
    lines.append("        reviews=(")
    for review in patch.reviews:
        lines.append(f"            Review(releases={_tuple(review.releases, 0)}, texts={{")
        for name, text in review.texts.items():
            lines += [f"                {json.dumps(name)}:", f"                    {json.dumps(text)},"]
        lines.append("            }),")
    return "\n".join([*lines, "        ),\n    ),"]) + "\n"


def _tuple(values: tuple[str, ...], indent: int) -> str:
    """Return Python's text of a tuple, on one line (``indent`` 0) or with one value per line."""
    before, after = (f"\n{' ' * (indent + 4)}", f"\n{' ' * indent}") if indent else ("", "")
    between = f",{before or ' '}"
    last = "," if indent or len(values) == 1 else ""
    return f"({before}{between.join(map(json.dumps, values))}{last}{after})"
