"""Everything that can go wrong with the posts, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from entrypoints.upstream.faults.connection import CONNECTION
from entrypoints.upstream.faults.content import CONTENT
from entrypoints.upstream.faults.encoding import ENCODING
from entrypoints.upstream.faults.fault import Fault
from entrypoints.upstream.faults.framing import FRAMING
from entrypoints.upstream.faults.headers import HEADERS
from entrypoints.upstream.faults.pagination import PAGINATION
from entrypoints.upstream.faults.records import RECORDS
from entrypoints.upstream.faults.redirects import REDIRECTS
from entrypoints.upstream.faults.status import STATUS

__all__ = ["FAULTS", "Fault", "find_fault"]

FAMILIES = (
    STATUS,
    CONNECTION,
    FRAMING,
    ENCODING,
    CONTENT,
    RECORDS,
    HEADERS,
    PAGINATION,
    REDIRECTS,
)


def _number(name: str) -> int:
    return int(name.partition("-")[0].removeprefix("U"))


def _merged() -> dict[str, Fault]:
    pairs = [pair for family in FAMILIES for pair in family.items()]
    # Sorting is stable: within one number the order of the family's table stays.
    return dict(sorted(pairs, key=lambda pair: _number(pair[0])))


FAULTS: Mapping[str, Fault] = MappingProxyType(_merged())
"""Every fault by its name, in the order of their numbers."""


def find_fault(name: str) -> Fault | None:
    """The fault of that name; a bare number such as U1 means its first variant."""
    if name in FAULTS:
        return FAULTS[name]
    return next((fault for key, fault in FAULTS.items() if key.startswith(f"{name}-")), None)
