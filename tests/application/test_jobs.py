"""Jobs: what became of a fetch, for whoever asks later."""

import pytest

from application.jobs import FindJob
from domain.errors import UnknownJob
from tests.application.rig import Rig, posts


async def test_a_job_is_found_by_its_identifier(rig: Rig) -> None:
    fetched = await rig.fetch(rig.source("one", posts(1)))()

    assert await FindJob(rig.jobs)(fetched.job.id) == fetched.job


async def test_a_job_that_is_not_there_is_unknown(rig: Rig) -> None:
    with pytest.raises(UnknownJob, match="no such job"):
        await FindJob(rig.jobs)("nothing")
