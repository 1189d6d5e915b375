"""Secrets are references, and are taken out of every text however they are spelled."""

import base64
import tomllib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dataset import Role
from domain.declarations import Declaration, declarations_of
from domain.secrets import (
    Auth,
    BasicAuth,
    ClientCredentials,
    HeaderAuth,
    QueryAuth,
    Redactor,
    SecretRef,
)
from domain.strict_reading import InvalidTable

KEY = SecretRef(env="SHOP_KEY")


def block(more: str, hosts: str = "") -> Declaration:
    text = f"""
        [datasets.owners]
        url = "https://api.example.com/owners"
        key = "id"
        fields = {{ id = "integer" }}
        {more}
        {hosts}
    """
    return declarations_of(tomllib.loads(text)).datasets["owners"]


def problem(more: str, hosts: str = "") -> str:
    with pytest.raises(InvalidTable) as refused:
        block(more, hosts)
    return str(refused.value)


@pytest.mark.parametrize(
    ("auth", "meaning"),
    [
        ('{ header = "X-Key", value = { env = "SHOP_KEY" } }', HeaderAuth("X-Key", KEY)),
        (
            '{ header = "Authorization", prefix = "Token ", value = { env = "SHOP_KEY" } }',
            HeaderAuth("Authorization", KEY, "Token "),
        ),
        ('{ bearer = { env = "SHOP_KEY" } }', HeaderAuth("Authorization", KEY, "Bearer ")),
        ('{ basic = "ann" }', BasicAuth("ann")),
        (
            '{ basic = "ann", password = { file = "/run/secrets/x" } }',
            BasicAuth("ann", SecretRef(file="/run/secrets/x")),
        ),
        ('{ query = "key", value = { env = "SHOP_KEY" } }', QueryAuth("key", KEY)),
        (
            '{ oauth2 = "https://a/t", client_id = "c", client_secret = { env = "SHOP_KEY" } }',
            ClientCredentials("https://a/t", "c", KEY),
        ),
    ],
)
def test_every_way_to_sign_can_be_said_in_a_block_or_for_its_host(auth: str, meaning: Auth) -> None:
    assert block(f"auth = {auth}").sources[0].auth == (meaning,)
    assert block("", f'[hosts."api.example.com"]\nauth = {auth}').sources[0].auth == (meaning,)


def test_a_block_wins_over_its_host() -> None:
    host = '[hosts."api.example.com"]\nauth = { basic = "ann" }'
    assert block('auth = { basic = "bob" }', host).sources[0].auth == (BasicAuth("bob"),)


def test_a_host_is_named_with_a_port_that_is_not_the_usual_one() -> None:
    text = """
        [hosts."10.0.0.5:8080"]
        auth = { basic = "ann" }
        [datasets.a]
        url = "http://10.0.0.5:8080/"
        key = "id"
        fields.id = "integer"
    """
    declared = declarations_of(tomllib.loads(text)).datasets["a"]
    assert declared.sources[0].auth == (BasicAuth("ann"),)


def test_parameters_and_headers_may_be_secret() -> None:
    more = 'params = { k = { env = "SHOP_KEY" }, n = 1 }\nheaders = { X-K = { env = "SHOP_KEY" } }'
    source = block(more).sources[0]
    assert source.auth == (QueryAuth("k", KEY), HeaderAuth("X-K", KEY))
    assert source.request.address == "https://api.example.com/owners?n=1"
    assert source.request.headers == {}


def test_what_needs_a_login_is_not_shown_to_everybody_unless_the_block_says_so() -> None:
    signed = 'auth = { basic = "ann" }'
    assert block(signed).dataset.read_by is block(signed).dataset.fetch_by is Role.USER
    opened = block(f'{signed}\nread_by = "anyone"\nfetch_by = "admin"').dataset
    assert (opened.read_by, opened.fetch_by) == (Role.ANYONE, Role.ADMIN)
    assert block("").dataset.read_by is Role.ANYONE


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ('auth = { bearer = "sk_live_1234567890" }', "a secret is never text: write { env ="),
        ('auth = { header = "X", value = "sk_live_1234567890" }', "a secret is never text"),
        ("auth = { bearer = {} }", "expected a secret"),
        ('auth = { bearer = { env = "A", file = "/b" } }', "expected a secret"),
        ('auth = { bearer = { file = "b" } }', "expected the whole path of the file"),
        ('auth = { bearer = { env = "CATCHMENT_SECRET_KEY" } }', "is a setting, and no secret"),
        ('auth = { bearer = { env = "catchment_x" } }', "is a setting, and no secret"),
        ("auth = {}", "expected one of header, bearer, basic, query, oauth2, and there are 0"),
        ('auth = { basic = "a", query = "b" }', "and there are 2"),
        ('auth = { basic = "a", prefix = "b" }', "prefix does not belong to basic"),
        ('auth = { header = "X" }', "expected a secret"),
        ('auth = { oauth2 = "t", client_id = "c" }', "the URL of the token endpoint"),
        ('auth = { oauth2 = "https://t.example" }', "and needs a client_id"),
        ('params = { a = { env = "CATCHMENT_X" } }', "owners.params.a: a variable that begins"),
        ('headers = { Cookie = { env = "A" } }', "owners.headers.Cookie: this header is"),
        ('auth = { basick = "x" }', "unknown key; did you mean basic?"),
    ],
)
def test_a_reference_that_cannot_mean_anything_says_what_would_do(more: str, wrong: str) -> None:
    found = problem(more)
    assert wrong in found
    assert "sk_live" not in found


def test_an_error_in_a_hosts_auth_is_reported_for_the_host() -> None:
    assert 'hosts."api.example.com".auth: expected one of' in problem(
        "", '[hosts."api.example.com"]\nauth = {}'
    )


def test_a_reference_says_where_the_secret_is_and_nothing_of_it() -> None:
    assert str(SecretRef(env="A")) == "the variable A"
    assert str(SecretRef(file="/b")) == "the file /b"


@given(st.text(min_size=8), st.text(), st.text())
def test_no_spelling_of_a_secret_is_left_in_a_text(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.note(secret)
    raw = secret.encode(errors="replace")
    for spelled in (
        secret,
        quote(secret, safe="", errors="replace"),
        base64.b64encode(raw).decode().rstrip("="),
    ):
        assert spelled not in redactor.redact(f"{before}{spelled}") or spelled in "[secret]"


def test_a_short_secret_is_a_word_like_any_other() -> None:
    redactor = Redactor()
    redactor.note("secret")
    redactor.note("secret")
    assert redactor.redact("no secret here") == "no secret here"
