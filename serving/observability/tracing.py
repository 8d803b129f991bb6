"""OpenTelemetry spans of requests and their stages, if the SDK is installed and an endpoint is set."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec

from serving.logs import event
from serving.ranking.request_trace import RequestTrace

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SDK = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")

SendSpans = Callable[[Mapping[str, str], str, RequestTrace], None]
"""Takes the headers, outcome and trace of an answered request; the SDK's own thread exports the spans."""


def tracing() -> SendSpans | None:
    """Return the function that records a request's spans; ``None`` without an endpoint or the SDK's packages."""
    if not any(name in os.environ for name in ENDPOINTS):
        return None
    if not all(_installed(name) for name in SDK):
        packages = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
        event(logging.WARNING, "no traces", reason=f"an endpoint is set, but {packages} are not installed")
        return None
    return _with_sdk()


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _with_sdk() -> SendSpans:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.propagate import extract
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, set_span_in_context

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "ranker"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("ranker.serving")

    def send(headers: Mapping[str, str], outcome: str, trace: RequestTrace) -> None:
        begun = time.time_ns() - int((time.monotonic() - trace.begun) * 1e9)
        facts: dict[str, str | int] = {"ranker.outcome": outcome}
        if route := trace.route:
            facts |= {"ranker.model": route.model, "ranker.version": route.version, "ranker.group": route.group}
        span = tracer.start_span(
            "POST /rank", context=extract(headers), kind=SpanKind.SERVER, attributes=facts, start_time=begun
        )
        parent = set_span_in_context(span)
        for stage, seconds in list(trace.seconds.items()):  # a thread may still be in a stage
            end = begun + int(seconds * 1e9)
            tracer.start_span(stage, context=parent, start_time=begun).end(end)
            begun = end
        span.end(begun)

    return send
