"""Error messages about a configuration, with what to do."""

import json
import re
from collections.abc import Collection, Iterable, Mapping

_LIMITS = {
    "greater_than_equal": ("less than", "ge"),
    "less_than_equal": ("more than", "le"),
}
_WANTED = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "finite_number": "a finite number",
    "model_type": "a table",
    "tuple_type": "a list of tables",
}
_SYNTAX_ADVICE = {
    "Invalid value": 'text stands in "quotes"',
    "Cannot overwrite a value": "the same key stands there twice",
    "Expected '=' after a key in a key/value pair": "a line is: key = value",
}
_UNCLOSED = re.compile(r"[^\"'#]*=\s*(\"[^\"]*|'[^']*)$")
# Mistakes that the line itself shows; what the parser says of them does not help.
_MISTAKES = (
    (r".*[“”„«»‘’‚]", 'these quotes are typographic; write plain ones: "text"'),
    (_UNCLOSED, "the quote is not closed"),
    (r"\[(inverter|rule)\]", "each of them has two brackets: [[…]]"),
    (r".*=\s*\d+,\d+\s*(#.*)?$", "a number has a point: 2.5"),
    (r".*=\s*0\d+\s*(#.*)?$", 'what begins with 0 stands in quotes: "0034"'),
    (r".*=\s*\d+\.\s*(#.*)?$", "digits follow the point: 1.0"),
    (r".*=\s*\d+\s*[A-Za-z]+", "a number stands without its unit"),
    (r".*=\s*(?i:true|yes|on)\s*(#.*)?$", "write true, in small letters"),
    (r".*=\s*(?i:false|no|off)\s*(#.*)?$", "write false, in small letters"),
    (r".*=\s*\".*\\", "a backslash is written twice, or the text in 'single quotes'"),
)
LONGEST_SHOWN = 48  # characters of a value in a message
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def show(value: object) -> str:
    """Return a value as the file has it, on one line, shortened."""
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if value.bit_length() < 200 else "a huge number"
    elif isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "a table"
    else:
        text = str(value)
    return plain(text)


def plain(text: str, most: int = LONGEST_SHOWN) -> str:
    """Return a text on one line, cut to `most` characters."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def place(loc: Iterable[int | str]) -> str:
    """Return where in the file something is: ``inverter[1].poll``, counted from 1."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else show(part)
            text += f".{name}" if text else name
    return text


MOVED = {"soc": "[battery]"}  # keys that another section had before


def unknown_key(key: str, known: Collection[str]) -> str:
    """Return the message about an unknown key, with the most similar known key."""
    if key in MOVED and key not in known:
        return f"{show(key)} stands in the section {MOVED[key]} now"
    if meant := closest(key, known):
        return f'unknown key {show(key)}; did you mean "{meant}"?'
    return f"unknown key {show(key)}; known are {', '.join(sorted(known))}"


def bad_value(kind: str, value: object, context: Mapping[str, object]) -> str:
    """Return the message about a value; `kind` and `context` are those of pydantic."""
    if kind in _LIMITS:
        comparison, key = _LIMITS[kind]
        return f"{show(value)} is {comparison} {float(str(context[key])):g}"
    if kind == "value_error":
        return str(context["error"])
    if wanted := _WANTED.get(kind):
        is_now = {str: "text, ", bool: "a yes or no, "}.get(type(value), "")
        return f"{show(value)} is {is_now}not {wanted}"
    return f"{show(value)} is not allowed"


def bad_syntax(message: str, text: str) -> str:
    """Return the message about text that is no TOML; `message` is that of tomli."""
    if "[mppsolar]" in text.lower():
        return "this is the ini file of dbus-mppsolar; convert it first"
    what, _, where = message.splitlines()[0].partition(" (at ")
    if not where:
        return f"{plain(what)}; look for a value that is far too long or deep"
    match = re.match(r"line (\d+), column \d+", where)
    lines = text.split("\n") if match else text.rstrip().split("\n")
    at = match[0] if match else f"line {len(lines)}, at its end"
    written = lines[int(match[1]) - 1 if match else -1].strip()
    if not match and (found := _unclosed(lines)):
        at, written = found
    for pattern, mistake in _MISTAKES:
        if re.match(pattern, written):
            return f"{at}: {mistake}; here it is: {plain(written)}"
    advice = _SYNTAX_ADVICE.get(what, "compare with config.example.toml")
    return f"{at}: {what}: {plain(written)}; {advice}"


def _unclosed(lines: list[str]) -> tuple[str, str] | None:
    """Return where a quote is not closed; the parser only notes the end of the file."""
    for number, line in enumerate(lines, 1):
        if _UNCLOSED.match(line):
            return f"line {number}", line.strip()
    return None


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the most similar known word: at most two typing errors, or a part."""
    word = word[:LONGEST_SHOWN].lower()
    near = sorted((_distance(word, name), name) for name in known)
    if near and near[0][0] <= min(2, len(word) - 1):
        return near[0][1]
    parts = [name for _, name in near if name in word or (word and word in name)]
    return max(parts, key=len, default=None)


def _distance(a: str, b: str) -> int:
    """Return the Levenshtein distance: letters to insert, drop or change."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def any_of(values: Iterable[object]) -> str:
    """Return the values to choose from: ``"grid", "shore" or "none"``."""
    *most, last = (show(value) for value in values)
    return f"{', '.join(most)} or {last}"
