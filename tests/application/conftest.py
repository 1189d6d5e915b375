"""Gives every test of a use case an empty rig."""

import pytest

from tests.application.rig import Rig


@pytest.fixture
def rig() -> Rig:
    """One empty database in memory, with everything that works on it."""
    return Rig()
