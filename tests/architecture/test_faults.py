"""The list of deliberate faults fits the code it would break."""

from pathlib import Path

import pytest

from tests.prove.fault_list import FAULTS, Fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_a_fault_replaces_is_there_once(fault: Fault) -> None:
    text = (ROOT / fault.file).read_text(encoding="utf-8")

    assert text.count(fault.old) == 1
    assert fault.new != fault.old


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_test_of_a_fault_is_there(fault: Fault) -> None:
    named = [word for word in fault.test.split() if word.startswith("tests/")]

    assert named
    assert all((ROOT / name).exists() for name in named)


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]

    assert len(names) == len(set(names)) >= 40
