"""The sample upstream: a real local API for the demo, the tests and the benchmarks."""

from entrypoints.upstream.faults import FAULTS, Fault
from entrypoints.upstream.received import Received
from entrypoints.upstream.server import SampleUpstream, serve

__all__ = ["FAULTS", "Fault", "Received", "SampleUpstream", "serve"]
