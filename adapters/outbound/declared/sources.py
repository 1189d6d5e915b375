"""The definitions of declared sources."""

from typing import Any

from adapters.outbound.declared.mapping import mapping_of
from domain.dataset import Dataset
from domain.declarations import DeclaredSource
from domain.field_plans import Around
from domain.pointers import Pointer
from domain.sources import CsvFormat, Format, JsonFormat, NdjsonFormat, SourceDefinition


def definition_of(source: DeclaredSource, dataset: Dataset[Any]) -> SourceDefinition[Any]:
    """Return the definition of one source of a declared dataset."""
    return SourceDefinition(
        name=source.name,
        request=source.request,
        format=_format(source),
        mapping=mapping_of(source, dataset.record),
        normaliser_version=f"declared-{source.reading}",
        pages=source.pages,
        key=_key(source, dataset),
        auth=source.auth,
    )


def _format(source: DeclaredSource) -> Format:
    match source.format:
        case "ndjson":
            return NdjsonFormat()
        case "csv":
            return CsvFormat()
    return JsonFormat(records=source.records, columns=source.columns, is_lenient=True)


def _key(source: DeclaredSource, dataset: Dataset[Any]) -> tuple[Pointer, ...]:
    """Return the pointers to the key of an element; none if rows or other parts have it."""
    plans = {plan.name: plan for plan in source.fields}
    origins = [plans[name].origin for name in dataset.key if plans[name].const is None]
    inside = [o.pointer for o in origins if o.around is Around.RECORD and o.pointer.steps]
    is_json = source.format != "csv" and source.columns is None
    return tuple(inside) if is_json and len(inside) == len(origins) else ()
