"""The quota report: monthly calls to each upstream, compared with its free plan."""

import pytest
from click.testing import CliRunner

from entrypoints.cli.main import main
from entrypoints.cli.quota_report import FREE_PLANS, free_plans, monthly_calls
from entrypoints.config.loading import load
from entrypoints.wiring.container import Container

PAPRIKA = "api.coinpaprika.com"
QUIET = {"CATCHMENT_POSTS_URL": ""}


def report(**given: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """Return the report of these settings."""
    settings = load({f"CATCHMENT_{name}": text for name, text in given.items()})
    registered = Container(settings=settings).registry().current
    return list(monthly_calls(registered)), list(free_plans(registered))


def test_every_scheduled_source_is_listed_with_its_calls() -> None:
    calls, _ = report(ASSETS_CSV="my/assets.csv", FETCH_EVERY="1h,data_points=10s")

    assert calls == [
        "posts calls jsonplaceholder.typicode.com about 720 times a month.",
        f"crypto_assets calls {PAPRIKA} about 720 times a month.",
        "crypto_assets reads my/assets.csv about 720 times a month.",
        "data_points has no active source.",
    ]


def test_a_dataset_without_a_schedule_is_not_listed() -> None:
    assert report(FETCH_EVERY="off") == (
        ["data_points has no active source."],
        [(f"{PAPRIKA} gets about 0 calls a month; its free plan has 20000.", True)],
    )


@pytest.mark.parametrize(
    ("every", "calls", "enough"),
    [("15m", 2880, True), ("130s", 19938, True), ("129s", 20093, False), ("10s", 259_200, False)],
)
def test_a_free_plan_is_enough_or_not(every: str, calls: int, enough: bool) -> None:
    _, [(line, is_enough)] = report(FETCH_EVERY=f"15m,crypto_assets={every}")

    assert line.startswith(f"{PAPRIKA} gets about {calls} calls a month; its free plan has 20000")
    assert is_enough is enough
    assert ("increase CATCHMENT_FETCH_EVERY" in line) is not enough


def test_all_schedules_on_one_host_count_together() -> None:
    url, with_port = f"https://{PAPRIKA}/v1/anything", f"https://{PAPRIKA}:443/v1/anything"

    _, plans = report(
        POSTS_URL=url, TELEMETRY_URL=with_port, ASSETS_CSV=url.upper(), FETCH_EVERY="4m"
    )

    assert plans == [
        (
            f"{PAPRIKA} gets about {4 * 10_800} calls a month; its free plan has 20000:"
            " increase CATCHMENT_FETCH_EVERY.",
            False,
        )
    ]


def test_a_host_whose_plan_is_not_known_is_not_judged() -> None:
    assert report(COINPAPRIKA_URL="https://example.com/tickers", FETCH_EVERY="1s")[1] == []
    assert FREE_PLANS[PAPRIKA] == 20_000


@pytest.mark.parametrize(("every", "warned"), [("15m", False), ("1m", True)])
def test_config_check_warns_when_a_plan_is_not_enough(every: str, warned: bool) -> None:
    result = CliRunner().invoke(
        main, ["config", "check"], env=QUIET | {"CATCHMENT_FETCH_EVERY": every}
    )

    assert result.exit_code == 0
    assert f"crypto_assets calls {PAPRIKA} about" in result.stdout
    assert (f"warning: {PAPRIKA} gets about 43200 calls" in result.stderr) is warned
    assert (f"{PAPRIKA} gets about 2880 calls" in result.stdout) is not warned
