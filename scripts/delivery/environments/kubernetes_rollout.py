"""prod: the manifests in an image, rolled out by Kubernetes on the host or on a cluster."""

import contextlib
import dataclasses
import http.client
import json
import secrets
import sys
import tempfile
from pathlib import Path

from delivery import application_log, images, pages, public_url
from delivery.application import NAME
from delivery.cli import CommandError, log
from delivery.clock import Clock
from delivery.environments import versioned_secrets
from delivery.environments.base import Candidate
from delivery.lock import LockLost
from delivery.logs import Source
from delivery.process import ProgramFailed

MIGRATION = f"{NAME}-migration"
COMPONENT = "app.kubernetes.io/component"
WEB, MIGRATION_PODS = f"{COMPONENT}=web", f"{COMPONENT}=migration"
RESTRICTIONS = {"networkpolicies"}
KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


class KubernetesRollout:
    """The environment prod.

    `overlay` is the target's kustomize overlay in the image. `kinds` are the kinds of objects that a
    release can have; objects that it does not have are deleted. `platform` returns the platform of the
    nodes. `entry` is the Entry at which the release must answer. `limits` are in seconds. `secrets` are the
    VersionedSecrets.
    """

    name = "prod"

    def __init__(
        self, *, kubernetes, docker, lock, state, settings, nginx, roles, secrets, repository, overlay, kinds,
        platform, entry, directory, limits, clean_images, clock=None,
    ):  # fmt: skip
        self.kubernetes, self.docker, self.lock, self.state = kubernetes, docker, lock, state
        self.settings, self.nginx, self.roles, self.secrets = settings, nginx, roles, secrets
        self.repository, self.overlay, self.kinds, self.platform = repository, overlay, kinds, platform
        self.entry, self.directory, self.limits, self.clean_images = entry, directory, limits, clean_images
        self.web, self.clock = entry.web, clock or Clock()

    def url(self):
        """As Environment.url."""
        return self.entry.url()

    def live(self):
        """As Environment.live."""
        deployment = self.kubernetes.get("deployment", NAME)
        return deployment and image_of(deployment["spec"]["template"])

    def live_settings(self):
        """As Environment.live_settings."""
        deployment = self.kubernetes.get("deployment", NAME)
        return deployment and versioned_secrets.version_of(versioned_secrets.name_in(deployment["spec"]["template"]))

    def prepare(self, image, returns=False):
        """As Environment.prepare."""
        try:
            self.kubernetes.check()
        except ProgramFailed as error:
            what = "Kubernetes does not answer: nothing was changed"
            raise CommandError(what, error.why, self.kubernetes.remedy) from None
        settings = self.settings.current()
        revision = images.fetch(self.docker, image, self.platform(), self.directory)
        manifests = self._manifests(image, settings)
        return Candidate(image, revision, settings, manifests, returns, images.pages_of(self.docker, image))

    def with_settings(self, candidate, settings):
        """As Environment.with_settings."""
        changed = candidate.with_settings(settings)
        if self.entry.patches(settings) == self.entry.patches(candidate.settings):
            return changed
        return dataclasses.replace(changed, manifests=self._manifests(candidate.image, settings))

    def is_live(self, candidate):
        """As Environment.is_live."""
        return (
            self.live() == candidate.image
            and self.live_settings() == candidate.settings.version
            and self.kubernetes.is_rolled_out(NAME)
            and self.entry.is_patched(candidate.settings)
            and self.web.answers(self.entry.url(candidate.settings), candidate.revision)
        )

    def plan(self, candidate):
        """As Environment.plan. A pod plans the migrations, because on a cluster only pods reach the database."""
        (job,) = self.kubernetes.select(candidate.manifests, MIGRATION_PODS)
        job["metadata"]["name"] = name = f"{NAME}-plan-{secrets.token_hex(4)}"
        job["spec"]["template"]["metadata"]["labels"][COMPONENT] = "plan"
        job["spec"]["template"]["spec"]["containers"][0]["command"].append("--plan")
        self._write_secret(candidate)
        self.kubernetes.apply(json.dumps(job))
        try:
            self._wait_for_job(name, f"{COMPONENT}=plan", candidate, "the migrations could not be planned")
            pods = self.kubernetes.pods(f"job-name={name}")
            migrations = self.kubernetes.logs(pods[0]["metadata"]["name"], -1)
        finally:
            self.kubernetes.delete(f"job/{name}")
        difference = self.kubernetes.difference(candidate.manifests, WEB)
        return migrations + (difference or "manifests: no difference\n")

    def migrate(self, candidate):
        """As Environment.migrate."""
        log("migrate")
        self._write_secret(candidate)
        self.kubernetes.delete(f"job/{MIGRATION}")
        self.kubernetes.apply(candidate.manifests, MIGRATION_PODS)
        try:
            self._wait_for_job(MIGRATION, MIGRATION_PODS, candidate, "the migration failed")
        except LockLost:
            raise  # the job belongs to another deploy now
        except BaseException:
            self.kubernetes.delete(f"job/{MIGRATION}")  # a migration that hangs must not continue
            raise

    def start(self, candidate):
        """As Environment.start."""
        log("roll out")
        self._write_secret(candidate)
        applied = self.kubernetes.apply(candidate.manifests, WEB)
        # Objects that only the live release has may cause its fault, so a rollback deletes them first. A new
        # release deletes only those that restrict traffic: the previous pods still need the rest.
        self._delete_all_but(applied, self.kinds if candidate.returns else RESTRICTIONS.intersection(self.kinds))

    def prove(self, candidate):
        """As Environment.prove."""
        if not self._rolled_out(self.limits.rollout):
            why = application_log.failure(self._show_pods(WEB, candidate))
            raise CommandError("the rollout failed", why or "the last lines of its pods are above", "make logs-prod")

    def switch(self, candidate):
        """As Environment.switch."""
        for _ in self.clock.poll(self.limits.answer, 0.3):
            with contextlib.suppress(ProgramFailed):  # Kubernetes may be restarting
                if self.web.answers(self.entry.url(candidate.settings), candidate.revision):
                    break
        else:
            self._show_pods(WEB, candidate)
            self._check_host_name(candidate.settings)
            failure = self.entry.failure(self.entry.url(candidate.settings), candidate.revision)
            raise CommandError("the release does not answer", *failure)
        url = self.entry.url(candidate.settings)
        pages.wait(url, candidate.pages, self.clock, self.limits.pages, self.web)

    def _check_host_name(self, settings):
        """Raises CommandError if the release does not answer the host name at which it is requested."""
        url = f"{self.entry.url(settings)}/version"
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            status, *_ = self.web.page(url)
            if status in public_url.REFUSED:
                raise public_url.refusal(self.name, url, status)

    def drain(self, candidate):
        """As Environment.drain."""
        log("drain the previous pods")
        for _ in self.clock.poll(self.limits.drain, 0.3):
            with contextlib.suppress(ProgramFailed):  # Kubernetes may be restarting
                if all(runs(pod, candidate) for pod in self.kubernetes.pods(WEB)):
                    return

    def revert(self, candidate):
        """As Environment.revert."""
        log("revert the rollout")
        try:
            if manifests := self.state.load().manifests:
                self._wait_until_reachable(60)
                self._delete_all_but(self.kubernetes.apply(manifests, WEB))
                if not self._rolled_out(self.limits.rollout):
                    log("the previous release is not rolled out completely")
            else:
                self._delete_all_but(set())  # there was no release before
        except LockLost:
            raise
        except CommandError as error:
            log(f"the rollout could not be reverted; the next deploy reverts it: {error.what}: {error.why}")

    def clean_up(self, candidate):
        """As Environment.clean_up."""
        self.nginx.follow(self.name, candidate.settings.values)
        try:
            self._delete_all_but(self.kubernetes.names_in(candidate.manifests, WEB))
            if candidate.settings.values is not None:  # a user who may not read Secrets can't delete them either
                used = {versioned_secrets.name_in(pod) for pod in self.kubernetes.pods()}
                named = versioned_secrets.names_in(candidate.manifests + self.state.load().manifests)
                self.secrets.delete_all_but(used | named)
        except ProgramFailed as error:
            log(f"objects of other releases were not deleted; the next deploy deletes them: {error.why}")
        self.roles.settle(candidate.settings)
        self.clean_images()

    def logs(self, lines, since=None, previous=False):
        """As Environment.logs."""
        return [
            self.kubernetes.logs(pod["metadata"]["name"], lines, since, previous) for pod in self.kubernetes.pods(WEB)
        ]

    def log_sources(self):
        """As Environment.log_sources."""
        found = []
        for pod in self.kubernetes.pods(WEB):
            for container in pod.get("status", {}).get("containerStatuses", []):
                if started := container.get("state", {}).get("running", {}).get("startedAt"):
                    found.append(Source(pod["metadata"]["name"], started))
        return found

    def log_command(self, name, lines, since):
        """As Environment.log_command."""
        return self.kubernetes.log_command(name, lines, since)

    def _manifests(self, image, settings):
        """The manifests in the image for this target, with its digest, the Secret of the settings and the patches."""
        patches = self.entry.patches(settings)
        with tempfile.TemporaryDirectory() as directory:
            try:
                self.docker.copy_from_image(image, "/app/k8s", Path(directory, "k8s"))
            except ProgramFailed as error:
                raise CommandError(f"'{image}' carries no manifests", error.why, "make image push") from None
            kustomization = KUSTOMIZATION | {
                "resources": [f"k8s/overlays/{self.overlay}"],
                "images": [{"name": NAME, "newName": image.partition("@")[0], "digest": image.partition("@")[2]}],
                "patches": patches,
            }
            Path(directory, "kustomization.yaml").write_text(json.dumps(kustomization), encoding="utf-8")
            try:
                return versioned_secrets.insert(self.kubernetes.build(directory), settings.version)
            except ProgramFailed as error:
                raise CommandError(f"the manifests in '{image}' do not build", error.why, "make check") from None

    def _delete_all_but(self, names, kinds=None):
        """Deletes the objects of other releases, of all kinds or of the given ones."""
        kinds = self.kinds if kinds is None else sorted(kinds)
        if kinds and (stale := self.kubernetes.names(kinds, WEB) - names):
            log(f"delete objects that are not part of this release: {', '.join(sorted(stale))}")
            self.kubernetes.delete(*sorted(stale))

    def _wait_for_job(self, name, selector, candidate, failure):
        """Waits until a job has succeeded. Raises CommandError if it fails or exceeds the limit."""
        for _ in self.clock.poll(self.limits.migration, 0.3):
            try:
                status = (self.kubernetes.get("job", name) or {}).get("status", {})
            except ProgramFailed:
                continue  # Kubernetes may be restarting
            if status.get("succeeded"):
                return
            if status.get("failed"):
                break
        self._show_pods(selector, candidate)
        raise CommandError(failure, "the last lines of its pod are above", candidate.remedy)

    def _rolled_out(self, limit):
        """Whether the rollout succeeds. Tries again, because the connection to Kubernetes may have broken."""
        deadline = self.clock.now() + limit
        for _ in range(3):
            left = round(deadline - self.clock.now())
            if left <= 0:
                return False
            if self.kubernetes.wait_for_rollout(NAME, left):
                return True
            self._wait_until_reachable(30)
        return False

    def _wait_until_reachable(self, limit):
        for _ in self.clock.poll(limit, 1):
            if self.kubernetes.is_reachable():
                return
        raise CommandError("Kubernetes does not answer", f"waited {limit} s", self.kubernetes.remedy)

    def _write_secret(self, candidate):
        """Creates the Secret with the candidate's settings. A user who may not read them uses the existing one."""
        if candidate.settings.values is not None:
            self.secrets.write(candidate.settings)

    def _show_pods(self, selector, candidate):
        """Prints the state and the last log lines of the candidate's pods, and returns these lines."""
        lines = ""
        try:
            for pod in self.kubernetes.pods(selector):
                if runs(pod, candidate):
                    name, status = pod["metadata"]["name"], pod.get("status", {})
                    states = [container.get("state") for container in status.get("containerStatuses", [])]
                    log(f"{name}: {status.get('phase')} {json.dumps(states)}")
                    own = self.kubernetes.logs(name, 20)
                    print(own, file=sys.stderr, end="")
                    lines += own
        except ProgramFailed as error:
            log(f"its pods cannot be shown: {error.what}")
        return lines


def image_of(pod):
    """The image that a pod runs, or those of a Deployment, given its template."""
    return pod["spec"]["containers"][0]["image"]


def runs(pod, candidate):
    """Whether a pod runs the candidate's image with its settings."""
    secret = versioned_secrets.name_of(candidate.settings.version)
    return image_of(pod) == candidate.image and versioned_secrets.name_in(pod) == secret
