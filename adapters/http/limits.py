"""Limits: how much one client may ask of the routes that cost something.

What is left is told as draft-ietf-httpapi-ratelimit-headers has it.
"""

import math
from collections.abc import Mapping
from typing import Any

from adapters.http.access import address_of, caller_of
from adapters.http.asgi import add_headers
from adapters.http.proxies import place_of
from application.ports.limits import ClientLimits
from domain.errors import TooManyRequests
from domain.politeness import Rate


class Limiter:
    """Counts requests by purpose and client: a user by name, everybody else by place."""

    def __init__(self, limits: ClientLimits, rates: Mapping[str, Rate]) -> None:
        self._limits = limits
        self._rates = rates

    async def spend(self, scope: Any, purpose: str) -> None:
        """Count a request, and tell its client what is left; TooManyRequests when nothing is."""
        rate = self._rates[purpose]
        client = caller_of(scope).name or place_of(address_of(scope))
        allowance = await self._limits.spend(f"{purpose} {client}", rate)
        wait_s = math.ceil(allowance.wait_s)
        add_headers(
            scope,
            {
                "RateLimit-Policy": f'"{purpose}";q={rate.count};w={rate.window_s:g}',
                "RateLimit": f'"{purpose}";r={allowance.left};t={wait_s}',
            },
        )
        if not allowance.allowed:
            raise TooManyRequests(
                f"expected at most {rate.count} requests in {rate.window_s:g} seconds; wait",
                allowance.wait_s,
            )
