"""What has arrived, and where from."""

from abc import abstractmethod
from typing import Protocol

import msgspec

from domain.payloads import Payload


class Received(msgspec.Struct, frozen=True):
    """A payload, and the source it came from."""

    source: str
    payload: Payload


class Receipts(Protocol):
    """Tells what jobs have received."""

    @abstractmethod
    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received, if it has received any that is still kept."""
