"""Settings without their secrets, for the terminal and the log."""

from urllib.parse import urlsplit

from entrypoints.config.settings import SETTINGS


def redacted(name: str, text: str) -> str:
    """Return the text of a setting without its secrets."""
    hidden = SETTINGS[name].hidden
    if not text:
        return "(generated next to the database)" if name == "SECRET_KEY" else ""
    if hidden == "value":
        return "(set)"
    if hidden == "path":
        return f"{urlsplit(text).scheme}://{urlsplit(text).netloc}/..."
    if "://" not in text:
        return text
    return without_password(text) + ("?..." if urlsplit(text).query else "")


def without_password(url: str) -> str:
    """Return a URL without its password and its query, which may contain a key."""
    parts = urlsplit(url)
    user, separator, host = parts.netloc.rpartition("@")
    shown = f"{user.partition(':')[0]}:***@{host}" if separator and ":" in user else parts.netloc
    return parts._replace(netloc=shown, query="").geturl() if parts.netloc else url
