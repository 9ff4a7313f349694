"""Upstream's record of a server's start crosses the fork; no thread and no other record does."""

from __future__ import annotations

from tests.patches.interpreter import isolated


@isolated
def test_the_start_is_handed_over_and_nothing_else() -> None:
    import threading

    from mlflow.telemetry import client as upstream
    from mlflow.telemetry.events import CreateRunEvent, TrackingServerStartEvent
    from mlflow.telemetry.track import _record_event

    from mlflow_accel.server import telemetry

    threads = threading.active_count()
    client = upstream.TelemetryClient()
    upstream._set_telemetry_client(client)
    telemetry.hold()
    _record_event(TrackingServerStartEvent, {"workers": 2})
    _record_event(CreateRunEvent, {})
    assert threading.active_count() == threads, "a thread would have to be ended before the fork"
    telemetry.put_away()
    assert upstream.get_telemetry_client() is not client

    later = upstream.TelemetryClient()
    later.activate = lambda: None  # nothing is to be sent anywhere from a test
    upstream._set_telemetry_client(later)
    telemetry.release()
    assert [record.event_name for record in later._pending_records] == ["tracking_server_start"]
