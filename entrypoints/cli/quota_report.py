"""Quota report: the monthly calls of all schedules, compared with known free plans."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from entrypoints.config.setting_readers import is_http
from entrypoints.config.settings import Settings
from entrypoints.wiring.container import feed_urls

#: Free calls a month, by host.
FREE_PLANS = {"api.coinpaprika.com": 20_000}

_MONTH_S = 30 * 86400


def monthly_calls(settings: Settings) -> Iterator[str]:
    """Yield a line for every scheduled source, and for every dataset without a source."""
    for dataset, urls in feed_urls(settings).items():
        month = _a_month(settings, dataset)
        for url in urls:
            if month:
                asked = f"calls {_host(url)}" if is_http(url) else f"reads {url}"
                yield f"{dataset} {asked} about {month} times a month."
        if not urls:
            yield f"{dataset} has no active source."


def free_plans(settings: Settings) -> Iterator[tuple[str, bool]]:
    """Yield a line for every host with a known free plan, and whether the plan is enough.

    The schedules of all datasets count; retries, further pages and manual fetches do not.
    """
    asked: Counter[str] = Counter()
    for dataset, urls in feed_urls(settings).items():
        for url in filter(is_http, urls):
            asked[_host(url)] += _a_month(settings, dataset)
    for host, calls in asked.items():
        plan = FREE_PLANS.get(host)
        if plan is not None:
            line = f"{host} gets about {calls} calls a month; its free plan has {plan}"
            enough = calls <= plan
            yield (f"{line}." if enough else f"{line}: increase CATCHMENT_FETCH_EVERY."), enough


def _a_month(settings: Settings, dataset: str) -> int:
    every = settings.fetch_every.of(dataset)
    return 0 if every is None else round(_MONTH_S / every.total_seconds())


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()
