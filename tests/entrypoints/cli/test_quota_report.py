"""Calls: how often each upstream is asked in a month, and whether its free plan allows it."""

import pytest
from click.testing import CliRunner

from entrypoints.cli.main import main
from entrypoints.cli.quota_report import FREE_PLANS, calls_told, plans_told
from entrypoints.config.settings import load

PAPRIKA = "api.coinpaprika.com"
QUIET = {"CATCHMENT_POSTS_URL": ""}


def told(**given: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """What is told of these settings."""
    settings = load({f"CATCHMENT_{name}": text for name, text in given.items()})
    return list(calls_told(settings)), list(plans_told(settings))


def test_every_source_that_is_asked_by_itself_is_told_with_its_calls() -> None:
    calls, _ = told(ASSETS_CSV="my/assets.csv", FETCH_EVERY="1h,data_points=10s")

    assert calls == [
        "posts asks jsonplaceholder.typicode.com about 720 times a month.",
        f"crypto_assets asks {PAPRIKA} about 720 times a month.",
        "crypto_assets reads my/assets.csv about 720 times a month.",
        "data_points has no source switched on.",
    ]


def test_what_is_not_fetched_by_itself_is_not_told() -> None:
    assert told(FETCH_EVERY="off") == (
        ["data_points has no source switched on."],
        [(f"{PAPRIKA} is asked about 0 times a month, of 20000 in its free plan.", True)],
    )


@pytest.mark.parametrize(
    ("every", "calls", "enough"),
    [("15m", 2880, True), ("130s", 19938, True), ("129s", 20093, False), ("10s", 259_200, False)],
)
def test_a_free_plan_is_enough_or_not(every: str, calls: int, enough: bool) -> None:
    _, [(line, is_enough)] = told(FETCH_EVERY=f"15m,crypto_assets={every}")

    assert line.startswith(f"{PAPRIKA} is asked about {calls} times a month, of 20000")
    assert is_enough is enough
    assert ("raise CATCHMENT_FETCH_EVERY" in line) is not enough


def test_all_schedules_on_one_host_count_together() -> None:
    url = f"https://{PAPRIKA}/v1/anything"

    _, plans = told(POSTS_URL=url, TELEMETRY_URL=url, ASSETS_CSV=url.upper(), FETCH_EVERY="4m")

    assert plans == [
        (
            f"{PAPRIKA} is asked about {4 * 10_800} times a month, of 20000 in its free plan:"
            " raise CATCHMENT_FETCH_EVERY.",
            False,
        )
    ]


def test_a_host_whose_plan_is_not_known_is_not_judged() -> None:
    assert told(COINPAPRIKA_URL="https://example.com/tickers", FETCH_EVERY="1s")[1] == []
    assert FREE_PLANS[PAPRIKA] == 20_000


@pytest.mark.parametrize(("every", "warned"), [("15m", False), ("1m", True)])
def test_config_check_warns_when_a_plan_is_not_enough(every: str, warned: bool) -> None:
    result = CliRunner().invoke(
        main, ["config", "check"], env=QUIET | {"CATCHMENT_FETCH_EVERY": every}
    )

    assert result.exit_code == 0
    assert f"crypto_assets asks {PAPRIKA} about" in result.stdout
    assert (f"warning: {PAPRIKA} is asked about 43200 times" in result.stderr) is warned
    assert (f"{PAPRIKA} is asked about 2880 times" in result.stdout) is not warned
