"""Fixtures of the use cases' tests."""

import pytest

from tests.application.rig import Rig


@pytest.fixture
def rig() -> Rig:
    """Return an empty rig."""
    return Rig()
