"""The names and patterns that Python, Terraform and the host's shell programs share, from grammar.json.

environments  the names of the environments
registry      host[:port] of an image reference. As in Docker, it contains a dot, has a port or is localhost
image_name    the part of an image reference after the first slash
digest        of an image
actor         the user in the history of an environment
backup        the name of a backup
setting       the name of a setting
transfer      the id of the stdin and stdout of a verb on AWS
allowed_host  an item of Django's ALLOWED_HOSTS; a leading dot includes all subdomains, * is any name
public_url    the setting PUBLIC_URL: scheme, host and possibly port, in lower case as browsers send them
aws_name      the name of the resources on AWS; that of the state's bucket contains it
aws_region    the name of an AWS region

A pattern describes a whole value. It must mean the same in Python, in Terraform (RE2) and in a Systems Manager
document, so it has no lookahead and no named group.
"""

import json
import os

with open(os.path.join(os.path.dirname(__file__), "grammar.json"), encoding="utf-8") as _file:
    GRAMMAR = json.load(_file)
