"""Conditions as SQL: the meaning of filters, written for the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Float, Text, and_, bindparam, func, or_

from adapters.sql.engine.database import Values
from adapters.sql.engine.dialects import holds, listed, position
from adapters.sql.schema.dataset_tables import encoder_of
from domain.fields import Field, FieldType
from domain.filters import Condition, Filter, Operator

Clause = ColumnElement[bool]
Bind = Callable[[str], Any]


def _between(column: Any, bind: Bind) -> Clause:
    # Not as BETWEEN: PostgreSQL takes no COLLATE on its bounds.
    return and_(column >= bind("_0"), column <= bind("_1"))


def _startswith(column: Any, bind: Bind) -> Clause:
    start: Clause = func.substr(column, 1, func.length(bind(""))) == bind("")
    return start


_CLAUSE: Mapping[Operator, Callable[[Any, Bind], Clause]] = {
    Operator.EQ: lambda column, bind: column == bind(""),
    Operator.NE: lambda column, bind: column.is_distinct_from(bind("")),
    Operator.LT: lambda column, bind: column < bind(""),
    Operator.LTE: lambda column, bind: column <= bind(""),
    Operator.GT: lambda column, bind: column > bind(""),
    Operator.GTE: lambda column, bind: column >= bind(""),
    Operator.BETWEEN: _between,
    Operator.CONTAINS: lambda column, bind: position(column, bind("")) > 0,
    Operator.ICONTAINS: lambda column, bind: position(func.lower(column), func.lower(bind(""))) > 0,
    Operator.STARTSWITH: _startswith,
    Operator.HAS: lambda column, bind: holds(column, bind("")),
}


_LOWER = (Operator.GT, Operator.GTE)
_UPPER = (Operator.LT, Operator.LTE)


class Comparison(NamedTuple):
    """What of a condition decides the text of the statement: everything but the values."""

    field: str
    operator: Operator
    size: int  # how many values are bound, or for `isnull` the value itself

    @classmethod
    def of(cls, condition: Condition) -> "Comparison":
        """The comparison a condition makes."""
        size = 1
        if condition.operator is Operator.ISNULL:
            size = int(condition.value)
        elif _binds_each(condition):
            size = _room_for(len(condition.value))
        return cls(condition.field.name, condition.operator, size)

    def clause(self, column: Any, name: str) -> Any:
        """The comparison over a column; its values are bound under names that begin with `name`."""

        def bind(suffix: str) -> Any:
            return bindparam(name + suffix, type_=column.type)

        if self.operator is Operator.ISNULL:
            return column.is_(None) if self.size else column.is_not(None)
        if self.operator in (Operator.IN, Operator.NIN):
            inside = self._listed(column, bind)
            return inside if self.operator is Operator.IN else or_(column.is_(None), ~inside)
        return _CLAUSE[self.operator](column, bind)

    def beyond(self, column: Any, name: str, descending: bool) -> Any:
        """What of the comparison is still to be met after a cursor, in an order by this column.

        The cursor's own record has met it, and so has all that lies further from one of its bounds:
        an index would be led to that bound, and not to the cursor. None when nothing is left.
        """
        if self.operator in (_UPPER if descending else _LOWER):
            return None
        if self.operator is Operator.BETWEEN:
            bound = bindparam(f"{name}_{0 if descending else 1}", type_=column.type)
            return column >= bound if descending else column <= bound
        return self.clause(column, name)

    def _listed(self, column: Any, bind: Bind) -> Any:
        if isinstance(column.type, Float):
            return column.in_([bind(f"_{place}") for place in range(self.size)])
        return listed(column, bindparam(bind("").key, type_=Text()))


def _binds_each(condition: Condition) -> bool:
    """Whether a list's values are bound one by one: numbers would not survive as JSON text."""
    listed = condition.operator in (Operator.IN, Operator.NIN)
    return listed and condition.field.type is FieldType.NUMBER


def _room_for(count: int) -> int:
    """The next power of two: lists of all lengths then make few different statements."""
    return 1 << (count - 1).bit_length()


def encoded(field: Field, value: Any) -> Any:
    """A value as its column holds it."""
    encoder = encoder_of(field)
    # A list field is asked for one of its items, and those are plain text.
    return value if encoder is None or isinstance(value, str) or value is None else encoder(value)


def values_of(filter: Filter) -> Values:
    """The values of a filter's conditions, by the names its clauses give them."""
    values: dict[str, Any] = {}
    for number, condition in enumerate(filter.conditions):
        if condition.operator is Operator.BETWEEN or _binds_each(condition):
            listed = [encoded(condition.field, value) for value in condition.value]
            # The last one fills the room that is left; it changes nothing.
            listed += listed[-1:] * (_room_for(len(listed)) - len(listed))
            values |= {f"f{number}_{place}": value for place, value in enumerate(listed)}
        elif condition.operator.takes_list:
            listed = [encoded(condition.field, value) for value in condition.value]
            values[f"f{number}"] = msgspec.json.encode(listed).decode()
        elif condition.operator is not Operator.ISNULL:
            values[f"f{number}"] = encoded(condition.field, condition.value)
    return values


def shape_of(filter: Filter) -> tuple[Comparison, ...]:
    """What of a filter decides the text of its statement."""
    return tuple(map(Comparison.of, filter.conditions))


def clauses(table: Any, shape: Sequence[Comparison]) -> list[Clause]:
    """A filter as clauses over the table's columns."""
    return [part.clause(table.c[part.field], f"f{n}") for n, part in enumerate(shape)]


def clauses_beyond(
    table: Any, shape: Sequence[Comparison], first: str, descending: bool
) -> list[Clause]:
    """A filter as it is still to be met after a cursor, in an order by the field `first`."""
    left = (
        part.beyond(table.c[part.field], f"f{n}", descending)
        if part.field == first
        else part.clause(table.c[part.field], f"f{n}")
        for n, part in enumerate(shape)
    )
    return [clause for clause in left if clause is not None]
