"""Cancels a task without losing a cancellation of the caller."""

import asyncio


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel `task` and return when it has ended.

    A cancellation of the caller is raised, which ``with suppress(CancelledError): await
    task`` would swallow. An error of the task is not raised here; asyncio logs it.
    """
    task.cancel()
    await asyncio.wait({task})
