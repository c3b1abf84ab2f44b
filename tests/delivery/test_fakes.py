"""The fakes have the public methods of the real classes, with the same arguments."""

import inspect

import fakes
import pytest
from delivery import http_client, sockets
from delivery.clock import Clock
from delivery.containerd import Containerd
from delivery.docker import Docker
from delivery.kubernetes import Kubernetes
from delivery.postgres import Postgres
from delivery.switch import Switch


def methods(owner):
    """{name: [(argument, default)...] without self} of the public functions of a class or module."""
    return {
        name: [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.name != "self"]
        for name, function in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_")
    }


# `make image` calls the first one. The others start programs with the caller's streams: test_commands.py.
NOT_FAKED = {"files_of_image", "log_command", "psql"}


@pytest.mark.parametrize("real", [Clock, Containerd, Docker, Kubernetes, Postgres, Switch])
def test_a_fake_has_the_methods_of_the_real_class(real):
    expected = {name: arguments for name, arguments in methods(real).items() if name not in NOT_FAKED}
    assert methods(getattr(fakes, f"Fake{real.__name__}")) == expected


@pytest.mark.parametrize(
    ("fake", "real", "names"),
    [
        (fakes.FakeWeb, http_client, {"get", "page"}),
        (fakes.FakeSockets, sockets, {"established", "is_listening"}),
    ],
)
def test_a_fake_has_the_functions_of_the_real_module(fake, real, names):
    assert methods(fake) == {name: methods(real)[name] for name in names}
