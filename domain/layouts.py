"""Layouts: how a store keeps the records of a dataset, and what another layout leaves of them."""

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
        """Return whether one who expects the `wanted` layout finds all of it in this one."""
        return self.key == wanted.key and wanted.columns.items() <= self.columns.items()

    def grows_into(self, following: "Layout") -> bool:
        """Return whether columns need only be added to turn this layout into the `following`."""
        return following.serves(self) and following.indexes == self.indexes

    def kept_by(self, following: "Layout") -> tuple[str, ...]:
        """Return the columns whose values survive the change to the `following` layout.

        There are none when records are no longer told apart by the same key.
        """
        same = tuple(n for n, kind in following.columns.items() if self.columns.get(n) == kind)
        return same if self.key == following.key and {*self.key} <= {*same} else ()
