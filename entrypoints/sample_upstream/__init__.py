"""The sample upstream: real local APIs for the demo, the tests and the benchmarks."""

from entrypoints.sample_upstream.assets import ASSETS_FILE
from entrypoints.sample_upstream.faults import FAULTS, Fault
from entrypoints.sample_upstream.received import ReceivedRequest
from entrypoints.sample_upstream.server import SampleUpstream, serve
from entrypoints.sample_upstream.subjects import settings_for

__all__ = [
    "ASSETS_FILE",
    "FAULTS",
    "Fault",
    "ReceivedRequest",
    "SampleUpstream",
    "serve",
    "settings_for",
]
