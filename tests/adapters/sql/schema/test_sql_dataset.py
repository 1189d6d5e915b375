"""What SQL has of a dataset: one object for each value, and no more than there is room for."""

from adapters.sql.datasets.queries import MAX_SHAPES, Shape, statements_of
from adapters.sql.schema.sql_dataset import SqlDataset
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.filters import Condition, Filter, Operator
from domain.paging import PageRequest, Sort


def test_a_dataset_has_one_object_and_another_value_another() -> None:
    same = Dataset(name=POSTS.name, record=POSTS.record, key=POSTS.key)

    assert SqlDataset.of(POSTS) is SqlDataset.of(POSTS)
    assert SqlDataset.of(same) is not SqlDataset.of(POSTS)


def test_a_layout_is_written_as_it_has_always_been() -> None:
    assert SqlDataset.of(POSTS).layout_text == (
        '{"columns":{"id":"integer","user_id":"integer","title":"string","body":"string",'
        '"_changed_at":"datetime"},"key":["id"],'
        '"indexes":[["user_id","id"],["_changed_at","id"]]}'
    )


def test_statements_are_built_once_for_a_shape_and_only_so_many_are_kept() -> None:
    dataset = Dataset(name="many", record=POSTS.record, key=POSTS.key)

    def shape(count: int) -> Shape:
        condition = Condition(dataset.fields["title"], Operator.NE, "a")
        filter = Filter((condition,) * count)
        return Shape.of(PageRequest(filter=filter, sort=Sort.parse(dataset, "id")))

    first = statements_of("sqlite", dataset, shape(0))
    assert statements_of("sqlite", dataset, shape(0)) is first
    assert statements_of("postgresql", dataset, shape(0)) is not first

    for number in range(MAX_SHAPES):
        statements_of(f"engine {number}", dataset, shape(1))
    statements_of("sqlite", dataset, shape(65))

    assert len(SqlDataset.of(dataset).pages) == MAX_SHAPES
    assert statements_of("sqlite", dataset, shape(0)) is not first
