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
    """{name: signature without self} of the public functions of a class or module."""
    found = {}
    for name, function in inspect.getmembers(owner, inspect.isfunction):
        if not name.startswith("_"):
            arguments = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
            found[name] = [(argument.name, argument.default) for argument in arguments]
    return found


@pytest.mark.parametrize(
    ("fake", "real"),
    [
        (fakes.FakeClock, Clock),
        (fakes.FakeContainerd, Containerd),
        (fakes.FakeDocker, Docker),
        (fakes.FakeKubernetes, Kubernetes),
        (fakes.FakePostgres, Postgres),
        (fakes.FakeSwitch, Switch),
    ],
)
def test_a_fake_has_the_methods_of_the_real_class(fake, real):
    assert methods(fake) == methods(real)


@pytest.mark.parametrize(
    ("fake", "real", "names"),
    [(fakes.FakeSockets, sockets, ["established", "is_listening"]), (fakes.FakeWeb, http_client, ["get"])],
)
def test_a_fake_has_the_functions_that_replace_those_of_the_real_module(fake, real, names):
    assert methods(fake) == {name: methods(real)[name] for name in names}
