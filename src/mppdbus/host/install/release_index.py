"""Asks the project's list of releases which one is the newest."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

from mppdbus.errors import ConfigError, InstallError

INDEX = "https://api.github.com/repos/mppdbus/mppdbus/releases/latest"
PATIENCE = 15.0  # s
LONGEST = 1 << 20  # bytes of an answer


def newest(url: str) -> str:
    """Return the newest version; raises `InstallError` if it cannot be learned.

    The answer is JSON with "tag_name" or "version", such as "v1.2.0".
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url}: the address must begin with https:// or http://")
    request = urllib.request.Request(url, headers={"User-Agent": "mppdbus"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            said: Any = json.loads(answer.read(LONGEST))
    except urllib.error.HTTPError as error:
        raise InstallError(f"{url} says {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InstallError(f"{url} gives no answer: {reason}") from error
    tag = said.get("tag_name") or said.get("version") if isinstance(said, dict) else ""
    version = str(tag).removeprefix("v")
    if not re.fullmatch(r"\d+(\.\d+)*[a-z0-9.]*", version):
        raise InstallError(f"{url} names no version")
    return version
