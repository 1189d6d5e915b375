"""Posts, as published by JSONPlaceholder."""

import msgspec

from domain.dataset import Dataset
from domain.fields import Int64


class Post(msgspec.Struct, frozen=True):
    """One post by one user."""

    id: Int64
    user_id: Int64
    title: str
    body: str


POSTS = Dataset(
    name="posts",
    record=Post,
    key=("id",),
    default_sort="id",
    indexes=(("user_id",),),
)
