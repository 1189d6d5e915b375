"""A block in a file is a dataset like any other: fetched, served, limited and documented."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from domain.politeness import Rate
from entrypoints.cli.commands import read_settings
from entrypoints.config.declarations import InvalidDeclarations
from entrypoints.config.loading import load
from entrypoints.processes.lifecycle import running
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.wiring.container import Container

BLOCK = """
[hosts."{host}"]
rate = "100/1s"

[datasets.notes]
about = "Short texts of users"
url = "{url}"
pages = "link"
key = "id"
every = "10m"
at_most_every = "0s"
deadline = "5m"
indexes = ["author"]
fields = {{ id = "integer", author = {{ type = "integer", from = "/userId" }}, title = "string" }}
"""


def settings_for(tmp_path: Path, block: str, **more: str) -> dict[str, str]:
    file = tmp_path / "own.toml"
    file.write_text(block)
    return {
        "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}",
        "CATCHMENT_DATASETS": str(file),
        **more,
    }


async def test_records_of_a_declared_dataset_are_fetched_filtered_and_documented(
    tmp_path: Path,
) -> None:
    async with SampleUpstream() as upstream:
        host = "{}:{}".format(*upstream.address)
        block = BLOCK.format(host=host, url=upstream.url("/posts"))
        async with (
            running(load(settings_for(tmp_path, block))) as container,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=container.app()), base_url="http://localhost"
            ) as client,
        ):
            fetched = (await client.post("/fetch/notes")).json()
            page = (await client.get("/data/notes?author=1&limit=2")).json()
            again = (await client.post("/fetch/notes")).json()
            listed = (await client.get("/datasets")).json()["datasets"]
            document = (await client.get("/openapi.json")).json()

    assert fetched["counts"]["inserted"] == 100
    assert (again["outcome"], again["sources"][0]["not_modified"]) == ("unchanged", 1)
    assert [record["id"] for record in page["data"]] == [1, 2]
    assert set(page["data"][0]) == {"id", "author", "title", "_changed_at"}
    [notes] = [each for each in listed if each["name"] == "notes"]
    assert (notes["about"], notes["records"]) == ("Short texts of users", 100)
    read = document["paths"]["/data/notes"]["get"]
    assert read["description"].startswith("Short texts of users\n")


def generation(container: Container) -> tuple[timedelta | None, timedelta, timedelta | None]:
    fetch = container.registry().current["notes"].fetch
    return fetch.cadence.every, fetch.cadence.interval, fetch.cadence.stale_after


async def test_a_block_decides_unless_a_setting_names_its_dataset(tmp_path: Path) -> None:
    block = BLOCK.format(host="h.example", url="https://h.example/")
    async with running(load(settings_for(tmp_path, block))) as container:
        assert generation(container) == (timedelta(minutes=10), timedelta(), None)
        assert container.registry().rates["h.example"] == Rate(100, 1.0)
    every = {"CATCHMENT_FETCH_EVERY": "1h,notes=1m", "CATCHMENT_RATE_LIMITS": "h.example=1/1s"}
    async with running(load(settings_for(tmp_path, block, **every))) as container:
        assert generation(container)[0] == timedelta(minutes=1)
        assert container.registry().rates["h.example"] == Rate(1, 1.0)
    off = block.replace('"10m"', '"off"')
    async with running(load(settings_for(tmp_path, off))) as container:
        assert generation(container)[0] is None


def test_a_setting_may_name_a_declared_dataset(tmp_path: Path) -> None:
    block = BLOCK.format(host="h.example", url="https://h.example/")
    given = settings_for(tmp_path, block, CATCHMENT_DEFAULT_DATASET="notes")
    assert read_settings(given).default_dataset == "notes"


def test_a_block_that_cannot_mean_anything_stops_the_start(tmp_path: Path) -> None:
    block = BLOCK.format(host="h.example", url="https://h.example/").replace("key =", "kee =")
    with pytest.raises(InvalidDeclarations, match=r"own.toml:9: .*unknown key; did you mean key?"):
        read_settings(settings_for(tmp_path, block))
