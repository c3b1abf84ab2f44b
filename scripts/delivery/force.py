"""FORCE=1 with a REASON: a deploy of any image, also of an older one."""

import os

from delivery import order
from delivery.cli import UsageError, flag


def reason():
    """The reason of a forced deploy, or "" without DELIVERY_FORCE. Raises UsageError unless both or none are set."""
    forced, text = flag("DELIVERY_FORCE"), os.environ.get("DELIVERY_REASON", "")
    if forced and not text:
        raise UsageError("FORCE=1 requires a reason", "the history shows it to other users", order.FORCE)
    if text and not forced:
        raise UsageError("REASON without FORCE=1", "only a forced deploy has a reason", order.FORCE)
    if text:
        order.check_reason(text)
    return text
