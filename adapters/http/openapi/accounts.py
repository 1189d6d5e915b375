"""What clients send to the routes of accounts, as the OpenAPI document describes it."""

from collections.abc import Mapping
from typing import Any

from adapters.http.accounts.schemas import (
    Credentials,
    LogoutRequest,
    NewAccount,
    PasswordChange,
    RefreshRequest,
    TokenRequest,
)
from adapters.http.protocol.bodies import FORM, MULTIPART
from adapters.http.protocol.negotiation import JSON


def _json(wanted: type[Any]) -> Mapping[str, type[Any]]:
    return {JSON: wanted}


def _form(wanted: type[Any]) -> Mapping[str, type[Any]]:
    return {JSON: wanted, FORM: wanted, MULTIPART: wanted}


#: The bodies that handlers read themselves, by media type.
BODIES: Mapping[tuple[str, str], Mapping[str, type[Any]]] = {
    ("/auth/signup", "post"): _json(NewAccount),
    ("/auth/login", "post"): _form(Credentials),
    ("/auth/refresh", "post"): _form(RefreshRequest),
    ("/auth/logout", "post"): _json(LogoutRequest),
    ("/auth/password", "post"): _json(PasswordChange),
    ("/auth/tokens", "post"): _json(TokenRequest),
}
#: Those that may be left out.
OPTIONAL = frozenset({("/auth/logout", "post")})
