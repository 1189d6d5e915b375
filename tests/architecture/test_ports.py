"""Every port is a small protocol with a docstring, and has an adapter in memory."""

import importlib
import inspect
import pkgutil
from typing import Any

import adapters.memory
import application.ports
from adapters.memory.in_memory import InMemory

MOST_METHODS = 5


def classes(package: Any) -> list[type[Any]]:
    """Return the classes defined in a package's modules."""
    return [
        found
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if found.__module__ == module.name
    ]


PORTS = [port for port in classes(application.ports) if getattr(port, "_is_protocol", False)]
IN_MEMORY = classes(adapters.memory)
#: Ports with many adapters, each for its own values.
MANY = {"Intake", "Source", "Span"}


def methods(port: type[Any]) -> dict[str, Any]:
    """Return the methods that an adapter of the port must have."""
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


def test_a_port_is_small() -> None:
    offenders = {
        port.__name__: len(methods(port))
        for port in PORTS
        if not 1 <= len(methods(port)) <= MOST_METHODS
    }

    assert offenders == {}


def test_every_method_of_a_port_must_be_adapted() -> None:
    offenders = {
        f"{port.__name__}.{name}"
        for port in PORTS
        for name in {name for name in vars(port) if not name.startswith("_")}
        ^ port.__abstractmethods__
    }

    assert offenders == set()


def test_a_port_says_what_it_promises() -> None:
    speechless = {
        f"{port.__name__}.{name}"
        for port in PORTS
        for name, said in [("__doc__", port), *methods(port).items()]
        if not said.__doc__
    }

    assert speechless == set()


def test_a_port_has_an_adapter_in_memory_that_names_it() -> None:
    adapters_of = {
        port.__name__: [found for found in IN_MEMORY if port in found.__mro__] for port in PORTS
    }
    abstract = {
        found for each in adapters_of.values() for found in each if inspect.isabstract(found)
    }
    without = {name for name, found in adapters_of.items() if not found}

    assert without == set()
    assert abstract == set()


def test_the_bundle_in_memory_has_an_adapter_of_every_port() -> None:
    bundled = [type(found).__mro__ for found in vars(InMemory()).values()]
    without = {
        port.__name__
        for port in PORTS
        if port.__name__ not in MANY and not any(port in each for each in bundled)
    }

    assert without == set()
