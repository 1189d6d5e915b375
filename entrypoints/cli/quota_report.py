"""Quota report: the monthly calls of all schedules, compared with known free plans."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from adapters.outbound.polite.urls import parse
from application.datasets.registry import Generation, RegisteredDataset
from entrypoints.config.setting_readers import is_http

#: Free calls a month, by host.
FREE_PLANS = {"api.coinpaprika.com": 20_000}

_MONTH_S = 30 * 86400


def monthly_calls(generation: Generation) -> Iterator[str]:
    """Yield a line for every scheduled source, and for every dataset without a source."""
    for name, registered in generation.catalogue.items():
        month = _a_month(registered)
        for url in registered.urls:
            if month:
                action = f"calls {parse(url).key}" if is_http(url) else f"reads {url}"
                yield f"{name} {action} about {month} times a month."
        if not registered.urls:
            yield f"{name} has no active source."


def free_plans(generation: Generation) -> Iterator[tuple[str, bool]]:
    """Yield a line for every host with a known free plan, and whether the plan is enough.

    The schedules of all datasets count; retries, further pages and manual fetches do not.
    """
    calls_by_host: Counter[str] = Counter()
    for registered in generation.catalogue.values():
        for url in filter(is_http, registered.urls):
            calls_by_host[parse(url).key] += _a_month(registered)
    for host, calls in calls_by_host.items():
        plan = FREE_PLANS.get(host)
        if plan is not None:
            line = f"{host} gets about {calls} calls a month; its free plan has {plan}"
            enough = calls <= plan
            yield (f"{line}." if enough else f"{line}: increase CATCHMENT_FETCH_EVERY."), enough


def _a_month(registered: RegisteredDataset[Any]) -> int:
    every = registered.fetch.cadence.every
    return 0 if every is None else round(_MONTH_S / every.total_seconds())
