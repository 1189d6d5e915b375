"""Durations, sizes and rates are read as people write them."""

from datetime import timedelta

import pytest

from domain.politeness import Rate
from domain.units import duration, positive_duration, rate, size


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400), ("0.5s", 0.5), ("0s", 0)],
)
def test_a_duration_is_a_number_with_its_unit(text: str, meaning: float) -> None:
    assert duration(text) == timedelta(seconds=meaning)


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "1w", "1e3s", "999999999d", "٣s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        duration(text)


def test_a_period_is_above_zero() -> None:
    assert positive_duration("1s") == timedelta(seconds=1)
    with pytest.raises(ValueError, match="above zero"):
        positive_duration("0m")


@pytest.mark.parametrize(("text", "meaning"), [("512KiB", 2**19), ("1B", 1), ("2GiB", 2**31)])
def test_a_size_is_a_number_of_bytes(text: str, meaning: int) -> None:
    assert size(text) == meaning


@pytest.mark.parametrize("text", ["", "0B", "5", "5MB", "-1B"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        size(text)


def test_a_rate_is_a_number_of_requests_in_a_window() -> None:
    assert rate("60/1h") == Rate(60, 3600.0)


@pytest.mark.parametrize("text", ["", "60", "0/1h", "60/", "60/0s", "x/1h"])
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        rate(text)
