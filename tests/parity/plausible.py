"""For each route, a request that a client might send: its path, query and body name what was seeded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import cast
from urllib.parse import quote, urlencode

from google.protobuf.descriptor import Descriptor
from mlflow.protos import databricks_pb2
from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
from mlflow.protos.model_registry_pb2 import ModelRegistryService
from mlflow.protos.service_pb2 import MlflowService
from mlflow.protos.webhooks_pb2 import WebhookService

from tests.parity.bodies import BODIES, NAMES, PATHS, QUERIES, VALUES
from tests.parity.routes import Route
from tests.parity.templates import Ids, fill
from tests.support.http import Request, json_request

SERVICES = (MlflowService, ModelRegistryService, MlflowArtifactsService, WebhookService)


@cache
def _messages() -> dict[str, Descriptor]:
    """Return the request message of each route that has one, by the route's key."""
    found = {}
    for service in SERVICES:
        for method in service.DESCRIPTOR.methods:
            for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                path = re.sub(r"{(?:\w+\.)?(\w+)}", r"<\1>", endpoint.path)
                found[f"{endpoint.method} {endpoint.since.major}.0{path}"] = method.input_type
    return found


def _from_message(route: Route) -> dict[str, object]:
    """Return a value for each field of the route's message whose name says what belongs there."""
    message = _messages().get(route.key)
    if message is None:
        return {}
    in_path = set(re.findall(r"<(?:\w+:)?(\w+)>", route.rule))
    values = _values(route)
    return {
        field.name: values[field.name]
        for field in message.fields
        if field.name in values and field.name not in in_path
    }


def _values(route: Route) -> dict[str, object]:
    """Return the values of fields and path parameters, by their name."""
    area = route.rule.split("/mlflow/")[-1].split("/")[0]
    return {**VALUES, "name": NAMES.get(area, "name $set")}


def _path(route: Route, ids: Ids) -> str:
    """Return the route's path with each parameter replaced by what was seeded."""
    values = {**_values(route), **PATHS.get(route.key, {})}

    def value(match: re.Match[str]) -> str:
        return quote(cast(str, fill(values[match.group(1)], ids)))

    return re.sub(r"<(?:\w+:)?(\w+)>", value, route.rule)


def plausible(route: Route, ids: Ids) -> Request:
    """Return a request for ``route`` that works on what ``ids`` names."""
    content = BODIES.get(route.key)
    if content is None:
        content = _from_message(route)
    content = fill(content, ids)
    path = _path(route, ids)
    query = content if route.method == "GET" else fill(QUERIES.get(route.key, {}), ids)
    if query:
        path += "?" + urlencode(cast("Mapping[str, object]", query), doseq=True)
    if route.method == "GET":
        return Request("GET", path)
    if isinstance(content, str):
        return Request(route.method, path, body=content.encode())
    return json_request(route.method, path, content)


def absent(route: Route) -> str:
    """Return the route's path with parameters that name nothing."""
    return re.sub(r"<(?:\w+:)?\w+>", "absent", route.rule)
