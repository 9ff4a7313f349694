"""What we replace of upstream's, whether it is still what was read, and what became of it in this process.

``patches/`` describes each replaced function; this package carries what is needed of it at run time, in
``manifest.py``, and ``python -m mlflow_accel.patching`` keeps the two together.
"""

from mlflow_accel.patching.apply import Patcher
from mlflow_accel.patching.model import Manifest, Patch, Review, Status

_patcher = Patcher()

apply_all = _patcher.apply_all
apply_routes = _patcher.apply_routes
active = _patcher.active
report = _patcher.report
revert = _patcher.revert

__all__ = [
    "Manifest",
    "Patch",
    "Patcher",
    "Review",
    "Status",
    "active",
    "apply_all",
    "apply_routes",
    "report",
    "revert",
]
