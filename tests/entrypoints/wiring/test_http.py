"""The settings of the HTTP adapter, as derived from those of the process."""

import pytest

from adapters.http.protocol.hosts import LOOPBACK
from entrypoints.config.loading import load
from entrypoints.wiring.http import http_settings_of


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ({}, LOOPBACK),
        ({"HOST": "localhost"}, LOOPBACK),
        ({"HOST": "127.0.0.2"}, LOOPBACK),
        ({"HOST": "::1"}, LOOPBACK),
        ({"HOST": "0.0.0.0"}, ()),  # noqa: S104 - nothing is bound here
        ({"HOST": "::"}, ()),
        ({"HOST": "10.0.0.1"}, ()),
        ({"HOST": "api.internal"}, ()),
        ({"TRUSTED_PROXIES": "127.0.0.1"}, ()),
        ({"ALLOWED_HOSTS": "api.example.com"}, ("api.example.com",)),
    ],
)
def test_where_only_this_machine_can_connect_its_own_names_are_accepted(
    given: dict[str, str], hosts: tuple[str, ...]
) -> None:
    secret = {"CATCHMENT_SECRET_KEY": "a secret of more than thirty-two bytes"}

    settings = load(secret | {f"CATCHMENT_{name}": value for name, value in given.items()})

    assert http_settings_of(settings, "id").allowed_hosts == hosts
