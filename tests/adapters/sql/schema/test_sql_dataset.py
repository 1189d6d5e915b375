"""The SQL side of a dataset: one object for each value, with a bounded cache of statements."""

from adapters.sql.datasets.queries import MAX_SHAPES, Shape, statements_of
from adapters.sql.schema.sql_dataset import SqlDataset
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.filters import Condition, Filter, Operator
from domain.paging import PageRequest, Sort


def test_each_dataset_value_has_one_object() -> None:
    same = Dataset(name=POSTS.name, record=POSTS.record, key=POSTS.key)

    assert SqlDataset.of(POSTS) is SqlDataset.of(POSTS)
    assert SqlDataset.of(same) is not SqlDataset.of(POSTS)


def test_the_stored_form_of_a_layout_never_changes() -> None:
    assert SqlDataset.of(POSTS).layout_text == (
        '{"columns":{"id":"integer","user_id":"integer","title":"string","body":"string",'
        '"_changed_at":"datetime"},"key":["id"],'
        '"indexes":[["user_id","id"],["_changed_at","id"]]}'
    )


def test_statements_are_built_once_for_a_shape_and_the_cache_is_bounded() -> None:
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
