"""OpenTelemetry spans: the API alone, which does nothing until an operator installs an exporter."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import context, propagate, trace

_tracer = trace.get_tracer("muniment")


def spanned(name: str) -> AbstractContextManager[object]:
    """A span around the body, when an exporter listens; Problems and defects mark it failed."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return nullcontext()
    return _tracer.start_as_current_span(name)


def inject(headers: dict[str, str]) -> None:
    """Write the present trace into `headers` (W3C Trace Context)."""
    propagate.inject(headers)


@contextmanager
def continuing(headers: Mapping[str, str]) -> Iterator[None]:
    """Inside, spans belong to the trace that `headers` name, if they name one."""
    if "traceparent" not in headers:
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)
