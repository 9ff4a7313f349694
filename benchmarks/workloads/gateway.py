"""Answers of a language model, streamed through the gateway to many clients, and ``/health`` beside them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import replace
from typing import Any

from benchmarks import provider, stats
from benchmarks.alone import AloneWorkload
from benchmarks.bench import Bench
from benchmarks.client import Client
from benchmarks.databases import POSTGRESQL
from benchmarks.failures import CheckFailed
from benchmarks.kinds import Kind
from benchmarks.results import Figure, ServerResult
from benchmarks.sampler import Sampler
from benchmarks.servers import Server

WORKERS = 2
STREAMS = 50
INTERVAL = 0.02
API = "/api/3.0/mlflow/gateway"
CHAT = "/gateway/mlflow/v1/chat/completions"
VARIABLES = {
    # The provider is on this machine, and has no certificate.
    "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http",
    "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
}

FIGURES = [
    Figure("first_p50", "first word after, ms: p50", digits=0),
    Figure("first_p99", "p99", compared=True, digits=0),
    Figure("behind_p99", "words behind the provider's pace, ms: p99", digits=0),
    Figure("health_p50", "/health beside them, ms: p50"),
    Figure("health_p99", "p99", compared=True),
    Figure("cpu", "CPU ms per word", compared=True, digits=2),
]


def _measure(bench: Bench, kind: Kind, row: ServerResult) -> dict[str, float]:
    near = replace(kind, variables=lambda: {**kind.variables(), **VARIABLES})
    with (
        provider.running() as url,
        bench.databases(POSTGRESQL).with_schema(kind.name) as database,
        bench.running(near, database, WORKERS) as server,
    ):
        _add_endpoint(server, url)
        # What is started by need is there when the measurement begins.
        _words(server, [])
        server.wait_until_settled()
        sampler = Sampler(server.port, "/health", INTERVAL)
        before = server.cpu_seconds()
        times: list[list[float]] = [[] for _ in range(STREAMS)]
        clients = [threading.Thread(target=_words, args=(server, each)) for each in times]
        try:
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            used = server.cpu_seconds() - before
        finally:
            samples = sampler.stop()
    if any(len(each) != provider.WORDS for each in times):
        raise CheckFailed(
            f"of {STREAMS} streams {sum(len(each) != provider.WORDS for each in times)} broke off"
        )
    first = [each[0] * 1000 for each in times]
    behind = [
        (said - each[0] - number / provider.WORDS_PER_SECOND) * 1000
        for each in times
        for number, said in enumerate(each)
    ]
    health = [sample.seconds * 1000 for sample in samples]
    return {
        "first_p50": stats.percentile(first, 50),
        "first_p99": stats.percentile(first, 99),
        "behind_p99": stats.percentile(behind, 99),
        "health_p50": stats.percentile(health, 50),
        "health_p99": stats.percentile(health, 99),
        "cpu": used * 1000 / (STREAMS * provider.WORDS),
    }


def _add_endpoint(server: Server, url: str) -> None:
    with Client(server.port) as client:

        def post(path: str, **fields: Any) -> Any:
            return json.loads(client.send("POST", f"{API}/{path}", json.dumps(fields)))

        secret = post(
            "secrets/create",
            secret_name="bench",
            secret_value={"api_key": "sk-12345678"},
            provider="openai",
            auth_config={"api_base": url},
        )
        model = post(
            "model-definitions/create",
            name="bench",
            secret_id=secret["secret"]["secret_id"],
            provider="openai",
            model_name="m",
        )
        definition = model["model_definition"]["model_definition_id"]
        config = {"model_definition_id": definition, "linkage_type": "PRIMARY", "weight": 1.0}
        post("endpoints/create", name="bench", model_configs=[config])


def _words(server: Server, times: list[float]) -> None:
    """Have one answer streamed; add the seconds from the request to each of its words to ``times``."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    start = time.monotonic()
    try:
        asked = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "talk"}]}
        connection.request("POST", CHAT, json.dumps(asked), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"data: {"):
                times.append(time.monotonic() - start)
    except (OSError, http.client.HTTPException):
        pass  # too few words are what is reported
    finally:
        connection.close()


WORKLOAD = AloneWorkload(
    "gateway",
    f"the gateway: {STREAMS} answers streamed at once, {provider.WORDS_PER_SECOND} words/s each, {WORKERS} workers",
    FIGURES,
    _measure,
)
