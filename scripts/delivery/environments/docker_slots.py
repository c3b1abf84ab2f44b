"""dev: two slots, each a container. NGINX on :8080 sends requests to the live one."""

import os
import sys

from delivery import application, application_log, http_client, images, pages, sockets
from delivery.cli import CommandError, log
from delivery.clock import Clock
from delivery.commands import MIGRATE, PROGRAM
from delivery.environments.base import Candidate
from delivery.logs import Source
from delivery.process import ProgramFailed, TimedOut
from delivery.settings import environment_file
from delivery.switch import PORTS

URL = f"http://localhost:{application.PORTS['dev']}"
MIGRATION = f"{application.NAME}-migration"


def container(slot):
    """The name of a slot's container."""
    return f"{application.NAME}-{slot}"


class DockerSlots:
    """The environment dev on a host. `limits` are in seconds."""

    name = "dev"

    def __init__(
        self, *, docker, traffic, lock, state, settings, nginx, roles, repository, paths, limits, clean_images,
        web=http_client, clock=None,
    ):  # fmt: skip
        self.docker, self.traffic, self.lock, self.state = docker, traffic, lock, state
        self.settings, self.nginx, self.roles = settings, nginx, roles
        self.repository, self.paths, self.limits, self.clean_images = repository, paths, limits, clean_images
        self.web, self.clock = web, clock or Clock()

    def url(self):
        """As Environment.url."""
        return URL

    def live(self):
        """As Environment.live."""
        live = self.docker.container(container(self.traffic.live()))
        return live.image if live and live.running else None

    def live_settings(self):
        """As Environment.live_settings."""
        live = self.docker.container(container(self.traffic.live()))
        return live.settings if live and live.running else None

    def prepare(self, image, returns=False):
        """As Environment.prepare."""
        self.live_slot = self.traffic.live()
        self.idle_slot = "b" if self.live_slot == "a" else "a"
        settings = self.settings.current()
        revision = images.fetch(self.docker, image, self.docker.platform(), self.paths.state)
        return Candidate(image, revision, settings, returns=returns, pages=images.pages_of(self.docker, image))

    def with_settings(self, candidate, settings):
        """As Environment.with_settings."""
        return candidate.with_settings(settings)

    def is_live(self, candidate):
        """As Environment.is_live."""
        live = (self.live(), self.live_settings())
        return live == (candidate.image, candidate.settings.version) and self.web.answers(URL, candidate.revision)

    def plan(self, candidate):
        """As Environment.plan."""
        name = f"{application.NAME}-plan-{os.getpid()}"
        command = (*PROGRAM, "migrate", "--plan")
        settings = environment_file(candidate.settings.values)
        return self.docker.run(name, candidate.image, command, settings, self.limits.migration, show=False)

    def migrate(self, candidate):
        """As Environment.migrate."""
        log("migrate")
        try:
            settings = environment_file(candidate.settings.values)
            self.docker.run(MIGRATION, candidate.image, MIGRATE, settings, self.limits.migration)
        except TimedOut as error:
            raise CommandError("the migration failed", error.why, "make logs-dev") from None
        except ProgramFailed:
            why = "its last lines are above"
            raise CommandError("the migration failed", why, candidate.remedy) from None

    def start(self, candidate):
        """As Environment.start."""
        name, port = container(self.idle_slot), PORTS[self.idle_slot]
        log(f"start slot {self.idle_slot}")
        self.docker.remove(name)
        # If Docker was restarted during an earlier start, the port stays bound until the next restart.
        # Containers keep running meanwhile.
        if sockets.is_listening(port):
            self.docker.restart_engine()
        self.docker.start(name, candidate.image, port, candidate.settings)
        self.started = self.clock.now()

    def prove(self, candidate):
        """As Environment.prove."""
        url = f"http://localhost:{PORTS[self.idle_slot]}"
        for _ in self.clock.poll(self.limits.ready, 0.2):
            if self.web.is_ready(url):
                return
            new = self.docker.container(container(self.idle_slot))
            if not new or new.restarts >= 2:
                raise self._slot_failed("crashes at start")
        raise self._slot_failed(f"was not ready within {self.limits.ready} s", application_log.failure)

    def switch(self, candidate):
        """As Environment.switch."""
        log(f"switch NGINX :8080 to slot {self.idle_slot}")
        self.traffic.to(self.idle_slot)
        # NGINX keeps connections to the other slot for up to 4 s.
        for _ in self.clock.poll(self.limits.answer, 0.2):
            if self.web.answers(URL, candidate.revision):
                break
        else:
            why = f"waited {self.limits.answer} s"
            raise CommandError(f":8080 did not answer with revision {candidate.revision}", why, "make logs-dev")
        pages.wait(URL, candidate.pages, self.clock, self.limits.pages, self.web)

    def drain(self, candidate):
        """As Environment.drain. Also watches the new slot, which may still crash, until it is `watch` seconds old."""
        log(f"drain slot {self.live_slot}")
        for _ in self.clock.poll(self.limits.drain, 1):
            new = self.docker.container(container(self.idle_slot))
            if not new or not new.running or new.restarts:
                raise self._slot_failed("crashed after it was ready")
            # NGINX closes an idle connection to the old slot within 4 s and opens no new one.
            watched = self.clock.now() - self.started >= self.limits.watch
            if watched and not self._connections(self.live_slot):
                return

    def revert(self, candidate):
        """As Environment.revert."""
        try:
            was_switched = self.traffic.live() == self.idle_slot
            self.traffic.to(self.live_slot)
            if was_switched:
                self._wait_for_connections(self.idle_slot)
            self.docker.remove(container(self.idle_slot))
        except CommandError as error:
            log(f"slot {self.idle_slot} was not removed; the next deploy removes it: {error.what}")

    def clean_up(self, candidate):
        """As Environment.clean_up."""
        self.nginx.follow(self.name, candidate.settings.values)
        self.traffic.restore()  # a deploy that was killed at the switch has not recorded it
        live = self.traffic.live()
        idle = "b" if live == "a" else "a"
        if self.docker.container(container(idle)):
            self.docker.stop(container(idle))  # gunicorn finishes its requests
            self.docker.remove(container(idle))
        self.roles.settle(candidate.settings)
        self.clean_images()

    def logs(self, lines, since=None, previous=False):
        """As Environment.logs."""
        live = self.docker.container(container(self.traffic.live()))
        if not live:
            return []
        # A slot that waits for its next start has ended after its last start.
        until = live.started if previous and live.running else None
        return [self.docker.logs(live.id, lines, since, until)]

    def log_sources(self):
        """As Environment.log_sources."""
        live = self.docker.container(container(self.traffic.live()))
        return [Source(live.id, live.started)] if live and live.running else []

    def log_command(self, name, lines, since):
        """As Environment.log_command."""
        return self.docker.log_command(name, lines, since, follow=True)

    def _connections(self, slot):
        state = self.docker.container(container(slot))
        if not state or not state.running:
            return 0
        return sockets.established(state.process, application.PORTS["application"])

    def _wait_for_connections(self, slot):
        """Waits until NGINX has closed its connections to a slot, which it does within 4 s."""
        for _ in self.clock.poll(self.limits.drain, 0.5):
            if not self._connections(slot):
                return

    def _slot_failed(self, what, explain=lambda log: None):
        """The error of a slot. Prints its last log lines; `explain` returns the reason in them, or None."""
        log(f"the last lines of slot {self.idle_slot}:")
        lines = ""
        try:
            lines = self.docker.logs(container(self.idle_slot), 20)
            print(lines, file=sys.stderr, end="")
        except CommandError as error:
            log(error.what)
        why = explain(lines) or "its last lines are above"
        return CommandError(f"slot {self.idle_slot} {what}", why, "make logs-dev")
