"""The table of config.toml, frozen, without unknown keys."""

from pydantic import BaseModel, ConfigDict


class ConfigTable(BaseModel):
    """A table of the file; the description of a field says what may stand there."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
