"""The families of PI30, one file each; this folder alone says which there are.

A file holds what differs from the others: the row (`Dialect`), the clues by which the
family is recognised and its setters, as one `FAMILY`. Its name is that of the dialect.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from mppdbus.protocol.dialect import Dialect, Family, Model

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
