"""Contract of `Probe`: it returns while the backend works."""

from tests.contract.backends import Backend


async def test_a_working_backend_is_found_to_work(backend: Backend) -> None:
    await backend.probe.check()
