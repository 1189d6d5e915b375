"""JSONPlaceholder: a public sample API with a hundred posts."""

import msgspec

from adapters.outbound.json_list import JsonListSource
from domain.builtin.posts import Post
from domain.fields import Int64
from domain.payloads import Payload


class PostPayload(msgspec.Struct, rename="camel"):
    """A post as JSONPlaceholder spells it; fields it may add one day are passed over."""

    user_id: Int64
    id: Int64
    title: str
    body: str


class JsonPlaceholderSource(JsonListSource[PostPayload, Post]):
    """The posts of JSONPlaceholder, or of anything that answers like it."""

    name = "jsonplaceholder"
    normaliser_version = "jsonplaceholder-1"
    payload = PostPayload

    def record(self, element: PostPayload, payload: Payload) -> Post:
        """Our words for theirs."""
        return Post(element.id, element.user_id, element.title, element.body)
