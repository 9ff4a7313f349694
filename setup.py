"""Build the compiled modules.

``MLFLOW_ACCEL_BUILD`` says what is built:

* ``compiled`` (default): every module below; one that does not compile fails the install.
* ``pure``: none of them; the plain twins run.
* ``trace``: compiled, with Cython's line tracing, for coverage.
"""

import os
import sys

from setuptools import Extension, setup

# One list each; tests/unit/test_impl.py compares them with the files and with what reports itself compiled.
# PERF: the gain over the plain form is what `python -m benchmarks.micro` printed, CPython 3.11.
CYTHON_MODULES = [
    # texts: 10 times for 1, 22 for 1000; int64s: 12 and 35; doubles: 11 and 66.
    "src/mlflow_accel/kernels/_arrays_c.pyx",
    # columns: 3.0 times for 1 metric, 7.6 for 1000; newest: 3.9 and 2.4.
    "src/mlflow_accel/kernels/_batch_c.pyx",
    # From values: 25 times for 1 row, 45 for 1000 (11 times dicts and json, 3.7 msgspec); from arrays: 38 and 82.
    "src/mlflow_accel/kernels/_rows_c.pyx",
]
MYPYC_MODULES = [
    # 1.4 times for 20 batches of 1 metric, 1.3 of 10, 1.1 of 1000.
    # Not handlers/metrics, 0.96 to 1.01: its calls go to msgspec, the kernel and the store, and none is mypyc's.
    "src/mlflow_accel/store/columns.py",
]
MYPYC_GROUP = "mlflow_accel.store.compiled"
"""Names the library that they share, ``store/compiled__mypyc``, which mypyc would else put at top level."""

# Never -Ofast or -ffast-math: they flush subnormal numbers to zero, in the whole process.
COMPILE_ARGS = ["-O2"]


def extensions(build: str) -> list[Extension]:
    """The extension modules of ``build``; raises ``SystemExit`` for a value that means nothing."""
    if build == "pure":
        return []
    if build not in ("compiled", "trace"):
        sys.exit(f"MLFLOW_ACCEL_BUILD={build!r}: use 'compiled', 'pure' or 'trace'.")
    from Cython.Build import cythonize
    from mypyc.build import mypycify

    trace = build == "trace"
    kernels = [
        Extension(
            path.removeprefix("src/").removesuffix(".pyx").replace("/", "."),
            [path],
            extra_compile_args=COMPILE_ARGS,
            define_macros=[("CYTHON_TRACE_NOGIL", "1")] if trace else [],
        )
        for path in CYTHON_MODULES
    ]
    directives = {"language_level": "3", "linetrace": trace}
    return [
        *cythonize(kernels, build_dir="build", compiler_directives=directives),  # type: ignore[no-untyped-call]
        *mypycify(MYPYC_MODULES, opt_level="2", group_name=MYPYC_GROUP),
    ]


setup(ext_modules=extensions(os.environ.get("MLFLOW_ACCEL_BUILD", "compiled")))
