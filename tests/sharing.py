"""Posts that several sources may feed: each of their records says whose it is."""

import msgspec

from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.fields import Int64


class SharedPost(msgspec.Struct, frozen=True):
    """One post of one source."""

    source: str
    id: Int64
    title: str = "title"


#: It goes by the name of the posts, so that their jobs and schedules are its own.
SHARED = Dataset(name=POSTS.name, record=SharedPost, key=("source", "id"), default_sort="id")


def shared(source: str, count: int = 1) -> list[SharedPost]:
    """So many posts of one source."""
    return [SharedPost(source, number) for number in range(1, count + 1)]
