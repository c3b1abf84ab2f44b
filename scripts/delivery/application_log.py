"""The application's log: one JSON object per line, with `message` and for an exception `exc_info`."""

import json

NOT_READY = "Not ready: "  # begins the message that says why the readiness probe failed


def failure(log):
    """Why the application was not ready, or its last exception, from its log; None if the log has neither."""
    exception = None
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
            message = entry["message"]
            if message.startswith(NOT_READY):
                return message.removeprefix(NOT_READY)
            if entry.get("exc_info") and not exception:
                exception = f"{message}: {entry['exc_info'].strip().splitlines()[-1]}"
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # not a line of the application's own
    return exception
