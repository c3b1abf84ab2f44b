"""Rolls back the deploy of a pipeline's run, whose smoke test has failed.

The deploy records in a file next to DELIVERY_STEPS what it deploys and the last entry of the history before. With it,
a run whose deploy changed nothing does not roll back the deploy of another one.
"""

import json
import os

from delivery import status
from delivery.cli import log


def record(target, environment, image):
    """Records that a deploy of the image begins. Does nothing outside of a pipeline."""
    if path := _path(environment):
        last = status.history(target, environment, 1)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"image": image, "last": last[0] if last else None}, file)


def undo(target, environment):
    """Makes the previous image live again if this run's deploy made its image live and it still is.

    Does nothing outside of a pipeline. Raises CommandError or AlreadyReported if it fails.
    """
    path = _path(environment)
    if not (path and os.path.exists(path)):
        return  # this run has not deployed
    with open(path, encoding="utf-8") as file:
        recorded = json.load(file)
    past = status.history(target, environment)
    newer = past[past.index(recorded["last"]) + 1 :] if recorded["last"] in past else past
    deployed = ("deploy", "ok", recorded["image"].partition("@")[2])
    if deployed not in [(entry["verb"], entry["result"], entry["digest"]) for entry in newer]:
        log(f"nothing to roll back: the deploy of this run did not make {recorded['image']} live")
        return
    log(f"roll back the deploy of this run: {recorded['image']}")
    target.run("undo", environment, recorded["image"])


def _path(environment):
    """The path of the record; None outside of a pipeline."""
    steps = os.environ.get("DELIVERY_STEPS")
    return steps and f"{steps}.{environment}"
