"""What a command prints, as lines or as JSON, and its exit codes."""

import codecs
import json
import os
import shlex
import shutil
import sys

DONE, SAID_NO, USAGE, NO_DEVICE = 0, 1, 2, 3  # exit codes
NO_LIVE_VALUES = 4  # an inverter answers, but its QPIGS gives nothing
INTERRUPTED = 130  # Ctrl-C, as shells have it


# What is printed where the terminal lacks a character; any other one as its code.
LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("┌┐└┘", "+"), "─": "-", "│": "|", "━": "-", "▶": ">", "◀": "<",
        **dict.fromkeys("█▉▊▋▌", "#"), **dict.fromkeys("▍▎▏", ":"), "░": ".",
        "●": "*", "○": "o", "·": ".", "…": "~", "°": " ", "✓": "+", "✗": "x",
        **dict.fromkeys("“”„", '"'), **dict.fromkeys("‘’", "'"), "–": "-", "→": ">",
    }
)  # fmt: skip


def _lookalike(error: UnicodeError) -> tuple[str | bytes, int]:
    """Print characters that a terminal lacks, each as one that looks like it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(LOOKALIKES)
    shown = (c if c.isascii() else ascii(c)[1:-1] for c in lacking)
    return "".join(shown), error.end


codecs.register_error("lookalike", _lookalike)


def how_called() -> str:
    """Return what to type for `mppdbus`, as it was called this time."""
    program = sys.argv[0]
    if program.endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m mppdbus"
    found = shutil.which("mppdbus")
    if found is not None and os.path.realpath(found) == os.path.realpath(program):
        return "mppdbus"
    return shlex.quote(program)


def dumb_terminal() -> bool:
    """Tell whether the terminal knows neither colours nor moves of the cursor."""
    return os.environ.get("TERM") == "dumb"


def as_json(data: object) -> str:
    """Return one line of JSON, in ASCII where the output is not UTF-8."""
    utf_8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(data, default=str, ensure_ascii=not utf_8)


class Output:
    """Prints lines for people, or with --json one object a line for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """Print a line that only people need."""
        if not self.as_json:
            print(text, flush=True)  # noqa: T201 - the command line speaks

    def record(self, data: object, text: str | None = None) -> None:
        """Print a result: `data` for scripts, `text` for people."""
        if self.as_json:
            print(as_json(data), flush=True)  # noqa: T201
        elif text is not None:
            self.line(text)
