"""Sample posts: a seed always gives the same text."""

import random

from entrypoints.sample_upstream.documents import Record

SUBJECTS = (
    "the river", "a quiet harbour", "the old mill", "our gauge", "the north field", "a late storm",
    "the ferry", "the reservoir", "every spring", "the lock keeper", "a heron", "the survey boat",
    "the upper valley", "a broken sluice", "the morning crew", "the delta",
)  # fmt: skip
VERBS = (
    "carries", "measures", "remembers", "slows", "fills", "follows", "crosses", "feeds", "divides",
    "outlasts", "repairs", "describes", "leaves", "finds", "counts", "meets",
)  # fmt: skip
OBJECTS = (
    "the lower meadow", "a winter of readings", "the stone bridge", "three small streams",
    "the tide table", "more rain than planned", "a line of willows", "the pumping station",
    "the last dry summer", "a sack of grain", "the chalk hills", "an empty barge",
    "the water level", "a careful drawing", "the town below", "the first frost",
)  # fmt: skip
POSTS_PER_USER = 10


def sample_posts(number: int, seed: int) -> list[Record]:
    """Return that many posts, ten for each user, numbered from 1."""
    choice = random.Random(seed).choice  # noqa: S311 - sample text, not secrets
    sentences = [f"{s} {v} {o}" for s in SUBJECTS for v in VERBS for o in OBJECTS]
    return [
        {
            "userId": (post_id - 1) // POSTS_PER_USER + 1,
            "id": post_id,
            "title": choice(sentences),
            "body": "\n".join((choice(sentences), choice(sentences), choice(sentences))),
        }
        for post_id in range(1, number + 1)
    ]
