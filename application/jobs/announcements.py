"""Announcements: have one handled, and publish what its handler raises."""

import asyncio

from application.ports.jobs import Handle
from application.ports.operations import Events
from domain.events import AnnouncementFailed


async def handled(handle: Handle, job_id: str, events: Events) -> bool:
    """Return whether the handler returned; an error of its own is published and ends nothing else.

    It raises CancelledError only when the task that called it is cancelled.
    """
    try:
        await handle(job_id)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        events.publish(AnnouncementFailed(job=job_id, error=error))
    except Exception as error:
        events.publish(AnnouncementFailed(job=job_id, error=error))
    else:
        return True
    return False
