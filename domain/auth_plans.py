"""Plans of auth: how a block's references to secrets become ways to sign a request."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from domain.blocks import AuthBlock, SecretBlock
from domain.secrets import Auth, BasicAuth, ClientCredentials, HeaderAuth, QueryAuth, SecretRef

#: Our own settings are no secrets of sources.
_OURS = "CATCHMENT_"


def secret_of(block: SecretBlock | None) -> SecretRef:
    """Return the reference of a block; raise ValueError unless it names one place."""
    if block is None or bool(block.env) == bool(block.file):
        raise ValueError(f"expected a secret: {SecretBlock.ADVICE}")
    if block.env and block.env.upper().startswith(_OURS):
        raise ValueError(f"a variable that begins with {_OURS} is a setting, and no secret")
    if block.file and not block.file.startswith("/"):
        raise ValueError("expected the whole path of the file, such as /run/secrets/token")
    return SecretRef(block.env or "", block.file or "")


def auth_of(block: AuthBlock) -> Auth:
    """Return how requests are signed; raise ValueError for a block that contradicts itself."""
    ways = [way for way in _WAYS if getattr(block, way) is not None]
    if len(ways) != 1:
        raise ValueError(f"expected one of {', '.join(_WAYS)}, and there are {len(ways)}")
    [way] = ways
    make, takes = _WAYS[way]
    for name in ("prefix", "value", "password", "client_id", "client_secret", "scope"):
        if name not in takes and getattr(block, name):
            raise ValueError(f"{name} does not belong to {way}")
    return make(block)


def _header(block: AuthBlock) -> Auth:
    return HeaderAuth(block.header or "", secret_of(block.value), block.prefix)


def _bearer(block: AuthBlock) -> Auth:
    return HeaderAuth("Authorization", secret_of(block.bearer), "Bearer ")


def _basic(block: AuthBlock) -> Auth:
    password = None if block.password is None else secret_of(block.password)
    return BasicAuth(block.basic or "", password)


def _query(block: AuthBlock) -> Auth:
    return QueryAuth(block.query or "", secret_of(block.value))


def _oauth2(block: AuthBlock) -> Auth:
    url = block.oauth2 or ""
    if urlsplit(url).scheme not in ("http", "https") or not block.client_id:
        raise ValueError("oauth2 is the URL of the token endpoint, and needs a client_id")
    return ClientCredentials(url, block.client_id, secret_of(block.client_secret), block.scope)


#: Each way to sign by the key that names it, with the keys that belong to it.
_WAYS: Mapping[str, tuple[Callable[[AuthBlock], Auth], tuple[str, ...]]] = {
    "header": (_header, ("prefix", "value")),
    "bearer": (_bearer, ()),
    "basic": (_basic, ("password",)),
    "query": (_query, ("value",)),
    "oauth2": (_oauth2, ("client_id", "client_secret", "scope")),
}
