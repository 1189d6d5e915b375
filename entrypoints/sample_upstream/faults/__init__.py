"""All faults, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from entrypoints.sample_upstream.faults.cells import CELLS
from entrypoints.sample_upstream.faults.connection import CONNECTION
from entrypoints.sample_upstream.faults.content import CONTENT
from entrypoints.sample_upstream.faults.encoding import ENCODING
from entrypoints.sample_upstream.faults.fault import Fault
from entrypoints.sample_upstream.faults.framing import FRAMING
from entrypoints.sample_upstream.faults.headers import HEADERS
from entrypoints.sample_upstream.faults.pagination import PAGINATION
from entrypoints.sample_upstream.faults.points import POINTS
from entrypoints.sample_upstream.faults.quotes import QUOTES
from entrypoints.sample_upstream.faults.records import RECORDS
from entrypoints.sample_upstream.faults.redirects import REDIRECTS
from entrypoints.sample_upstream.faults.status import STATUS

__all__ = ["FAMILIES", "FAULTS", "Fault", "find_fault"]

FAMILIES: Mapping[str, Mapping[str, Fault]] = {
    "Refusals and limits": STATUS,
    "The connection": CONNECTION,
    "Framing": FRAMING,
    "Compression": ENCODING,
    "The body as text": CONTENT,
    "Records": RECORDS,
    "Headers": HEADERS,
    "Pages": PAGINATION,
    "Redirects": REDIRECTS,
    "The CSV": CELLS,
    "Telemetry points": POINTS,
    "Tickers": QUOTES,
}
"""The faults by kind, for people."""


def _order(name: str) -> tuple[int, int]:
    number = name.partition("-")[0].removeprefix("U")
    return (0, int(number)) if number.isdecimal() else (1, 0)


def _merged() -> dict[str, Fault]:
    pairs = [pair for family in FAMILIES.values() for pair in family.items()]
    # Sorting is stable: faults with one number, or without one, keep the order of the tables.
    return dict(sorted(pairs, key=lambda pair: _order(pair[0])))


FAULTS: Mapping[str, Fault] = MappingProxyType(_merged())
"""Every fault by name: the numbered ones in order, then those of one subject."""


def find_fault(name: str) -> Fault | None:
    """Return the fault of that name; a bare number such as U1 means its first variant."""
    if name in FAULTS:
        return FAULTS[name]
    return next((fault for key, fault in FAULTS.items() if key.startswith(f"{name}-")), None)
