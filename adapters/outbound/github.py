"""GitHub: lookups of repositories, through the polite client."""

from datetime import datetime
from typing import Annotated

import msgspec

from adapters.outbound.formats.charsets import json_to_utf8
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.failures import Absent
from adapters.outbound.polite.messages import (
    HostRules,
    NotModified,
    UpstreamResponse,
    Validators,
)
from adapters.outbound.polite.urls import parse
from application.ports.tasks import Repositories
from domain.errors import UnexpectedContent
from domain.fields import INT64_MAX, storable
from domain.reports import Traffic
from domain.repositories import LookupResult, RepoFacts

#: Longer texts are cut; GitHub's own limits are much lower.
LONGEST_TEXT = 1000

#: GitHub ends a request after 10 seconds, asks for a minute's pause at a limit without a time, and
#: blocks clients that keep sending an invalid token.
RULES = HostRules(patience_s=10.0, limited_for_s=60.0, refused_for_s=600.0)

_MEDIA_TYPE = "application/vnd.github+json"


class _Payload(msgspec.Struct):
    """The used members of a repository in GitHub's response."""

    stargazers_count: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
    description: str | None = None
    language: str | None = None


class GitHubRepositories(Repositories):
    """The repositories of GitHub's REST API at this URL; a token raises its rate limit."""

    def __init__(self, client: PoliteClient, url: str, token: str = "") -> None:
        self._host = parse(url).key
        self._client = client
        self._url = url.rstrip("/")
        self._token = token
        self._headers = {"Accept": _MEDIA_TYPE}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def host(self) -> str:
        """Return the host of the API."""
        return self._host

    async def lookup(
        self, name: str, known: LookupResult | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        """Return GitHub's current result for a repository; `known` if it has not changed."""
        url = parse(f"{self._url}/repos/{name}")
        try:
            answer = await self._client.get(
                url,
                deadline,
                traffic,
                validators=Validators(known.url or url.text, known.etag) if known else None,
                headers=self._headers,
                rules=RULES,
            )
        except Absent:
            return LookupResult(None)
        if known is not None and isinstance(answer, NotModified):
            return known
        if isinstance(answer, NotModified):
            raise UnexpectedContent(f"{self._host} answered 304 to an unconditional request")
        facts = self._facts(answer)
        if answer.etag is None or self._has_token(answer.etag + answer.url):
            return LookupResult(facts)
        return LookupResult(facts, answer.etag, answer.url if answer.url != url.text else "")

    def _facts(self, answer: UpstreamResponse) -> RepoFacts:
        try:
            text = json_to_utf8(answer.body, answer.content_type)
            read = msgspec.json.decode(text, type=_Payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnexpectedContent("GitHub's answer cannot be read as a repository") from error
        description, language = self._cleaned(read.description), self._cleaned(read.language)
        return RepoFacts(description, read.stargazers_count, language)

    def _cleaned(self, text: str | None) -> str | None:
        return text and storable(self._without_token(text) or "")[:LONGEST_TEXT]

    def _without_token(self, text: str | None) -> str | None:
        """Return a text without our token, which a malicious server may echo for all to read."""
        return text.replace(self._token, "***") if text and self._token else text

    def _has_token(self, text: str) -> bool:
        """Return whether a text contains our token."""
        return self._without_token(text) != text
