"""Revisions are frozen: a database that has been through one never goes through it again."""

import hashlib
from pathlib import Path

from adapters.sql.schema import migrations

_FOLDER = Path(migrations.__file__).parent / "versions"
#: A line for each revision, and none is ever changed: what was wrong is mended by the next one.
FROZEN = {
    "0001_system_tables.py": "fb4a60176afe1003",
    "0002_jobs_that_wait.py": "6396b1ba0637a40b",
    "0003_accounts.py": "1d415388e09159d2",
    "0004_totals_alarms_and_retention.py": "24c133fb0f31f8b9",
    "0005_repositories.py": "a52e76cbbb0b6369",
    "0006_replays.py": "27961bd1ecee1a26",
    "0007_later_changes.py": "ca1a676ca65bf132",
    "0008_held_records.py": "a381507f9f93dbdb",
    "0009_credentials_that_end.py": "68f67bf810f767a1",
    "0010_traces_of_jobs.py": "b277a6b31ce3ceec",
    "0011_clocks_set_back.py": "080a524f8678a174",
}


def test_no_revision_was_changed_after_it_may_have_been_applied() -> None:
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(_FOLDER.glob("[0-9]*.py"))
    }

    assert found == FROZEN
