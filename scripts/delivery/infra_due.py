"""The files that a pipeline does not deploy: those of the host and of Terraform."""

from delivery import git, host_archive

NOT = (":(exclude)*/tests/*", ":(exclude)*.md")
PLACES = {
    "make infra": (
        *("terraform", ":(exclude)terraform/cluster", *NOT),
        *("scripts/host-archive", "scripts/user-data"),
        *(source for source, _ in host_archive.SOURCES),
    ),
    "make infra-cluster": ("terraform/cluster", *NOT),
}


def changes(base, commit):
    """{command: the files that it installs and that differ between two commits}, without commands that are not due."""
    changed = {
        command: git.output("diff", "--name-only", base, commit, "--", *places).splitlines()
        for command, places in PLACES.items()
    }
    return {command: files for command, files in changed.items() if files}
