"""Metrics of a worker or a scheduler: at a port of their own, if there is one."""

import socket
from pathlib import Path

import httpx
import pytest

from entrypoints.config.loading import load
from entrypoints.config.settings import InvalidSetting, Settings
from entrypoints.processes.metrics import running_with_metrics


def settings(tmp_path: Path, **given: str) -> Settings:
    """Settings over a file of the test's own."""
    database = f"sqlite:///{tmp_path / 'c.db'}"
    return load({"CATCHMENT_DATABASE_URL": database, **given})


async def test_metrics_and_probes_are_served_at_the_port(tmp_path: Path) -> None:
    given = settings(tmp_path, CATCHMENT_METRICS_PORT="0")

    async with running_with_metrics(given) as (_, url):
        assert url is not None
        async with httpx.AsyncClient(base_url=url.removesuffix("/metrics")) as client:
            paths = ("/metrics", "/health/live", "/health/ready", "/data")
            answers = [await client.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert "catchment_database_up 1.0" in answers[0].text


@pytest.mark.parametrize(
    "given",
    [{}, {"CATCHMENT_METRICS_PORT": "0", "CATCHMENT_METRICS": "off"}],
    ids=["no port", "off"],
)
async def test_without_a_port_or_metrics_nothing_is_served(
    tmp_path: Path, given: dict[str, str]
) -> None:
    async with running_with_metrics(settings(tmp_path, **given)) as (_, url):
        assert url is None


async def test_a_port_that_is_taken_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        given = settings(tmp_path, CATCHMENT_METRICS_PORT=port)

        with pytest.raises(InvalidSetting, match="choose another CATCHMENT_METRICS_PORT"):
            async with running_with_metrics(given):
                pass
