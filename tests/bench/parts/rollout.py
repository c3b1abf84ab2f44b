"""A new release on Kubernetes under 100 requests a second, one of five a page: when it answers, and how many fail.

The manifest of a tutorial runs in a namespace of its own, behind the same NGINX, with the same images and data. Both
images are there already; only ours migrates.
"""

import measure

from parts.swap import CASE, PAGES, RATE, besides

TITLE = "Rollout on Kubernetes"
UNIT = "s"
OURS, SET, TUTORIAL = "make deploy-prod", "kubectl set image, rollout status", "the same on a tutorial's manifest"
WAYS = {OURS: None, SET: "book-shop", TUTORIAL: "bench"}
SET_IMAGE = """
kubectl --namespace "$NAMESPACE" set image deployment/book-shop "web=$IMAGE" >/dev/null
kubectl --namespace "$NAMESPACE" rollout status deployment/book-shop --timeout 150s >/dev/null
"""
# As a first page about Deployments has it: an image, a port, replicas. The names are those that SET_IMAGE knows.
MANIFEST = """
kubectl delete namespace bench --ignore-not-found >/dev/null
kubectl create namespace bench >/dev/null
kubectl --namespace book-shop get secret book-shop-env -o json |
  jq '.metadata = {name: .metadata.name, namespace: "bench"}' | kubectl apply -f - >/dev/null
kubectl --namespace bench apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: book-shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: book-shop}}
  template:
    metadata: {labels: {app: book-shop}}
    spec:
      dnsPolicy: Default
      hostAliases: [{ip: 169.254.77.1, hostnames: [db.internal]}]
      containers:
        - name: web
          image: $IMAGE
          ports: [{containerPort: 8000}]
          envFrom: [{secretRef: {name: book-shop-env}}]
---
apiVersion: v1
kind: Service
metadata: {name: book-shop}
spec:
  type: NodePort
  selector: {app: book-shop}
  ports: [{port: 80, targetPort: 8000, nodePort: 30081}]
YAML
kubectl --namespace bench rollout status deployment/book-shop --timeout 150s >/dev/null
until curl -fsS -o /dev/null -m 2 http://localhost:30081/readyz 2>/dev/null; do sleep 0.2; done
"""
LEAD = """
sed -i "s/127.0.0.1:300../127.0.0.1:$PORT/" /etc/nginx/book-shop/prod-upstream.conf
systemctl reload nginx
# The pods of the run before may still be leaving; they must not answer in this one.
running() { kubectl --namespace "$NAMESPACE" get pods --field-selector status.phase=Running -o name | wc -l; }
until [ "$(running)" = 2 ]; do sleep 0.3; done
until [ "$(curl -fsS -m 2 http://localhost/version | jq -r .revision)" = "$REVISION" ]; do sleep 0.1; done
"""
AWAY = """
kubectl delete namespace bench --ignore-not-found >/dev/null
cp /opt/book-shop/nginx/book-shop/prod-upstream.conf /etc/nginx/book-shop/
systemctl reload nginx
"""
VERSIONS = {
    "Kubernetes": "docker exec $DELIVERY_DEMO-host kubectl version | grep Server",
    "k6": "k6 version",
}


def missing() -> dict[str, str]:
    """Return the ways that can't be measured here, with the reason."""
    return measure.without_engine(WAYS)


def measured(bench: measure.Bench):
    """Yield a row for each run."""
    if missing():
        return
    images = bench.images()
    served = {"book-shop": 1, "bench": 1}  # which image each namespace serves
    for image, _ in images:
        bench.deploy("prod", image)
    bench.on_host(MANIFEST, IMAGE=images[1][0])
    try:
        for _, way in bench.turns(WAYS):
            namespace = WAYS[way] or "book-shop"
            before = images[served[namespace]][1]
            served[namespace] = 1 - served[namespace]
            image, revision = images[served[namespace]]
            port = "30081" if namespace == "bench" else "30080"
            bench.on_host(LEAD, PORT=port, REVISION=before, NAMESPACE=namespace)
            with measure.load(measure.url("prod"), bench.work, rate=RATE, pages=PAGES) as seen:
                answering = measure.Answering("prod", revision)
                answering.look()
                if way == OURS:
                    bench.deploy("prod", image)
                else:
                    bench.on_host(SET_IMAGE, IMAGE=image, NAMESPACE=namespace)
                done, seconds = answering.since(), answering.seconds()
            yield {"case": CASE, "way": way, "value": seconds, "done": max(done, seconds), **seen}
    finally:
        bench.on_host(AWAY)
        bench.deploy("prod", images[served["book-shop"]][0])


def goals(found) -> list[tuple[bool, str]]:
    """Return which goals are met."""
    failed = sum(row["failed"] for row in found[CASE, OURS].rows)
    return [(failed == 0, f"no request fails in a rollout: {failed:.0f}")]


__all__ = ["besides", "goals", "measured", "missing"]
