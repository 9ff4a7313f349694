"""Put our functions in the place of upstream's, where upstream's are still those that were read.

Whatever differs is left alone: an unknown release, a changed text, a view that somebody else has replaced.
Each such finding is logged once, or raised under ``MLFLOW_ACCEL_STRICT=1`` before anything is replaced.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mlflow_accel import config
from mlflow_accel.errors import UpstreamDrift
from mlflow_accel.patching import fingerprint
from mlflow_accel.patching.manifest import MANIFEST
from mlflow_accel.patching.model import Manifest, Patch, Status

if TYPE_CHECKING:
    from flask import Flask

_logger = logging.getLogger("mlflow_accel.patching")

_EXTENSION = "mlflow_accel.patching"
"""The key in ``app.extensions`` below which an app keeps the views that we gave it."""


@dataclass(frozen=True)
class _Drift:
    """Why patches are left out: one whose upstream code is not what was read, and its dependants."""

    ids: tuple[str, ...]
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"{', '.join(self.ids)}: upstream's code stays; expected {self.expected}, found {self.found}; "
            f"more: python -m mlflow_accel.patching check"
        )


@dataclass(frozen=True)
class _Replaced:
    holder: object
    attribute: str
    original: object
    ours: object


class Patcher:
    """Applies one manifest to this process."""

    def __init__(self, manifest: Manifest = MANIFEST) -> None:
        self._patches = {patch.id: patch for patch in manifest.patches}
        self._releases = manifest.releases
        self._decided: dict[str, _Drift | None] = {}
        self._texts: dict[str, str] = {}
        self._told: set[_Drift] = set()
        self._replaced: dict[str, _Replaced] = {}
        self._routed: dict[str, _Drift | None] = {}
        self._granted: set[str] = set()

    def apply_all(self, seams: Iterable[str]) -> list[Status]:
        """Decide on every patch of the given seams, and apply those of the seam ``attribute``.

        The other seams need what only the caller has: see :meth:`apply_routes` and :meth:`active`. A patch
        that is applied already stays as it is; ``cli`` is passed over.

        Raises:
            UpstreamDrift: strict mode is on and upstream's code differs; nothing was replaced.
        """
        wanted = set(seams) - {"cli"}
        patches = [patch for patch in self._patches.values() if patch.seam in wanted]
        self._tell(self._drift(patch) for patch in patches)
        for patch in patches:
            if patch.seam == "attribute" and self._drift(patch) is None:
                self._set(patch)
        return [self._status(patch) for patch in patches]

    def apply_routes(self, app: Flask) -> list[Status]:
        """Replace the views of ``app``, which must be the app that upstream's modules hold now.

        Raises:
            UpstreamDrift: strict mode is on and a view is not the one that was read; nothing was replaced.
        """
        patches = [patch for patch in self._patches.values() if patch.seam == "route"]
        ours: dict[str, object] = app.extensions.setdefault(_EXTENSION, {})
        for patch in patches:
            self._routed[patch.id] = self._drift(patch) or self._foreign_view(patch, app, ours)
        self._tell(self._routed.values())
        for patch in patches:
            if self._routed[patch.id] is None and patch.id not in ours:
                view = _factory(patch)(app.view_functions[patch.endpoint])
                ours[patch.id] = app.view_functions[patch.endpoint] = view
        return [self._status(patch) for patch in patches]

    def active(self, id: str) -> bool:
        """Return whether the upstream code that ``id`` replaces is the code that was read.

        Raises:
            KeyError: there is no such patch.
            UpstreamDrift: strict mode is on and it is not.
        """
        drift = self._drift(self._patches[id])
        self._tell([drift])
        if drift is None:
            self._granted.add(id)
        return drift is None

    def report(self) -> list[Status]:
        """Return the status of every patch, in the order of the manifest; logs and raises nothing."""
        return [self._status(patch) for patch in self._patches.values()]

    def revert(self) -> None:
        """Put upstream's own objects back where :meth:`apply_all` replaced them."""
        for id, replaced in self._replaced.items():
            _rebind(self._patches[id], replaced, replaced.ours, replaced.original)
        self._replaced.clear()

    def _drift(self, patch: Patch) -> _Drift | None:
        """Return why upstream's code must stay, or None; decided once per process."""
        if patch.id not in self._decided:
            needed = (self._drift(self._patches[id]) for id in patch.depends_on)
            self._decided[patch.id] = next(filter(None, needed), None) or self._examine(patch)
        return self._decided[patch.id]

    def _examine(self, patch: Patch) -> _Drift | None:
        from mlflow.version import VERSION

        if VERSION not in self._releases:
            known = f"MLflow {' or '.join(self._releases)}"
            return _Drift(tuple(self._patches), known, f"MLflow {VERSION}")
        texts = patch.texts(VERSION)
        if texts is None:
            return _Drift(self._with_dependants(patch.id), f"a review of it in MLflow {VERSION}", "none")
        differing = {name: text for name, text in texts.items() if not self._is(name, text)}
        if not differing:
            return None
        expected = ", ".join(f"{name} {_short(text)}" for name, text in differing.items())
        found = ", ".join(_short(self._text(name)) for name in differing)
        return _Drift(self._with_dependants(patch.id), expected, f"{found} in MLflow {VERSION}")

    def _is(self, name: str, text: str) -> bool:
        """Return whether the text of upstream's own ``name`` is ``text``."""
        if name not in self._texts:
            with suppress(ImportError, AttributeError):
                if fingerprint.is_likely(name, self._original(name) if _is_loaded(name) else None, text):
                    self._texts[name] = text
        return self._text(name) == text

    def _text(self, name: str) -> str:
        """Return the text of upstream's own ``name``, or why there is none."""
        if name not in self._texts:
            try:
                self._texts[name] = fingerprint.live(name, self._original(name))
            except (ImportError, AttributeError, LookupError, OSError, TypeError) as ex:
                self._texts[name] = f"nothing ({ex})"
        return self._texts[name]

    def _original(self, name: str) -> object:
        """Return upstream's own ``name``, also where ours has taken its place."""
        mine = (r.original for id, r in self._replaced.items() if self._patches[id].upstream == name)
        return next(mine, None) or fingerprint.resolve(name)

    def _with_dependants(self, id: str) -> tuple[str, ...]:
        ids = [id]
        for patch in self._patches.values():  # a dependant comes after what it needs
            if not set(ids).isdisjoint(patch.depends_on):
                ids.append(patch.id)
        return tuple(ids)

    def _foreign_view(self, patch: Patch, app: Flask, ours: dict[str, object]) -> _Drift | None:
        """Return a finding where the endpoint is served by neither upstream's view nor ours."""
        view: object = app.view_functions.get(patch.endpoint)
        if view is fingerprint.resolve(patch.upstream) or (view is not None and view is ours.get(patch.id)):
            return None
        name = f"{getattr(view, '__module__', '')}:{getattr(view, '__qualname__', view)}"
        return _Drift((patch.id,), f"{patch.upstream} as the view of {patch.endpoint!r}", name)

    def _tell(self, drifts: Iterable[_Drift | None]) -> None:
        new = [drift for drift in dict.fromkeys(drifts) if drift is not None]
        if new and config.STRICT.get():
            hint = "Without MLFLOW_ACCEL_STRICT=1, upstream's code runs there."
            raise UpstreamDrift("\n".join([*map(str, new), hint]))
        for drift in new:
            if drift not in self._told:
                self._told.add(drift)
                _logger.warning("%s", drift)

    def _set(self, patch: Patch) -> None:
        if patch.id not in self._replaced:
            cut = max(patch.upstream.rfind("."), patch.upstream.rfind(":"))
            holder, attribute = fingerprint.resolve(patch.upstream[:cut]), patch.upstream[cut + 1 :]
            original = getattr(holder, attribute)
            self._replaced[patch.id] = _Replaced(holder, attribute, original, _factory(patch)(original))
        replaced = self._replaced[patch.id]
        _rebind(patch, replaced, replaced.original, replaced.ours)

    def _status(self, patch: Patch) -> Status:
        drift = self._routed.get(patch.id) or self._drift(patch)
        applied = drift is None and patch.id in (self._replaced.keys() | self._routed.keys() | self._granted)
        reason = str(drift) if drift else "applied" if applied else "reviewed; not applied in this process"
        return Status(patch.id, patch.seam, patch.upstream, drift is None, applied, reason)


def _is_loaded(name: str) -> bool:
    """Return whether ``name`` can be looked at without importing its module."""
    return name.partition(":")[0] in sys.modules


def _short(text: str) -> str:
    """Return enough of a fingerprint to recognise it; a reason why there is none stays whole."""
    return text[:19] if text.startswith("sha256:") else text


def _factory(patch: Patch) -> Callable[[object], Any]:
    return cast("Callable[[object], Any]", fingerprint.resolve(patch.replacement))


def _rebind(patch: Patch, replaced: _Replaced, old: object, new: object) -> None:
    """Set ``new`` wherever ``old`` is bound; a module imported later takes it from the defining one."""
    for holder in [replaced.holder, *(sys.modules.get(module) for module in patch.bound_in)]:
        if getattr(holder, replaced.attribute, None) is old:
            setattr(holder, replaced.attribute, new)
