"""Unforeseen exceptions: each is logged in full, once, and becomes the failure of its call."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from supavex.deployment.database.commits import Abandoned, Conflict
from supavex.deployment.functions.outcome import Failure, Outcome
from supavex.deployment.runtime.runner import RunnerLost
from supavex.errors import SupavexError

_LOGGER = logging.getLogger("supavex.server")
#: The most characters of the call that the log shows.
_SHOWN = 200


def incident(what: str) -> str:
    """Logs the exception that is being handled. Returns the message for the caller of ``what``."""
    id_ = secrets.token_hex(4)
    _LOGGER.exception("Incident %s in %s", id_, ascii(what[:_SHOWN]))
    return f"Your request couldn't be completed: supavex failed. The server's own output says more (incident {id_})."


@contextmanager
def recorded(outcome: Outcome, seconds: float) -> Iterator[None]:
    """Makes every exception of the block the failure of ``outcome``. ``seconds``: the allowed processor time.

    :class:`Conflict` and :class:`Abandoned` pass, because they are about a commit.
    """
    try:
        yield
    except (Conflict, Abandoned):
        raise
    except Failure as failure:
        outcome.failure = failure
    except RunnerLost as lost:
        outcome.failure = Failure(_lost(lost.reason, seconds))
    except SupavexError as error:
        outcome.failure = Failure(error.message)
    except Exception:
        outcome.failure = Failure(incident(f"{outcome.kind} {outcome.path}"))
    finally:
        outcome.seconds = time.monotonic() - outcome.begun


def _lost(reason: str, seconds: float) -> str:
    """The message for a function whose process was killed."""
    if reason == "timeout":
        return f"Function execution timed out (maximum duration: {seconds:g}s)"
    if reason == "memory":
        return "JavaScript execution ran out of memory (maximum memory usage: 64 MB)"
    return "The process that ran the function ended unexpectedly."
