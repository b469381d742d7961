"""What a node shows over HTTP: /metrics for Prometheus, /healthz and /readyz for whoever restarts or routes."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from marketplace.node.telemetry.exporter import Identity, NodeCollector
from marketplace.node.telemetry.health import Patience, Verdict, alive, ready
from marketplace.node.telemetry.probe import Probe
from marketplace.node.telemetry.record import Record


def create_app(identity: Identity, record: Record, probe: Probe, patience: Patience | None = None) -> FastAPI:
    """The pages of one node. Health is {"ok", "reasons", ..}, with status 200, or 503 where it is not ok."""
    limits = patience or Patience()
    registry = CollectorRegistry()
    registry.register(NodeCollector(identity, record, probe, limits))
    app = FastAPI(openapi_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        snapshot = record.snapshot()
        loops = {
            loop.name: {
                "idle_s": round(snapshot.at - loop.turned_at, 1),
                "busy": None if loop.busy is None else str(loop.busy),
                "error": loop.error,
            }
            for loop in snapshot.loops
        }
        return _answer(alive(snapshot, limits), loops=loops)

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        found = probe.found
        probed = None if found is None else found.probed
        amounts = {} if probed is None else {"balance_wei": probed.balance, "needed_wei": probed.needed}
        shown = {name: None if amount is None else str(amount) for name, amount in amounts.items()}
        return _answer(ready(probed, record.snapshot().at, limits), **shown)

    return app


def _answer(verdict: Verdict, **details: object) -> JSONResponse:
    document = {"ok": verdict.ok, "reasons": list(verdict.reasons), **details}
    return JSONResponse(document, 200 if verdict.ok else 503)
