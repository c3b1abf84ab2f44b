"""A new release on Kubernetes under 100 requests a second, of which one in five is for a page: when it answers, and how
many requests fail.

The manifest of a tutorial runs in a namespace of its own, behind the same NGINX, with the same images and data. The
host has both images; only ours migrates.
"""

from functools import partial

import measure

from parts import swap

UNIT = "s"
OURS, SET, TUTORIAL = "make deploy-prod", "kubectl set image, rollout status", "the same on a tutorial's manifest"
WAYS = {OURS: ("book-shop", "30080"), SET: ("book-shop", "30080"), TUTORIAL: ("bench", "30081")}  # namespace, NodePort
NEEDS = dict.fromkeys(WAYS, "docker")
TOOLS = ("Kubernetes", "k6")
CASE, details = swap.CASE, swap.details


def measured(bench: measure.Bench, ways: list[str]):
    images = bench.images
    served = {"book-shop": 1, "bench": 1}  # the number of the image that each namespace serves
    for image, _ in images:
        bench.deploy("prod", image)
    bench.on_host("apply_tutorial", IMAGE=images[1][0])
    try:
        for _, way in bench.turns(ways):
            namespace, port = WAYS[way]
            bench.on_host("serve_prod_from", port, namespace, images[served[namespace]][1])
            served[namespace] = 1 - served[namespace]
            image, revision = images[served[namespace]]
            change = partial(bench.deploy, "prod", image)
            if way != OURS:
                change = partial(bench.on_host, "set_image", namespace, IMAGE=image)
            yield {"case": CASE, "way": way, **swap.under_load(bench, "prod", revision, change)}
    finally:
        bench.on_host("serve_prod_again")
        bench.deploy("prod", images[served["book-shop"]][0])


def goals(found):
    failed = sum(row["failed"] for row in found[CASE, OURS].rows)
    yield failed == 0, f"no request fails in a rollout: {failed:.0f}"
