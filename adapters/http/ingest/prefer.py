"""The `Prefer` header (RFC 7240): how a caller wants a fetch to be answered."""

import re
from typing import NamedTuple

#: The longest wait that a caller can ask for.
LONGEST_WAIT_S = 60

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
#: Text between commas; quoted strings may contain commas, and an unclosed one ends at the end.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\(?:.|$))*(?:"|$))+', re.DOTALL)
_PREFERENCE = re.compile(
    rf"[ \t]*({_WORD})[ \t]*(?:=[ \t]*(?:({_WORD}|{_QUOTED})[ \t]*)?)?(?:;.*)?", re.DOTALL
)
_SECONDS = re.compile(r"[0-9]{1,9}")


class ExecutionPreference(NamedTuple):
    """Whether a fetch is answered when it has ended, or as a task at once or after a while.

    `wait_s` is how long to wait for the end of a task, `applied` the value of Preference-Applied.
    """

    is_task: bool
    wait_s: int = 0
    applied: str = ""

    @property
    def waits(self) -> bool:
        """Return whether the response waits for the end of the fetch."""
        return not self.is_task or self.wait_s > 0


def preference_of(mode: str | None, prefer: str, longest_s: float) -> ExecutionPreference:
    """Return the preference in `mode`, or if there is none in `Prefer`."""
    if mode is not None:
        return ExecutionPreference(is_task=mode == "task")
    preferences = preferences_of(prefer)
    applied = []
    wait_s = 0
    if preferences.get("respond-async") == "":
        applied.append("respond-async")
    if _SECONDS.fullmatch(preferences.get("wait", "")):
        wait_s = int(min(float(preferences["wait"]), longest_s, LONGEST_WAIT_S))
        applied.append(f"wait={wait_s}")
    return ExecutionPreference(bool(applied), wait_s, ", ".join(applied))


def preferences_of(prefer: str) -> dict[str, str]:
    """Return the preferences by name, "" for one without a value; the first of a name counts.

    Malformed elements and parameters of preferences are ignored.
    """
    preferences: dict[str, str] = {}
    for element in _ELEMENT.findall(prefer):
        if found := _PREFERENCE.fullmatch(element):
            preferences.setdefault(found[1].lower(), _plain(found[2] or ""))
    return preferences


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL) if word[:1] == '"' else word
