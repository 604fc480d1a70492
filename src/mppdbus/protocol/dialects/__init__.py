"""The families of PI30, one file each; a new family is a new file here.

A file holds what differs from the others: the row (`Dialect`), the clues by which the
family is recognised and its setters, as one `FAMILY`. Its name is that of the dialect.
"""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from mppdbus.protocol.dialect import Dialect, Family, Model
from mppdbus.protocol.queries import QUERIES, Queries

FAMILIES: dict[str, Family] = {
    file.name: import_module(f"{__name__}.{file.name}").FAMILY
    for file in iter_modules(__path__)
}
DIALECTS: dict[str, Dialect] = {name: each.dialect for name, each in FAMILIES.items()}
MODEL_NUMBERS: dict[str, Model] = {
    number: model
    for each in FAMILIES.values()
    for number, model in each.numbers.items()
}


def _queries_of_all() -> Queries:
    """Return the common layouts, and those of one family for other numbers of words."""
    found = dict(QUERIES)
    for dialect in DIALECTS.values():
        for query, layouts in dialect.queries.items():
            common = found.get(query, ())
            known = {count for each in common for count in each.counts}
            others = [each for each in layouts if not each.counts <= known]
            found[query] = (
                *common,
                *(replace(each, counts=each.counts - known) for each in others),
            )
    return found


# The dialect of an inverter until its family is known.
UNKNOWN_FAMILY = replace(DIALECTS["pi30"], queries=_queries_of_all())
