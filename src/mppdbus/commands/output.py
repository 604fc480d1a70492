"""What a command prints, as lines or as JSON, and its exit codes."""

import json

DONE, SAID_NO, USAGE, NO_DEVICE = 0, 1, 2, 3  # exit codes


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
            print(json.dumps(data, default=str, ensure_ascii=False), flush=True)  # noqa: T201
        elif text is not None:
            self.line(text)
