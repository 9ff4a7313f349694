"""The command group: upstream's, `server` replaced, `doctor` extended, `status` added. Import it after patching."""

from __future__ import annotations

import copy
import functools
from typing import Any

import click
import mlflow.cli
from mlflow.version import VERSION

from mlflow_accel import __version__
from mlflow_accel.diagnosis.commands import doctor, status
from mlflow_accel.errors import AccelError


class _Group(mlflow.cli.AliasedGroup):  # type: ignore[misc]
    """Upstream's group, in which ``ui`` is another name of ``server``; our errors are shown without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AccelError as ex:
            raise click.ClickException(str(ex)) from ex


def _server() -> click.Command:
    """Return upstream's ``server`` command, every option and text of it, ending in gunicorn in this process."""
    command: click.Command = copy.copy(mlflow.cli.cli.commands["server"])
    upstream = command.callback
    assert upstream is not None

    @functools.wraps(upstream)
    def server(**params: Any) -> None:
        from mlflow_accel.server import arbiter, launch

        arbiter.run(launch.prepare(upstream, params))

    command.callback = server
    return command


def _show_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"mlflow-accel {__version__}, mlflow {VERSION}")
        ctx.exit()


cli = _Group(
    name="mlflow-accel",
    help="MLflow's command line, with `server` and `ui` made fast.",
    commands={
        **mlflow.cli.cli.commands,
        "server": _server(),
        "status": status,
        "doctor": doctor(mlflow.cli.cli.commands["doctor"]),
    },
    params=[
        *(p for p in mlflow.cli.cli.params if p.name != "version"),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            help="Show the versions and exit.",
            callback=_show_versions,
        ),
    ],
    callback=mlflow.cli.cli.callback,
)
