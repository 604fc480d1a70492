"""The command `mppdbus`, also as `python -m mppdbus`."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from types import ModuleType
from typing import cast


def main() -> int:
    """Run one command; the exit code says how it went (see `cli`)."""
    _travel_light()
    from mppdbus.cli import main as run  # noqa: PLC0415 - a broken import is told well

    return run()


def _travel_light() -> None:
    """Leave out what no command uses, a fifth of the daemon's memory.

    asyncio and hashlib do without OpenSSL where Python was built without it; pydantic
    looks for plug-ins, of which there are none, with half of the e-mail package.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules.setdefault("ssl", None)
    if "_md5" in sys.builtin_module_names or PathFinder.find_spec("_md5"):
        modules.setdefault("_hashlib", None)  # hashlib has algorithms of its own
    if "importlib.metadata" in modules:
        return
    nothing = ModuleType("importlib.metadata")
    # Some releases of pydantic look for one of these, some for the other.
    nothing.entry_points = lambda **_: ()  # type: ignore[attr-defined]
    nothing.distributions = lambda **_: ()  # type: ignore[attr-defined]
    modules[nothing.__name__] = nothing
    with suppress(ImportError):  # another pydantic: it will see for itself
        import pydantic.plugin._loader  # noqa: F401, PLC0415
    del modules[nothing.__name__]


if __name__ == "__main__":
    sys.exit(main())
