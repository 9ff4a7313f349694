"""``mlflow-accel status`` and ``mlflow-accel doctor``."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import click

from mlflow_accel.server.arbiter import DEFAULT_WORKERS

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command()
@_JSON
def status(as_json: bool) -> None:
    """Show what is installed, and this user's running servers: workers, database, patches, fast requests."""
    from mlflow_accel.diagnosis import overview, render

    facts = overview.collect()
    if as_json:
        click.echo(json.dumps(facts))
    else:
        render.overview(render.console(), facts)


def doctor(upstream: click.Command) -> click.Command:
    """Return ``doctor``: with a URI it examines a database, without one it is upstream's own command."""

    @click.command(params=[*upstream.params])
    @click.argument("uri", required=False)
    @click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=DEFAULT_WORKERS,
        show_default=True,
        help="With URI: the workers of the server whose connections are to fit.",
    )
    @_JSON
    @click.pass_context
    def doctor(ctx: click.Context, /, uri: str | None, workers: int, as_json: bool, **options: Any) -> None:
        """Check the database at URI, without changing anything. Exits with 1 if there is a problem.

        Looks at the driver, the connection, the revision of the schema, primary keys and indexes, a SQLite
        file's place and journal, and whether the database has connections enough for a server. Set
        MLFLOW_SQLALCHEMYSTORE_* as for the server.

        Without URI: MLflow's own `doctor`, which prints this installation's versions and settings.
        """
        if uri is None:
            if as_json:
                raise click.UsageError("--json needs a URI.")
            ctx.invoke(upstream, **options)
            return
        from mlflow_accel.diagnosis import examination, render
        from mlflow_accel.diagnosis.findings import Level

        found = examination.examine(uri, workers)
        if as_json:
            click.echo(json.dumps({"findings": [dataclasses.asdict(finding) for finding in found]}))
        else:
            render.findings(render.console(), found)
        sys.exit(any(finding.level is Level.PROBLEM for finding in found))

    return doctor
