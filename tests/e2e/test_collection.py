"""The collection of requests, sent by newman from top to bottom, and once more."""

import asyncio
import json
import os
import secrets
from pathlib import Path

import pytest

from entrypoints.sample_upstream import SampleUpstream, settings_for
from tests.docs.collection import COLLECTION, requests
from tests.docs.markdown import ROOT
from tests.e2e.conftest import Start, ended, url_of
from tests.services.npm import installed, node

PACKAGE = "newman@6.2.2"
LONGEST_MS = 50_000

pytestmark = pytest.mark.node


@pytest.fixture(scope="session")
def newman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script that sends a collection."""
    return installed(PACKAGE, tmp_path_factory.mktemp("newman")) / "bin" / "newman.js"


async def sent(newman: Path, report: Path, **variables: str) -> tuple[int | None, str]:
    """Send the collection: how newman ended, and what it said."""
    given = [f"--env-var={name}={value}" for name, value in variables.items()]
    process = await asyncio.create_subprocess_exec(
        *(node(), newman, "run", COLLECTION, *given),
        *("--reporters=cli,json", f"--reporter-json-export={report}", "--color=off"),
        f"--timeout={LONGEST_MS}",
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    code, said, errors = await ended(process)
    return code, said + errors


async def test_every_request_is_answered_as_it_expects_and_also_the_second_time(
    start: Start, upstream: SampleUpstream, newman: Path, tmp_path: Path
) -> None:
    admin = {"username": f"admin-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(16)}
    process = await start(
        "serve",
        PYTHONPATH=str(ROOT),
        CATCHMENT_ADMIN_USERNAME=admin["username"],
        CATCHMENT_ADMIN_PASSWORD=admin["password"],
        CATCHMENT_LOG_LEVEL="error",
        **settings_for(upstream.url("")),
    )
    url = await url_of(process)

    for time in ("first", "second"):
        report = tmp_path / f"{time}.json"
        code, said = await sent(newman, report, baseUrl=url, **admin)
        done = json.loads(report.read_bytes())["run"]["executions"]

        assert code == 0, said
        assert [each["item"]["name"] for each in done] == [each.name for each in requests()]
        assert [each for one in done for each in one["assertions"] if each["skipped"]] == []
