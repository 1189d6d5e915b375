"""Base of the state machines: steps in any order on one backend, compared with a plain model."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.contract.backends import Backend, Open, examples_of


class Machine(RuleBasedStateMachine):
    """A state machine over an empty backend; its model is a few dictionaries."""

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__()
        self._runner = runner
        self._stack = AsyncExitStack()
        self.backend: Backend = self.run(self._stack.enter_async_context(open_backend()))

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        """Take one asynchronous step."""
        return self._runner.run(step)

    def teardown(self) -> None:
        self.run(self._stack.aclose())


def hold_to(machine: type[Machine], open_backend: Open, steps: int = 25) -> None:
    """Compare a backend with a model, in as many examples as it has time for."""
    # One loop for all examples, so that a database need not be opened for each.
    with asyncio.Runner() as runner:
        run_state_machine_as_test(
            lambda: machine(open_backend, runner),
            settings=settings(
                max_examples=examples_of(open_backend),
                stateful_step_count=steps,
                suppress_health_check=list(HealthCheck),
            ),
        )
