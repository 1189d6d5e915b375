"""The sample upstream: real local APIs for the demo, the tests and the benchmarks."""

from entrypoints.upstream.assets import ASSETS_FILE
from entrypoints.upstream.faults import FAULTS, Fault
from entrypoints.upstream.received import ReceivedRequest
from entrypoints.upstream.server import SampleUpstream, serve
from entrypoints.upstream.subjects import settings_for

__all__ = [
    "ASSETS_FILE",
    "FAULTS",
    "Fault",
    "ReceivedRequest",
    "SampleUpstream",
    "serve",
    "settings_for",
]
