"""The source of posts: JSONPlaceholder, a public sample API, or a compatible one."""

import msgspec

from domain.builtin.posts import Post
from domain.fields import Int64
from domain.pages import LinkHeader, Pages
from domain.payloads import Payload
from domain.sources import JsonFormat, RecordMapping, Request, SourceDefinition


class PostPayload(msgspec.Struct, rename="camel"):
    """A post as JSONPlaceholder sends it."""

    user_id: Int64
    id: Int64
    title: str
    body: str


def jsonplaceholder(url: str) -> SourceDefinition[Post]:
    """Return the source of the posts at this URL."""
    return SourceDefinition(
        name="jsonplaceholder",
        request=Request(url),
        pages=Pages(paginator=LinkHeader()),
        format=JsonFormat(),
        mapping=RecordMapping(PostPayload, _post),
        normaliser_version="jsonplaceholder-1",
    )


def _post(element: PostPayload, payload: Payload) -> Post:
    return Post(element.id, element.user_id, element.title, element.body)
