"""Ends a task without losing that oneself is to end."""

import asyncio


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel `task` and return when it has ended.

    A cancellation of the caller gets out, which ``with suppress(CancelledError): await
    task`` swallows. What the task raised is not raised here; asyncio logs it.
    """
    task.cancel()
    await asyncio.wait({task})
