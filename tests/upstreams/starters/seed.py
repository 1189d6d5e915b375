"""The records that every server is filled with: `python3 seed.py N` prints N as a JSON list."""

import json
import random  # noqa: TID251 - seeded, so the records are the same each time
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "inlet",
    "jetty",
    "kelp",
    "larch",
    "moor",
    "north",
    "ochre",
    "pine",
    "quay",
    "reef",
    "slate",
    "thorn",
]
BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def items(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return so many records, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret by it
    return [_item(number, chance) for number in range(1, count + 1)]


def _item(number: int, chance: random.Random) -> dict[str, Any]:
    created_at = BEGAN_AT + timedelta(hours=5 * number, minutes=chance.randrange(60))
    return {
        "id": number,
        "sku": f"SKU-{number:05d}",
        "name": f"{chance.choice(WORDS)} {chance.choice(WORDS)}",
        "price": round(chance.uniform(1, 900), 2),
        "quantity": chance.randrange(0, 500),
        "active": chance.random() > 0.2,
        "tags": sorted(chance.sample(WORDS, chance.randrange(0, 4))),
        "owner": {"id": chance.randrange(1, 12), "name": chance.choice(WORDS).title()},
        "note": None if chance.random() < 0.4 else f"see {chance.choice(WORDS)}",
        "created_at": _text(created_at),
        "updated_at": _text(created_at + timedelta(minutes=chance.randrange(0, 90000))),
    }


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    print(json.dumps(items(int(sys.argv[1]))))
