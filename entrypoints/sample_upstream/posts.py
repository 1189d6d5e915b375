"""The posts of the sample upstream: all, filtered or by page, encoded once."""

import msgspec

from entrypoints.sample_upstream.documents import Document, Record, positive

DEFAULT_LIMIT = 10
MOST_REMEMBERED_PAGES = 1024


class Selection(msgspec.Struct, frozen=True):
    """The selection of posts in a request."""

    user_id: str | None = None
    page: int | None = None
    limit: int = DEFAULT_LIMIT

    @classmethod
    def from_query(cls, query: dict[str, str]) -> "Selection":
        """Read `userId`, `_page` and `_limit`; an unreadable number counts as absent."""
        page, limit = positive(query.get("_page")), positive(query.get("_limit"))
        if page is None and limit is not None:
            page = 1
        return cls(user_id=query.get("userId"), page=page, limit=limit or DEFAULT_LIMIT)


class Part(msgspec.Struct, frozen=True):
    """The selected posts, and their number without paging."""

    document: Document
    total: int
    last_page: int


class Collection:
    """A fixed list of posts, encoded once."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self._encoded = [msgspec.json.encode(record) for record in records]
        self._by_id = {
            str(r.get("id")): text for r, text in zip(records, self._encoded, strict=True)
        }
        self._parts: dict[Selection, Part] = {}

    @property
    def whole(self) -> Document:
        """Return all posts in one document."""
        return self.part(Selection()).document

    def one(self, post_id: str) -> Document | None:
        """Return one post by its number."""
        text = self._by_id.get(post_id)
        return None if text is None else Document(text)

    def part(self, selection: Selection) -> Part:
        """Return the posts of a selection, from a cache."""
        if selection not in self._parts:
            if len(self._parts) >= MOST_REMEMBERED_PAGES:
                self._parts.clear()
            self._parts[selection] = self._cut(selection)
        return self._parts[selection]

    def _cut(self, selection: Selection) -> Part:
        texts = self._of_user(selection.user_id)
        total, last_page = len(texts), -(-len(texts) // selection.limit)
        if selection.page is not None:
            start = (selection.page - 1) * selection.limit
            texts = texts[start : start + selection.limit]
        return Part(Document(b"[" + b",".join(texts) + b"]"), total, max(last_page, 1))

    def _of_user(self, user_id: str | None) -> list[bytes]:
        if user_id is None:
            return self._encoded
        pairs = zip(self.records, self._encoded, strict=True)
        return [text for record, text in pairs if str(record.get("userId")) == user_id]
