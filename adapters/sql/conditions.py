"""Conditions as SQL: the meaning of filters, written for the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, exists, func, literal_column, or_, select

from adapters.sql.database import Values
from adapters.sql.dataset_tables import encoder_of
from domain.fields import Field
from domain.filters import Condition, Filter, Operator

Clause = ColumnElement[bool]
Bind = Callable[[str], Any]


def _startswith(column: Any, bind: Bind) -> Clause:
    start: Clause = func.substr(column, 1, func.length(bind(""))) == bind("")
    return start


def _has(column: Any, bind: Bind) -> Clause:
    items = func.json_each(column).table_valued("value")
    return exists(select(literal_column("1")).where(items.c.value == bind("")))


_CLAUSE: Mapping[Operator, Callable[[Any, Bind], Clause]] = {
    Operator.EQ: lambda column, bind: column == bind(""),
    Operator.NE: lambda column, bind: column.is_distinct_from(bind("")),
    Operator.LT: lambda column, bind: column < bind(""),
    Operator.LTE: lambda column, bind: column <= bind(""),
    Operator.GT: lambda column, bind: column > bind(""),
    Operator.GTE: lambda column, bind: column >= bind(""),
    Operator.BETWEEN: lambda column, bind: column.between(bind("_0"), bind("_1")),
    Operator.CONTAINS: lambda column, bind: func.instr(column, bind("")) > 0,
    Operator.ICONTAINS: lambda column, bind: (
        func.instr(func.lower(column), func.lower(bind(""))) > 0
    ),
    Operator.STARTSWITH: _startswith,
    Operator.HAS: _has,
}


class Comparison(NamedTuple):
    """What of a condition decides the text of the statement: everything but the values."""

    field: str
    operator: Operator
    size: int  # how many values, or for `isnull` the value itself

    @classmethod
    def of(cls, condition: Condition) -> "Comparison":
        """The comparison a condition makes."""
        size = len(condition.value) if condition.operator.takes_list else 1
        if condition.operator is Operator.ISNULL:
            size = int(condition.value)
        return cls(condition.field.name, condition.operator, size)

    def clause(self, column: Any, name: str) -> Any:
        """The comparison over a column; its values are bound under names that begin with `name`."""

        def bind(suffix: str) -> Any:
            return bindparam(name + suffix, type_=column.type)

        if self.operator is Operator.ISNULL:
            return column.is_(None) if self.size else column.is_not(None)
        if self.operator in (Operator.IN, Operator.NIN):
            values = [bind(f"_{place}") for place in range(self.size)]
            inside = column.in_(values)
            return inside if self.operator is Operator.IN else or_(column.is_(None), ~inside)
        return _CLAUSE[self.operator](column, bind)


def encoded(field: Field, value: Any) -> Any:
    """A value as its column holds it."""
    encoder = encoder_of(field)
    # A list field is asked for one of its items, and those are plain text.
    return value if encoder is None or isinstance(value, str) or value is None else encoder(value)


def values_of(filter: Filter) -> Values:
    """The values of a filter's conditions, by the names its clauses give them."""
    values: dict[str, Any] = {}
    for number, condition in enumerate(filter.conditions):
        if condition.operator.takes_list:
            for place, value in enumerate(condition.value):
                values[f"f{number}_{place}"] = encoded(condition.field, value)
        elif condition.operator is not Operator.ISNULL:
            values[f"f{number}"] = encoded(condition.field, condition.value)
    return values


def shape_of(filter: Filter) -> tuple[Comparison, ...]:
    """What of a filter decides the text of its statement."""
    return tuple(map(Comparison.of, filter.conditions))


def clauses(table: Any, shape: Sequence[Comparison]) -> list[Clause]:
    """A filter as clauses over the table's columns."""
    return [part.clause(table.c[part.field], f"f{n}") for n, part in enumerate(shape)]
