"""What this project assumes about AWS and GitHub, and how to verify it. No fake of a service can show it.

To add a line, add an Assumption to the list below, then `scripts/verify-aws list`, which prints the list of
docs/first-deploy.md. A read-only check that `make verify-aws` can run is a function in verify_aws.py.
"""

from typing import NamedTuple


class Assumption(NamedTuple):
    """`text` is what is assumed, `expected` what `command` shows if that is right.

    `check` is the name of a function in verify_aws.py that verifies it without a change, or empty. Commands may
    use $INSTANCE and $ASSOCIATION.
    """

    text: str
    command: str
    expected: str
    check: str = ""


UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"  # terraform/variables.tf
PROVIDERS = (
    "terraform -chdir={root} providers lock \\\n  -platform=linux_amd64 -platform=linux_arm64 -platform=darwin_arm64"
)

ASSUMPTIONS = [
    Assumption(
        "S3's answers about the settings of the state's bucket are those that the state needs, with the fields that"
        " S3 has added",
        "make infra-bootstrap",
        "the name of the bucket, and no setting that is set again",
        "bucket_settings",
    ),
    Assumption(
        "The agent of the Ubuntu image registers by itself, with the role of the instance",
        "aws ssm describe-instance-information --filters Key=InstanceIds,Values=$INSTANCE",
        "PingStatus Online",
        "agent_is_online",
    ),
    Assumption(
        "Its agent passes parameters as environment variables (interpolationType ENV_VAR)",
        "aws ssm describe-instance-information --filters Key=InstanceIds,Values=$INSTANCE",
        "AgentVersion 3.3.2746.0 or newer",
        "agent_version",
    ),
    Assumption(
        "DescribeInstanceAssociationsStatus names the version of the association and of its document as numbers",
        "aws ssm describe-instance-associations-status --instance-id $INSTANCE",
        "Success for the newest version of the installation",
        "installation_status",
    ),
    Assumption(
        "An execution of the association is a Run Command command, whose output GetCommandInvocation gives",
        "aws ssm describe-association-executions --association-id $ASSOCIATION",
        "the output of the installation; AWS keeps it for 30 days",
        "installation_output",
    ),
    Assumption(
        "Systems Manager accepts the documents of the verbs",
        "aws ssm describe-document --name book-shop-dev",
        "Status Active, for the documents of dev, prod, data, manage, settings and install",
        "documents_are_active",
    ),
    Assumption(
        "No verb leaves its stdin or stdout in the bucket for transfers",
        "aws s3 ls s3://book-shop-transfer-$(aws sts get-caller-identity --query Account --output text)/ --recursive",
        "nothing, unless a verb runs at the moment",
        "no_transfers_are_left",
    ),
    Assumption(
        "The security group opens two ports, and NGINX answers on them",
        "for url in $(make -s infra-output | jq -r '.urls.value[]'); do\n"
        "  curl -sS -o /dev/null -w '%{http_code}\\n' $url/\ndone",
        "an HTTP status from dev and from prod",
        "ports_answer",
    ),
    Assumption(
        "CloudFront keeps files and no page",
        "url=$(make -s infra-output | jq -r .urls.value.prod)\n"
        "file=$(curl -s $url/ | grep -o '/static/[^\"]*css' | head -1)\n"
        "for path in / / $file $file; do\n"
        "  curl -sS -o /dev/null -D - $url$path | grep -i x-cache\ndone",
        "Miss for the page, twice, and in the end Hit for the file",
        "edge_keeps_files_only",
    ),
    Assumption(
        "CloudFront replaces the header X-Proxy-Secret of a visitor, and appends the address to X-Forwarded-For",
        "url=$(make -s infra-output | jq -r .urls.value.prod)\n"
        "for i in $(seq 20); do\n"
        "  curl -sS -o /dev/null -w '%{http_code}\\n' -d x= -H 'X-Proxy-Secret: x' -H \"X-Forwarded-For: 192.0.2.$i\""
        " \\\n    -H 'X-Forwarded-Proto: http' $url/account/login/\ndone",
        "403, eleven times, because the form is incomplete; then 429, because it is one visitor; never a redirect",
    ),
    Assumption(
        "CloudFront and port 80 redirect http:// to the public URL",
        "make -s infra-output | jq -r '.edge.value.domain, .address.value' | xargs -n1 curl -sI | grep -i location",
        "twice the address of prod with https://; with a domain, the first one has the name that CloudFront assigned",
    ),
    Assumption(
        "CloudFront shows an error of the host at once and no longer than it lasts",
        "curl -sI $(make -s infra-output | jq -r .urls.value.prod)/x; make deploy-prod smoke-prod HOST=aws",
        "404 with 'Error from cloudfront' for the first one, and a smoke test that passes right after a deploy",
    ),
    Assumption(
        "AWS lets a new account create distributions; an Elastic IP address has its DNS name before an instance has"
        " the address; and the installation at the first boot survives the change of the address, or runs again",
        "make infra",
        "in a new account: 'the host is installed'",
    ),
    Assumption(
        "The address remains",
        "aws ec2 stop-instances --instance-ids $INSTANCE && aws ec2 wait instance-stopped --instance-ids $INSTANCE\n"
        "aws ec2 start-instances --instance-ids $INSTANCE && aws ec2 wait instance-status-ok --instance-ids $INSTANCE\n"
        "make smoke-prod infra-plan HOST=aws",
        "prod answers at the same address; No changes",
    ),
    Assumption(
        "A new secret of the proxy reaches host and distribution without a lost request"
        " (docs/operations/serve-https.md, Rotate the secret of the proxy)",
        "url=$(make -s infra-output | jq -r .urls.value.prod)\n"
        "while sleep 1; do curl -s -o /dev/null -w '%{http_code} ' $url/account/login/; done",
        "200, during all of its steps",
    ),
    Assumption(
        "The certificate for TF_VAR_domain is issued by the records in the zone",
        "TF_VAR_domain=shop.example.org TF_VAR_hosted_zone_id=Z… make infra\n"
        "printf %s https://shop.example.org | make set-prod SETTING=PUBLIC_URL HOST=aws; make smoke-prod HOST=aws",
        "the certificate within minutes; then a smoke test of https://shop.example.org that passes",
    ),
    Assumption(
        "The budget sends its warning",
        "TF_VAR_budget_email=you@example.org TF_VAR_budget_usd=1 make infra",
        "an e-mail within a day",
    ),
    Assumption(
        "Containers on the host cannot reach the credentials of its role",
        "aws ec2 describe-instances --instance-ids $INSTANCE --query 'Reservations[].Instances[].MetadataOptions'",
        "HttpTokens required, HttpPutResponseHopLimit 1",
        "metadata_is_closed",
    ),
    Assumption(
        "Canonical publishes the id of its Ubuntu 24.04 image under this parameter",
        f"aws ssm get-parameter --name \\\n  {UBUNTU}",
        "the id of an image",
        "ubuntu_is_published",
    ),
    Assumption(
        "ECR Public has the repository in us-east-1, under an alias of the account",
        "aws ecr-public describe-repositories --region us-east-1",
        "public.ecr.aws/ALIAS/NAME",
        "repository_exists",
    ),
    Assumption(
        "Ubuntu's python3-boto3 finds the role of the instance, and the first boot stores the generated settings in"
        " Parameter Store",
        "make settings-dev HOST=aws",
        "SECRET_KEY, DATABASE_URL and COOKIE_SUFFIX are set, BY bootstrap",
    ),
    Assumption(
        "The host's role may read no parameter of another installation, although its managed policy allows it",
        "aws iam simulate-principal-policy --action-names ssm:GetParameter ssm:GetParameters \\\n"
        '  --policy-source-arn "$(aws iam get-role --role-name book-shop-host --query Role.Arn --output text)" \\\n'
        "  --resource-arns \\\n"
        "  arn:aws:ssm:$AWS_REGION:$(aws sts get-caller-identity --query Account --output text):parameter/other/x \\\n"
        "  --query 'EvaluationResults[].EvalDecision'",
        "explicitDeny, twice",
    ),
    Assumption(
        "Parameter Store keeps each character of a value, and a setting that was removed can be set again at once",
        "printf 'a  b, ü' | make set-dev SETTING=EMAIL_HOST_USER HOST=aws; make settings-dev VALUES=1 HOST=aws\n"
        "make unset-dev SETTING=EMAIL_HOST_USER HOST=aws\n"
        "printf x | make set-dev SETTING=EMAIL_HOST_USER HOST=aws; make unset-dev SETTING=EMAIL_HOST_USER HOST=aws",
        "no error; the host compares each value with what Parameter Store returns",
    ),
    Assumption(
        "stdin and stdout of a verb reach the host and the laptop through the bucket, and a failure keeps its status",
        "echo hello | make manage-dev COMMAND='shell -v0 -c \"print(input())\"' HOST=aws\n"
        "make manage-dev COMMAND='no_such_command' HOST=aws </dev/null; echo $?",
        "hello; then Django's error and 2, make's status for a recipe that failed",
    ),
    Assumption(
        "A changed installation runs, and make infra shows its output and its failure. A failed one is started again"
        " by the next make infra (StartAssociationsOnce)",
        "sed -i '2i exit 1' scripts/host/bin/bootstrap && make infra; make infra\n"
        "git checkout scripts/host/bin/bootstrap && make infra",
        "the first two end with 'the installation of the host failed'; the third one prints 'the host is installed'",
    ),
    Assumption(
        "A wait that was interrupted continues",
        "echo '# changed' >>scripts/host/bin/bootstrap\n"
        "timeout --foreground -s INT 90 scripts/infra apply -y; scripts/infra apply -y\n"
        "git checkout scripts/host/bin/bootstrap && make infra",
        "the second run changes nothing and waits for the end; if the first one ended in time, use fewer seconds",
    ),
    Assumption(
        "Terraform removes a left-over lock of the state from S3",
        "timeout -s KILL 20 scripts/infra plan; scripts/infra plan",
        "the second run names you as the owner of the lock, and the printed terraform force-unlock command removes"
        " it; if there is no lock, use other seconds",
    ),
    Assumption(
        "AWS lifts the protection of the database at once, and RDS keeps its last snapshot",
        "TF_VAR_database_deletion_protection=false make infra-cluster && make infra-cluster-destroy;"
        "\naws rds describe-db-snapshots --snapshot-type manual",
        "without the first command the destroy is refused before a change; afterwards there is a snapshot"
        " under the printed name",
    ),
    Assumption(
        "Version 6 of the AWS provider changes nothing. Its upgrade guide changes these of our resources:"
        " aws_ssm_association (instance_id is removed; we use targets), aws_instance (user_data is stored in clear"
        " text, cpu_core_count is removed; we use user_data_base64), aws_s3_bucket (region is the region of the"
        " request, bucket_region is new; we use bucket_regional_domain_name), aws_eip (vpc is removed; we use domain),"
        " aws_eks_addon (resolve_conflicts is removed; we do not set it), aws_db_instance (character_set_name cannot"
        " be combined; we do not set it), and every regional resource (a new attribute region). Newer versions know"
        " the blocked encryption types of aws_s3_bucket_server_side_encryption_configuration",
        "terraform -chdir=terraform init -upgrade && make infra-plan\n"
        "terraform -chdir=terraform/cluster init -upgrade && make infra-cluster-plan",
        "No changes. To return: git checkout terraform",
    ),
    Assumption(
        "The lock files have the provider's checksums for other platforms than linux_amd64 after this command",
        f"{PROVIDERS.format(root='terraform')}\n{PROVIDERS.format(root='terraform/cluster')}",
        "make infra-plan works on that platform, with an unchanged version 5.100.0",
    ),
    Assumption(
        "GitHub's API gives the subject of the repository's tokens, and AWS gives the roles to jobs with it",
        "gh api repos/$GITHUB_REPOSITORY/actions/oidc/customization/sub",
        "sub_claim_prefix with ids for a repository that was created since 15 July 2026; the step"
        " configure-aws-credentials of the first push to dev succeeds",
    ),
    Assumption(
        "A private repository on the free plan is refused with status 403 for rulesets and 422 for environments",
        "gh api repos/OWNER/PRIVATE/rulesets",
        "HTTP 403, with a message that begins with 'Upgrade to GitHub Pro'",
    ),
    Assumption(
        "A job whose environment has an empty name has no environment, as roles that trust branches need it",
        "gh run view --log",
        "after a push to dev with DEV_AWS_ROLE set, the deploy job runs with no environment",
    ),
    Assumption(
        "The token of a job may not tag a commit that changes workflow files and is no longer the newest of a branch",
        "gh run view --log-failed",
        "after two quick pushes to main, of which the first one changes .github/workflows: 'cannot tag', with the"
        " commands that do it",
    ),
    Assumption(
        "Runs wait in the queue of their environment, and only its branches may deploy. act shows neither; the files"
        " are checked by tests/workflows, the settings by tests/delivery/test_github_setup.py",
        "gh workflow run operate.yml -f verb=status-prod && gh workflow run operate.yml -f verb=status-prod\n"
        "gh workflow run operate.yml -f verb=status-prod --ref dev",
        "the second run waits for the first one; the third one is refused by the environment prod",
    ),
    Assumption(
        "The cache of the deploy verbs is saved and found again",
        "gh cache list",
        "one entry deploy-ubuntu-24.04-…; the log of the next run of operate says 'Cache restored'",
    ),
    Assumption(
        "EKS accepts the token of the verbs and the access entry of prod's role",
        "make status PROD=cluster CLUSTER=$(make -s infra-cluster-output | jq -r .cluster.value.arn)",
        "the status of prod on the cluster",
    ),
    Assumption(
        "EKS tells when the support of the cluster's version ends, and RDS has taken max_connections",
        "aws eks describe-cluster-versions && make infra-cluster-plan",
        "the date of terraform/cluster/README.md; No changes",
    ),
    Assumption(
        "The estimates of cost are right",
        "aws pricing get-products --region us-east-1 --service-code AmazonEKS --max-items 5",
        "the prices of terraform/README.md and terraform/cluster/README.md, or those of the AWS pricing calculator",
    ),
    Assumption(
        "An image that an Arm laptop builds for amd64 runs on the host",
        "make image push deploy-dev HOST=aws",
        "on the Arm laptop: the build takes longer, and dev serves the commit",
    ),
]
