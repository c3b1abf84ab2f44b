"""The budget of database connections: what the pods and slots may open, against what PostgreSQL accepts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from delivery import application

ROOT = Path(__file__).parents[2]
POSTGRESQL = 100  # max_connections in Debian's and Ubuntu's packages
SUPERUSER = 3  # superuser_reserved_connections
RDS = 2  # rds.rds_superuser_reserved_connections
MIGRATION = 1
PROGRAMS = 4  # at the same time at most: dump, restore, clearsessions, one shell


def rendered(overlay):
    """The objects of an overlay, by kind."""
    command = ["kubectl", "kustomize", str(ROOT / "k8s/overlays" / overlay)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {found["kind"]: found for found in yaml.safe_load_all(text) if found}


@pytest.fixture(scope="module")
def connections_of_a_process():
    """Each thread of gunicorn keeps one connection (CONN_MAX_AGE)."""
    program = (
        "import json, runpy; s = runpy.run_path('gunicorn.conf.py'); print(json.dumps([s['workers'], s['threads']]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "book-shop", check=True, capture_output=True)
    workers, threads = json.loads(done.stdout)
    return workers * threads


def during_a_rollout(deployment, replicas):
    """The number of pods while old and new ones run."""
    strategy = deployment["spec"]["strategy"]["rollingUpdate"]
    surge = strategy["maxSurge"]
    return replicas + (-(-replicas * int(surge[:-1]) // 100) if isinstance(surge, str) else surge)


def test_a_rollout_of_the_largest_number_of_pods_leaves_connections_on_the_clusters_database(connections_of_a_process):
    text = (ROOT / "terraform/cluster/connections.tf").read_text()  # its own tests check that RDS gets this value
    accepted = int(re.search(r"^  connections = ([0-9]+)$", text, re.MULTILINE)[1])
    objects = rendered("cluster")
    pods = during_a_rollout(objects["Deployment"], objects["HorizontalPodAutoscaler"]["spec"]["maxReplicas"])
    assert pods * connections_of_a_process + MIGRATION + PROGRAMS <= accepted - SUPERUSER - RDS


def test_both_environments_fit_on_the_postgresql_of_the_host(connections_of_a_process):
    deployment = rendered("single-node")["Deployment"]
    processes = during_a_rollout(deployment, deployment["spec"]["replicas"]) + len(application.PORTS["slots"])
    environments = 2
    needed = processes * connections_of_a_process + environments * (MIGRATION + PROGRAMS)
    assert needed <= POSTGRESQL - SUPERUSER
