"""Writes a generated page, or tells whether the one in docs/ is current."""

# ruff: noqa: T201 - tools speak

from __future__ import annotations

from pathlib import Path


def write_or_check(page: Path, text: str, words: list[str]) -> int:
    """Write `text` to `page`; with --check only compare, and return 1 if it is not."""
    if "--check" not in words:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    again = f".venv/bin/python tools/make_{page.stem}_md.py"
    print(f"docs/{page.name} is not current: run {again}")
    return 1
