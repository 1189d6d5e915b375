"""Preferences: what a caller would like, in the standard form of RFC 7240, and what comes of it."""

import re
from typing import NamedTuple

#: So long, at the most, is an answer held back because its caller prefers to wait (seconds).
LONGEST_WAIT_S = 60

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
#: What stands between commas; a quotation may hold some, and one without an end goes on to the end.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\(?:.|$))*(?:"|$))+', re.DOTALL)
_PREFERENCE = re.compile(
    rf"[ \t]*({_WORD})[ \t]*(?:=[ \t]*(?:({_WORD}|{_QUOTED})[ \t]*)?)?(?:;.*)?", re.DOTALL
)
_SECONDS = re.compile(r"[0-9]{1,9}")


class ExecutionPreference(NamedTuple):
    """How a caller is to be answered: with the end of the fetch, or as its task stands by then.

    `wait_s` is how long to wait for the end of a task, `applied` what that owes to preferences.
    """

    is_task: bool
    wait_s: int = 0
    applied: str = ""

    @property
    def waits(self) -> bool:
        """Return whether the response waits for the end of the fetch."""
        return not self.is_task or self.wait_s > 0


def preference_of(mode: str | None, prefer: str, longest_s: float) -> ExecutionPreference:
    """What a `mode` and the lines of `Prefer` come to; a mode decides alone."""
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
    """The preferences by name, "" for one without a value; of several the first counts.

    What is not a preference is passed over, and so are the parameters of those that are.
    """
    preferences: dict[str, str] = {}
    for element in _ELEMENT.findall(prefer):
        if found := _PREFERENCE.fullmatch(element):
            preferences.setdefault(found[1].lower(), _plain(found[2] or ""))
    return preferences


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL) if word[:1] == '"' else word
