"""Calls: how often the schedules ask each upstream in a month, and how often they may."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from entrypoints.config.setting_readers import is_http
from entrypoints.config.settings import Settings
from entrypoints.wiring.container import feed_urls

#: What hosts give away in a month, where that is known.
FREE_PLANS = {"api.coinpaprika.com": 20_000}

_MONTH_S = 30 * 86400


def calls_told(settings: Settings) -> Iterator[str]:
    """A line for every source that is asked by itself, and for every dataset without one."""
    for dataset, urls in feed_urls(settings).items():
        month = _a_month(settings, dataset)
        for url in urls:
            if month:
                asked = f"asks {_host(url)}" if is_http(url) else f"reads {url}"
                yield f"{dataset} {asked} about {month} times a month."
        if not urls:
            yield f"{dataset} has no source switched on."


def plans_told(settings: Settings) -> Iterator[tuple[str, bool]]:
    """A line for every host whose free plan is known, and whether it is enough.

    All datasets' schedules count, without retries, pages and what people ask for by hand.
    """
    asked: Counter[str] = Counter()
    for dataset, urls in feed_urls(settings).items():
        for url in filter(is_http, urls):
            asked[_host(url)] += _a_month(settings, dataset)
    for host, calls in asked.items():
        plan = FREE_PLANS.get(host)
        if plan is not None:
            told = f"{host} is asked about {calls} times a month, of {plan} in its free plan"
            enough = calls <= plan
            yield (f"{told}." if enough else f"{told}: raise CATCHMENT_FETCH_EVERY."), enough


def _a_month(settings: Settings, dataset: str) -> int:
    every = settings.fetch_every.of(dataset)
    return 0 if every is None else round(_MONTH_S / every.total_seconds())


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
