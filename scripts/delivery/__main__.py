"""The operations that shell scripts call: `PYTHONPATH=scripts python3 -m delivery <operation> [argument]...`.

repository                    prints the image repository of the AWS account
terraform-state <check|make>  checks or creates the bucket of Terraform's state, and prints its name
terraform-lock <root> [text]  fails if another run holds the lock of the state of a Terraform root; the text ends
                              the first line of the error
check-plan                    fails if the plan on stdin (terraform show -json) would stop in the middle, or stop
                              the shop; prints the names of the last snapshots of the databases that it deletes
wait-for-installation         waits for the installation that the outputs of terraform/ on stdin name
delete-parameters <name> <region>  deletes the settings of the host on AWS, which Terraform does not know
github-subject                prints Terraform's github_subject_prefix, which GitHub knows
reaches <url>                 prints yes or no; fails if the server is slow or answers with an error
context <commit> <file>       writes the build context of a commit, and prints the commit's date
base-labels <commit> <base>   prints the labels of an image with its base, one per line
compare <commit> <image>      fails unless an image in the engine has the content of the commit
eks-token <arn> <file>        prints a token for the EKS cluster to kubectl, from the file while it is valid
confirm <question> <word>     asks on stderr, and fails unless the answer on stdin is the word
"""

import sys

from delivery import cli


def repository():
    """The image repository of the AWS account, `public.ecr.aws/<alias>/<name>`."""
    from delivery import ecr

    return ecr.repository()


def state_bucket(operation):
    """The name of the bucket of Terraform's state. `make` creates it; `check` fails if it does not exist."""
    from delivery import terraform_state

    return terraform_state.bucket(operation == "make")


def terraform_lock(root, result=""):
    """Fails if the state of a Terraform root is locked."""
    from delivery import terraform_state

    terraform_state.check_lock(root, result)


def check_plan():
    """The names of the last snapshots that a plan, as JSON on stdin, makes. Fails if it cannot be carried out."""
    from delivery import terraform_plan

    return terraform_plan.check(sys.stdin.read())


def wait_for_installation():
    """Waits for the installation that Terraform's outputs name, as JSON on stdin."""
    from delivery import host_installation

    host_installation.wait(sys.stdin.read())


def delete_parameters(name, region):
    """Deletes the settings of both environments from Parameter Store."""
    from delivery import parameter_store

    parameter_store.delete_all(name, region)


def github_subject():
    """The part of the subjects of the repository's jobs that names the repository."""
    from delivery import github_subject

    return github_subject.for_terraform()


def reaches(url):
    """Whether this machine has a connection to a public server: yes or no."""
    from delivery import base_image

    return "yes" if base_image.reaches(url) else "no"


def write_context(commit, file):
    """The date of the commit whose build context was written to the file, as a Unix time in seconds."""
    from delivery import context

    return str(context.write(commit, file))


def base_labels(commit, base):
    """The labels of an image with its base, as lines NAME=value."""
    from delivery import base_image

    return "\n".join(f"{name}={value}" for name, value in base_image.labels(commit, base).items())


def compare(commit, image):
    """Fails unless the image has the content of the commit."""
    from delivery import image_content

    image_content.check(commit, image)


def eks_token(arn, cache):
    """A token for an EKS cluster, in the form that kubectl reads."""
    from delivery import cluster_access

    return cluster_access.token(arn, cache)


OPERATIONS = {
    "repository": repository,
    "terraform-state": state_bucket,
    "terraform-lock": terraform_lock,
    "check-plan": check_plan,
    "wait-for-installation": wait_for_installation,
    "delete-parameters": delete_parameters,
    "github-subject": github_subject,
    "reaches": reaches,
    "context": write_context,
    "base-labels": base_labels,
    "compare": compare,
    "eks-token": eks_token,
    "confirm": cli.confirm,
}

del sys.argv[0]  # error messages begin with the operation's name
with cli.reported():
    if answer := OPERATIONS[sys.argv[0]](*sys.argv[1:]):
        print(answer)
