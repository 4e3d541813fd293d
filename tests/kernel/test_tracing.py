"""Spans: none without a provider; with one, calls nest, also over a header."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio, json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from muniment.kernel.tracing import continuing, inject, spanned

with spanned("before"):
    headers = {}
    inject(headers)
    assert not headers
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with spanned("outer"):
    headers = {}
    inject(headers)
with continuing(headers), spanned("inner"):
    pass
with continuing({}), spanned("alone"):
    pass
spans = {s.name: s for s in exporter.get_finished_spans()}
print(json.dumps({
    "names": sorted(spans),
    "joined": spans["inner"].parent.span_id == spans["outer"].context.span_id,
    "alone": spans["alone"].parent is None,
}))
"""


def test_spans_nest_over_a_header_and_cost_nothing_without_a_provider():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"names": ["alone", "inner", "outer"], "joined": True, "alone": True}
