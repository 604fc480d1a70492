"""Models from words in fewer steps than pydantic's own way, by the same rules.

pydantic turns the words into values as one tuple: a third of the time that it takes
for them as a mapping of names, which was half of a decode.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter

Model = TypeVar("Model", bound=BaseModel)

# What `model_construct` sets, too; it would look at every field again.
_put_content, _put_given, _put_extra, _put_private = (
    vars(BaseModel)[name].__set__
    for name in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)


def _of_word(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type without None: a word that is there is never None."""
    kinds = get_args(annotation)
    if len(kinds) == 2 and kinds[1] is NoneType:
        return kinds[0]
    return annotation


def assembler(
    model: type[Model], names: tuple[str, ...]
) -> Callable[[list[str]], Model] | None:
    """Return what makes a `model` of as many words as there are `names`.

    It raises `ValidationError` where the model would, without naming the field. None
    if a field that must be there is not in `names`. Right for models whose only rules
    are the types of their fields.
    """
    fields = model.model_fields
    if any(info.is_required() and name not in names for name, info in fields.items()):
        return None
    rules = tuple(
        Annotated[(_of_word(fields[name].annotation), *fields[name].metadata, None)]
        for name in names
    )
    config = ConfigDict(allow_inf_nan=model.model_config.get("allow_inf_nan", True))
    words_type: Any = tuple[rules]  # type: ignore[valid-type]
    values = TypeAdapter(words_type, config=config).validator.validate_python
    # In the order of the fields, whatever the order of the words.
    blank = {name: info.get_default() for name, info in fields.items()}
    given = set(names)
    new = model.__new__

    def assemble(words: list[str]) -> Model:
        content = blank.copy()
        content.update(zip(names, values(words)))  # noqa: B905 - 0.2 µs of 6
        made = new(model)
        _put_content(made, content)
        _put_given(made, given.copy())
        _put_extra(made, None)
        _put_private(made, None)
        return made

    return assemble
