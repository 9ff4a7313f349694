"""What a patch is, and what became of it. Plain data; ``manifest.py`` holds one :class:`Manifest` of it.

A *name* is ``package.module:qualified.name``, of a function, method, class or module constant of upstream's.
A *text* is the fingerprint of such a definition: ``sha256:`` and 64 hexadecimal digits (``fingerprint.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Seam = Literal["attribute", "route", "subclass", "factory", "module", "cli"]
"""How a replacement gets in.

* ``attribute``: the name is set to ``replacement(original)``, in its module and where that was imported.
* ``route``: the Flask view of ``endpoint`` is set to ``replacement(original)``; no module is touched.
* ``subclass``: our class of the store has the method; its builder asks :func:`~mlflow_accel.patching.active`.
* ``factory``: our builder is registered in place of upstream's; it asks likewise.
* ``module``: our stand-in is bound where upstream would import the module; it asks likewise.
* ``cli``: replaced by the command line while upstream's command runs; it asks likewise.
"""


@dataclass(frozen=True)
class Review:
    """The texts that were read, in the releases in which they are the same."""

    releases: tuple[str, ...]
    texts: Mapping[str, str]
    """Name -> text: the target and whatever else the replacement reproduces."""


@dataclass(frozen=True)
class Patch:
    """One upstream function for which we have our own."""

    id: str
    seam: Seam
    upstream: str
    replacement: str
    reviews: tuple[Review, ...]
    endpoint: str = ""
    """The key in ``app.view_functions``, of a ``route``."""
    bound_in: tuple[str, ...] = ()
    """Other upstream modules that import the target by name, of an ``attribute``."""
    depends_on: tuple[str, ...] = ()
    """The ids without which this replacement would be wrong; they come earlier in the manifest."""

    def texts(self, release: str) -> Mapping[str, str] | None:
        """Return the texts that were read in ``release``, or None where nobody read it."""
        return next((review.texts for review in self.reviews if release in review.releases), None)


@dataclass(frozen=True)
class Manifest:
    """Every patch, in the order in which they are applied."""

    releases: tuple[str, ...]
    """The upstream releases that are supported, oldest first."""
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Status:
    """What became of one patch in this process."""

    id: str
    seam: Seam
    upstream: str
    reviewed: bool
    """Whether upstream's code is the code that was read."""
    applied: bool
    """Whether ours is in force: set, or (``subclass``, ``factory``, ``cli``) asked for and granted."""
    reason: str
