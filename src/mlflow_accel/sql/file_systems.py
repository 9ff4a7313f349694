"""Whether a file lies on this machine: SQLite's write-ahead log needs memory that all its users share."""

from __future__ import annotations

from pathlib import Path

NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre", "afs"}
"""File systems, in the kernel's names, that do not give it."""

MOUNTS = Path("/proc/self/mounts")


def kind(path: Path) -> str:
    """Return the kernel's name of the file system of ``path``; '' where it does not tell (Linux does)."""
    if not MOUNTS.exists():
        return ""
    real, best, found = path.resolve(), "", ""
    for line in MOUNTS.read_text().splitlines():
        _, point, file_system, *_ = line.split(" ")
        folder = point.replace("\\040", " ")
        if len(folder) >= len(best) and real.is_relative_to(folder):
            best, found = folder, file_system
    return found


def is_local(path: Path) -> bool:
    """Return whether ``path`` lies on a file system of this machine, as far as the system tells."""
    return kind(path) not in NETWORK
