"""The operations that shell scripts call: `PYTHONPATH=scripts python3 -m delivery <operation> [argument]...`.

repository                    prints the image repository of the AWS account
terraform-state <check|make>  checks or creates the bucket of Terraform's state, and prints its name
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


OPERATIONS = {"repository": repository, "terraform-state": state_bucket, "confirm": cli.confirm}

del sys.argv[0]  # error messages begin with the operation's name
with cli.reported():
    if answer := OPERATIONS[sys.argv[0]](*sys.argv[1:]):
        print(answer)
