"""Layouts: how the table of a dataset is laid out, and which columns survive a change of it."""

import msgspec

from domain.dataset import Dataset, R


class Layout(msgspec.Struct, frozen=True):
    """The type of each column by its name, the key, and the indexes."""

    columns: dict[str, str]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, dataset: Dataset[R]) -> "Layout":
        """Return the layout of a dataset's records."""
        columns = {name: str(field.type) for name, field in dataset.fields.items()}
        return cls(columns, dataset.key, dataset.whole_indexes)

    def serves(self, wanted: "Layout") -> bool:
        """Return whether this layout contains everything of the `wanted` one."""
        return self.key == wanted.key and wanted.columns.items() <= self.columns.items()

    def grows_into(self, following: "Layout") -> bool:
        """Return whether adding columns is enough to turn this layout into the `following` one."""
        return following.serves(self) and following.indexes == self.indexes

    def kept_by(self, following: "Layout") -> tuple[str, ...]:
        """Return the columns whose values survive the change to the `following` layout.

        There are none if the key changes.
        """
        same = tuple(n for n, kind in following.columns.items() if self.columns.get(n) == kind)
        return same if self.key == following.key and {*self.key} <= {*same} else ()
