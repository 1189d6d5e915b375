"""What all tests share: how hard Hypothesis tries, and what is left out where it cannot run."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.services import nginx, rabbitmq

settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
#: For those who only want to know whether a test fails, and not on how little.
settings.register_profile(
    "quick", deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
#: For `make quick`: a loop of small changes tries more examples by and by than one run does.
settings.register_profile("loop", max_examples=20, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")  # noqa: TID251 - tests may ask


def _missing() -> dict[str, str]:
    """The markers of tests that cannot run here, each with the reason."""
    missing = {}
    if not (shutil.which("npm") and shutil.which("node")):
        missing["node"] = "npm and node are not installed"
    if nginx.program() is None:
        missing["nginx"] = "nginx is not installed"
    if os.environ.get("CI"):  # noqa: TID251 - tests may ask
        return missing  # there the broker's tests fail without one
    if not rabbitmq.is_available():
        missing["rabbitmq"] = f"no broker: set {rabbitmq.NAMED}, or install rabbitmq-server"
    if not rabbitmq.program():
        missing["rabbitmq_node"] = "rabbitmq-server is not installed"
    return missing


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [f"without the `{marker}` tests: {why}" for marker, why in _missing().items()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs what is not there."""
    missing = _missing()
    left_out = [item for item in items if any(map(item.get_closest_marker, missing))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
