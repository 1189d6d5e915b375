"""Tokens: JSON Web Tokens with one algorithm, and chained refresh tokens."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import jwt

from application.ports.accounts import Tokens
from application.ports.system import Clock, Random
from domain.errors import InvalidToken
from domain.sessions import Claims

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_ISSUER = "catchment"
_AUDIENCE = "catchment-api"
_REQUIRED = ("aud", "exp", "iat", "iss", "jti", "sid", "sub", "ver")
#: Clocks of replicas may differ by this much (seconds).
_LEEWAY_S = 5


class JwtTokens(Tokens):
    """Access tokens signed with a key that is derived from the service's secret."""

    def __init__(self, secret: bytes, clock: Clock, random: Random) -> None:
        self._access_key = hashlib.blake2b(secret, person=b"catchment-access").digest()
        self._refresh_key = hashlib.blake2b(secret, person=b"catchment-renew").digest()
        self._clock = clock
        self._random = random

    def issue(self, claims: Claims) -> str:
        """Return an access token with these claims."""
        payload = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": claims.user,
            "sid": claims.session,
            "ver": claims.version,
            "jti": self._random.identifier(),
            "iat": int(self._clock.now().timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        return jwt.encode(payload, self._access_key, _ALGORITHM, headers={"typ": _TYPE})

    def read(self, token: str) -> Claims:
        """Return the claims of an access token; raise InvalidToken unless it is valid."""
        try:
            decoded = jwt.decode_complete(
                token,
                self._access_key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                # Times are checked below, by our own clock.
                options={
                    "require": list(_REQUIRED),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise _not_ours() from error
        if decoded["header"].get("typ") != _TYPE:
            raise _not_ours()
        return self._in_time(decoded["payload"])

    def successor(self, token: str) -> str:
        """Return the only successor of a refresh token; computing it needs the key."""
        digest = hmac.digest(self._refresh_key, token.encode(errors="replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _in_time(self, payload: dict[str, object]) -> Claims:
        now_s = self._clock.now().timestamp()
        exp, iat, nbf, version = (payload.get(name, 0) for name in ("exp", "iat", "nbf", "ver"))
        user, session = payload["sub"], payload["sid"]
        if not (isinstance(exp, int) and isinstance(iat, int) and isinstance(nbf, int)):
            raise _not_ours()
        if not (isinstance(user, str) and isinstance(session, str) and isinstance(version, int)):
            raise _not_ours()
        if exp <= now_s or max(iat, nbf) > now_s + _LEEWAY_S:
            raise _not_ours()
        return Claims(
            user=user,
            session=session,
            version=version,
            expires_at=datetime.fromtimestamp(exp, UTC),
        )


def _not_ours() -> InvalidToken:
    return InvalidToken("this token is invalid or expired; log in again")
