"""Why nothing can listen on an address, as one line for its user."""

import os

from mppdbus.errors import ConfigError


def cannot_listen(where: str, error: OSError) -> ConfigError:
    """Return the error to raise for `error`, without asyncio's long text."""
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror or str(error)
    return ConfigError(f"cannot listen on {where}: {reason}")
