"""``python -m mlflow_accel.patching``: is upstream's code still what was read, and if not, what next."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from mlflow_accel.errors import AccelError, ConfigurationError
from mlflow_accel.patching.fingerprint import Release
from mlflow_accel.patching.manifest import MANIFEST
from mlflow_accel.patching.model import Patch


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return 0, or 1 where something differs or cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m mlflow_accel.patching", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="compare an upstream release with what was read")
    check.add_argument("id", nargs="*", help="only these patches")
    refresh = commands.add_parser("refresh", help="note that somebody has read a patch's upstream code")
    refresh.add_argument("id")
    refresh.add_argument("--reviewed", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
    for command in (check, refresh):
        command.add_argument("--from", dest="archive", type=Path, help="a wheel or sdist")
    manifest = commands.add_parser("manifest", help="write manifest.py from patches/")
    manifest.add_argument("--check", action="store_true", help="write nothing; fail where it is not current")
    options = parser.parse_args(arguments)
    try:
        if options.command == "manifest":
            return _manifest(options.check)
        release = Release.archive(options.archive) if options.archive else Release.installed()
        if options.command == "check":
            return _check(release, options.id, options.archive)
        return _refresh(release, options.id, options.reviewed)
    except (AccelError, LookupError, OSError) as ex:
        print(f"error: {ex}", file=sys.stderr)
        return 1


def _check(release: Release, ids: list[str], archive: Path | None) -> int:
    if unknown := set(ids) - {patch.id for patch in MANIFEST.patches}:
        raise ConfigurationError(f"no such patch: {', '.join(sorted(unknown))}")
    supported = release.version in MANIFEST.releases
    print(f"MLflow {release.version}, {'supported' if supported else 'not supported'}")
    chosen = [patch for patch in MANIFEST.patches if patch.id in ids or not ids]
    drifted = [patch for patch in chosen if not _same(patch, release)]
    if drifted:
        suffix = f" --from {archive}" if archive else ""
        print("\nRead what changed and whether ours still holds; then, for each id:")
        for patch in drifted:
            print(f"  python -m mlflow_accel.patching refresh {patch.id} --reviewed {date.today()}{suffix}")
    return 1 if drifted or not supported else 0


def _same(patch: Patch, release: Release) -> bool:
    """Print how one patch stands; an unread release is compared with the last one that was read."""
    if not patch.reviews:
        print(f"  {patch.id}: never read")
        return False
    read = patch.texts(release.version)
    last = patch.reviews[-1]
    against = release.version if read else last.releases[-1]
    lines = []
    for name, text in (read or last.texts).items():
        try:
            found = release.text(name)
        except LookupError as ex:
            found = f"none: {ex}"
        if found != text:
            lines.append(f"    {name}\n      read {text}\n      found {found}")
    if lines:
        note = f"differs from {against}"
    else:
        note = "as read" if read else f"unread; same as {against}"
    print("\n".join([f"  {patch.id}: {note}", *lines]))
    return note == "as read"


def _refresh(release: Release, id: str, reviewed: date) -> int:
    from mlflow_accel.patching import descriptors

    descriptor = next((d for d in descriptors.read() if d.id == id), None)
    if descriptor is None:
        raise ConfigurationError(f"no such patch: {id}")
    descriptors.refresh(descriptor, release, reviewed.isoformat())
    print(f"{descriptor.path.name}: MLflow {release.version}, reviewed {reviewed}")
    return _manifest(check=False)


def _manifest(check: bool) -> int:
    from mlflow_accel.patching import descriptors

    text = descriptors.render(descriptors.manifest())
    current = descriptors.MANIFEST_FILE.read_text(encoding="utf-8") == text
    if check and not current:
        print("manifest.py is not current; run: python -m mlflow_accel.patching manifest", file=sys.stderr)
    elif not current:
        descriptors.MANIFEST_FILE.write_text(text, encoding="utf-8")
    return 1 if check and not current else 0


if __name__ == "__main__":
    sys.exit(main())
