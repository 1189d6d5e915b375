"""What every port is: a small protocol with a contract in words, and an adapter in memory."""

import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import adapters.memory
import application.ports
from adapters.memory.in_memory import InMemory

MOST_METHODS = 5


def classes(package: Any) -> list[type[Any]]:
    """The classes defined in a package's modules."""
    return [
        found
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if found.__module__ == module.name
    ]


PORTS = [port for port in classes(application.ports) if getattr(port, "_is_protocol", False)]
IN_MEMORY = classes(adapters.memory)
#: What there are any number of, each with values of its own.
MANY = {"Intake", "Source"}


def methods(port: type[Any]) -> dict[str, Any]:
    """What an adapter of the port must have."""
    return {name: inspect.getattr_static(port, name) for name in port.__abstractmethods__}


def test_there_are_ports() -> None:
    assert {
        "Budget",
        "Clock",
        "Idempotency",
        "Intake",
        "Intakes",
        "JobHistory",
        "Jobs",
        "Queue",
        "Schedules",
        "Source",
        "Store",
        "Tables",
    } <= {port.__name__ for port in PORTS}


@pytest.mark.parametrize("port", PORTS)
def test_a_port_is_small(port: type[Any]) -> None:
    assert 1 <= len(methods(port)) <= MOST_METHODS


@pytest.mark.parametrize("port", PORTS)
def test_every_method_of_a_port_must_be_adapted(port: type[Any]) -> None:
    public = {name for name in vars(port) if not name.startswith("_")}

    assert public == set(port.__abstractmethods__)


@pytest.mark.parametrize("port", PORTS)
def test_a_port_says_what_it_promises(port: type[Any]) -> None:
    assert port.__doc__
    assert all(method.__doc__ for method in methods(port).values())


@pytest.mark.parametrize("port", PORTS)
def test_a_port_has_an_adapter_in_memory_that_names_it(port: type[Any]) -> None:
    adapters_of_it = [found for found in IN_MEMORY if port in found.__mro__]

    assert adapters_of_it
    assert not any(inspect.isabstract(found) for found in adapters_of_it)


@pytest.mark.parametrize("port", [port for port in PORTS if port.__name__ not in MANY])
def test_the_bundle_in_memory_has_an_adapter_of_the_port(port: type[Any]) -> None:
    assert any(port in type(found).__mro__ for found in vars(InMemory()).values())
