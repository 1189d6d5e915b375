"""`python -m tests.fuzz`: check the application against its OpenAPI document for any time.

    python -m tests.fuzz --minutes 5            each role for five minutes
    python -m tests.fuzz admin --seed 7         one role, repeatable

Each finding is printed with a request that shows it; the exit status is 1 if there is one.
"""

import argparse
import sys
from collections import defaultdict

from adapters.system.logs import configure
from domain.dataset import Role
from tests.fuzz.hold import Findings, hold


def main() -> bool:
    """Run in the given roles, or in all; return whether nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("roles", nargs="*", type=Role, help="anyone, user, admin")
    parser.add_argument("--minutes", type=int, default=3, help="so long for each role")
    parser.add_argument("--examples", type=int, default=50, help="of each operation in a round")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    configure("error", "console")
    found = 0
    for role in given.roles or Role:
        findings = hold(role, given.examples, given.minutes, given.seed)
        found += len(findings.wrong)
        _show(role, findings)
    return not found


def _show(role: Role, findings: Findings) -> None:
    print(f"\n{role.value}: {findings.answers.total()} requests, {len(findings.wrong)} findings")
    statuses: dict[str, dict[str, int]] = defaultdict(dict)
    for (operation, method, status), count in sorted(findings.answers.items()):
        named = str(status) if operation.startswith(f"{method} ") else f"{method} {status}"
        statuses[operation][named] = count
    for operation, counts in statuses.items():
        statuses_text = ", ".join(
            f"{status}: {count}" for status, count in counts.items() if " " not in status
        )
        print(f"  {operation:45} {statuses_text}")
    for text in findings.wrong:
        print(f"\n{text}")


if __name__ == "__main__":
    sys.exit(not main())
