# The index of the project's verbs: each target calls one script. `make` lists the targets.

ifeq ($(filter undefine,$(.FEATURES)),)
$(error GNU make $(MAKE_VERSION) is too old, 3.82 or newer is required. \
  On macOS: brew install bash make, and then run gmake instead of make)
endif

# Settings. In the environment their names begin with DELIVERY_, because other programs set names
# like HOST. On the command line the prefix may be omitted, as in `make deploy-prod HOST=aws`.
# docs/reference.md describes them.
settings := HOST PROD CLUSTER CLUSTER_URL NAME REPOSITORY PLAN FORCE REASON STEPS RELEASE_FILE \
  SMOKE_LIMIT TIME_LIMIT AWS_ACCOUNT CA_FILE DEMO HTTP_PORT DEV_PORT REGISTRY_PORT HTTPS \
  HTTPS_PORT CLOSED_NETWORK BASE_IMAGE POSTGRES_IMAGE CERTIFICATE_ARN CERT_ISSUER
$(foreach name,$(settings),$(if $(filter command,$(origin $(name))),\
  $(eval override export DELIVERY_$(name) := $$(value $(name)))))
unexport $(settings)
# An empty value counts as unset, so that the default applies.
$(foreach name,$(settings:%=DELIVERY_%) AWS_REGION,\
  $(if $(value $(name)),,$(eval override undefine $(name))))
export DELIVERY_HOST ?= local
export DELIVERY_NAME ?= book-shop
export AWS_REGION ?= eu-central-1
export DELIVERY_DEMO ?= book-shop
# `make demo` saves its ports and HTTPS here for the other verbs; `make demo-down` deletes the file.
-include $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/book-shop/demo/$(DELIVERY_DEMO)/ports
export DELIVERY_HTTP_PORT ?= 80
export DELIVERY_DEV_PORT ?= 8080
export DELIVERY_REGISTRY_PORT ?= 5000
export DELIVERY_HTTPS_PORT ?= 8443
# On AWS the verbs read the repository from the account.
local_repository = localhost:$(DELIVERY_REGISTRY_PORT)/book-shop
export DELIVERY_REPOSITORY ?= $(if $(filter local,$(DELIVERY_HOST)),$(local_repository))
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Arguments. They are read from the command line only, as in `make deploy-prod IMAGE=1.2.0`, because
# in the environment the names may belong to another program. A recipe quotes each as one word. A
# recipe has one line, so the shell inserts line breaks from the environment.
define newline


endef
export newline
quoted = $(if $1,'$(subst $(newline),'"$$newline"',$(subst ','\'',$1))')
arguments := IMAGE TO COMMIT KEEP BACKUP BENCH FROM SETTING VALUES WHAT COMMAND EMAIL \
  FOLLOW SINCE GREP PREVIOUS ANONYMOUS
# These are switches: FOLLOW=0 must not follow.
$(foreach name,VALUES FOLLOW PREVIOUS ANONYMOUS,$(if $(filter command,$(origin $(name))),\
  $(if $(filter-out 1,$(value $(name))),\
  $(error invalid $(name) '$(value $(name))': expected 1 or no value))))
# A script would read an argument with a leading dash as its option, such as -h or -y.
$(foreach name,$(arguments),$(if $(filter command,$(origin $(name))),\
  $(if $(filter -%,$(firstword $(value $(name)))),\
  $(error invalid $(name) '$(value $(name))': an argument must not begin with a dash))))
$(foreach name,$(arguments),$(eval \
  override $(name) := $(if $(filter command,$(origin $(name))),$$(call quoted,$$(value $(name))))))

# With STEPS=<file>, each recipe adds its duration and exit status to the file, for `make summary`.
ifdef DELIVERY_STEPS
SHELL := scripts/lib/timed.sh
endif

.DEFAULT_GOAL := help
# Targets run one at a time in the order given, as in `make image push`, even with -j.
.NOTPARALLEL:

##@ First steps
## Variables: HTTP_PORT, DEV_PORT, REGISTRY_PORT, HTTPS, HTTPS_PORT, DEMO, CLOSED_NETWORK

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' 'BEGIN {print "Usage: make TARGET [VARIABLE=value], see docs/reference.md"} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} /^## / {print "  " substr($$0, 4)} \
	  /^[a-z0-9-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile

.PHONY: doctor
doctor: ## show which tools this machine has and which services it reaches
	@scripts/doctor

.PHONY: run
run: setup-run ## run the book shop on this machine, on SQLite, without containers
	@scripts/run

.PHONY: demo
demo: setup-demo ## start a local host and a registry, and deploy dev and prod there
	@scripts/local/run

.PHONY: demo-down
demo-down: ## remove everything that demo created
	@scripts/local/down

##@ Every day
## Variables: HOST, PROD, NAME, REPOSITORY, COMMIT, IMAGE, TO, PLAN, FORCE, REASON, BASE_IMAGE,
##            AWS_REGION, CLUSTER, CLUSTER_URL, SMOKE_LIMIT, TIME_LIMIT, STEPS, RELEASE_FILE,
##            FOLLOW, SINCE, GREP, PREVIOUS

.PHONY: version
version: setup-deploy ## print the version of HEAD
	@scripts/version

.PHONY: image
image: setup-image ## build the image of HEAD, or of COMMIT=<commit>
	@scripts/image $(COMMIT)

.PHONY: push
push: setup-deploy ## push this image under its snapshot tag
	@scripts/push $(COMMIT)

.PHONY: promote
promote: setup-deploy ## give the snapshot of HEAD, or of COMMIT=<commit>, its release tag
	@scripts/promote $(COMMIT)

.PHONY: deploy-dev
deploy-dev: setup-deploy ## deploy HEAD's snapshot, or IMAGE=<tag>, to dev (Docker, port 8080)
	@scripts/deploy dev $(IMAGE)

.PHONY: deploy-prod
deploy-prod: setup-deploy ## deploy HEAD's release, or IMAGE=<tag>, to prod (Kubernetes, port 80)
	@scripts/deploy prod $(IMAGE)

.PHONY: smoke-dev
smoke-dev: setup-deploy ## check at dev's public address that HEAD's snapshot is live
	@scripts/smoke dev

.PHONY: smoke-prod
smoke-prod: setup-deploy ## check at prod's public address that HEAD's release is live
	@scripts/smoke prod

.PHONY: status
status: setup-deploy ## show the live images of dev and prod
	@scripts/status

.PHONY: rollback-dev
rollback-dev: setup-deploy ## return dev to the previous image, or to TO=<tag>
	@scripts/rollback dev $(TO)

.PHONY: rollback-prod
rollback-prod: setup-deploy ## return prod to the previous image, or to TO=<tag>
	@scripts/rollback prod $(TO)

.PHONY: history-dev
history-dev: setup-deploy ## list the last deploys of dev: user, image and result
	@scripts/history dev

.PHONY: history-prod
history-prod: setup-deploy ## list the last deploys of prod
	@scripts/history prod

log_options = $(if $(FOLLOW),--follow) $(if $(PREVIOUS),--previous) \
  $(if $(SINCE),--since=$(SINCE)) $(if $(GREP),--grep=$(GREP))

.PHONY: logs-dev
logs-dev: setup-deploy ## print the last log lines of dev
	@scripts/logs dev $(log_options)

.PHONY: logs-prod
logs-prod: setup-deploy ## print the last log lines of prod
	@scripts/logs prod $(log_options)

.PHONY: release-check
release-check: setup-deploy ## fail if another commit has been released under HEAD's version
	@scripts/release check

.PHONY: release
release: setup-deploy ## tag HEAD and create its GitHub release, if prod serves it
	@scripts/release

.PHONY: summary
summary: setup-deploy ## print the live images and the duration of each step as Markdown
	@scripts/summary

##@ Settings and commands
## Variables: HOST, PROD, NAME, AWS_REGION, TIME_LIMIT, CLUSTER, POSTGRES_IMAGE,
##            DELIVERY_ADMIN_URL, SETTING, VALUES, WHAT, COMMAND, EMAIL

.PHONY: settings-dev
settings-dev: setup-deploy ## list the settings of dev; VALUES=1 adds values that are not secret
	@scripts/settings dev $(if $(VALUES),--values)

.PHONY: settings-prod
settings-prod: setup-deploy ## list the settings of prod
	@scripts/settings prod $(if $(VALUES),--values)

.PHONY: set-dev
set-dev: setup-deploy ## change SETTING of dev to the value on stdin or from a prompt
	@scripts/set dev $(SETTING)

.PHONY: set-prod
set-prod: setup-deploy ## change SETTING of prod
	@scripts/set prod $(SETTING)

.PHONY: unset-dev
unset-dev: setup-deploy ## remove SETTING of dev, so that its default applies
	@scripts/unset dev $(SETTING)

.PHONY: unset-prod
unset-prod: setup-deploy ## remove SETTING of prod
	@scripts/unset prod $(SETTING)

.PHONY: rotate-dev
rotate-dev: setup-deploy ## replace dev's WHAT=database (its password) or WHAT=secret-key
	@scripts/rotate dev $(WHAT)

.PHONY: rotate-prod
rotate-prod: setup-deploy ## replace prod's database password or secret key
	@scripts/rotate prod $(WHAT)

.PHONY: manage-dev
manage-dev: setup-deploy ## run manage.py COMMAND='...' on dev's live image
	@scripts/manage dev $(COMMAND)

.PHONY: manage-prod
manage-prod: setup-deploy ## run manage.py COMMAND='...' on prod's live image
	@scripts/manage prod $(COMMAND)

.PHONY: invite-dev
invite-dev: setup-deploy ## create an administrator of dev; print a link to set the password
	@scripts/invite dev $(EMAIL)

.PHONY: invite-prod
invite-prod: setup-deploy ## create an administrator of prod
	@scripts/invite prod $(EMAIL)

##@ The host
## Variables: HOST, PROD, NAME, REPOSITORY, BACKUP, KEEP, AWS_REGION, TIME_LIMIT, CLUSTER,
##            POSTGRES_IMAGE, ANONYMOUS

.PHONY: backup
backup: setup-deploy ## back up dev's and prod's databases now; the host does so every night
	@scripts/backup

.PHONY: backups
backups: setup-deploy ## list the backups
	@scripts/backups

.PHONY: restore-dev
restore-dev: setup-deploy ## restore dev's latest backup, or BACKUP=<name>; asks first
	@scripts/restore dev $(BACKUP)

.PHONY: restore-prod
restore-prod: setup-deploy ## restore prod's latest backup, or BACKUP=<name>; asks first
	@scripts/restore prod $(BACKUP)

.PHONY: dump-dev
dump-dev: setup-deploy ## print a dump of dev's database (pg_dump -Fc)
	@scripts/dump dev

.PHONY: dump-prod
dump-prod: setup-deploy ## print a dump of prod's database
	@scripts/dump prod

.PHONY: load-dev
load-dev: setup-deploy ## replace dev's data with a dump on stdin; asks first
	@scripts/load dev $(if $(ANONYMOUS),--anonymous)

.PHONY: load-prod
load-prod: setup-deploy ## replace prod's data with a dump on stdin; asks first
	@scripts/load prod $(if $(ANONYMOUS),--anonymous)

.PHONY: psql-dev
psql-dev: setup-deploy ## open psql on dev's database
	@scripts/psql dev

.PHONY: psql-prod
psql-prod: setup-deploy ## open psql on prod's database
	@scripts/psql prod

.PHONY: prune
prune: setup-deploy ## list the snapshots in the registry that prune-now would delete
	@scripts/prune $(KEEP)

.PHONY: prune-now
prune-now: setup-deploy ## delete old snapshots from the registry, except the newest KEEP=10
	@scripts/prune -y $(KEEP)

##@ The cluster
## Variables: CLUSTER, POSTGRES_IMAGE, DELIVERY_ADMIN_URL, DATABASE_URL, ALLOWED_HOSTS, PUBLIC_URL,
##            CERTIFICATE_ARN, CERT_ISSUER

.PHONY: cluster-setup
cluster-setup: setup-deploy ## prepare kubectl's current cluster for the shop; asks first
	@scripts/cluster-setup

.PHONY: cluster-data-create
cluster-data-create: setup-deploy ## create the shop's database and roles; print the DATABASE_URL
	@scripts/cluster-data-create

##@ Infrastructure and GitHub
## Variables: NAME, AWS_ACCOUNT, AWS_REGION, GITHUB_REPOSITORY, PROD, CLUSTER, CLUSTER_URL

.PHONY: infra-bootstrap
infra-bootstrap: setup-infra ## create the bucket for Terraform's state, once
	@scripts/infra bootstrap

.PHONY: infra
infra: setup-infra ## create or update the host on AWS: show the plan, ask, apply
	@scripts/infra apply

.PHONY: infra-plan
infra-plan: setup-infra ## show what infra would change
	@scripts/infra plan

.PHONY: infra-output
infra-output: setup-infra ## print the outputs of infra as JSON
	@scripts/infra output

.PHONY: infra-destroy
infra-destroy: setup-infra ## delete the host with its databases and images; asks first
	@scripts/infra destroy

.PHONY: infra-cluster
infra-cluster: setup-infra ## create or update a Kubernetes cluster and its database on AWS
	@scripts/infra cluster apply

.PHONY: infra-cluster-plan
infra-cluster-plan: setup-infra ## show what infra-cluster would change
	@scripts/infra cluster plan

.PHONY: infra-cluster-output
infra-cluster-output: setup-infra ## print the outputs of infra-cluster as JSON
	@scripts/infra cluster output

.PHONY: infra-cluster-destroy
infra-cluster-destroy: setup-infra ## delete the cluster and its database; asks first
	@scripts/infra cluster destroy

.PHONY: verify-aws
verify-aws: setup-infra ## compare what this project assumes about AWS with the deployed host
	@scripts/verify-aws

.PHONY: github
github: setup-infra ## set up the GitHub repository: variables, environments, branch rules
	@scripts/github-setup

##@ Development
## Variables: BENCH, FROM, CLOSED_NETWORK

.PHONY: setup
setup: ## install everything for development; other targets install what they need
	@scripts/setup

# scripts/setup describes the purposes. The other targets depend on setup-<purpose>.
purposes := run deploy image demo infra tools check test
.PHONY: $(purposes:%=setup-%)
$(purposes:%=setup-%): setup-%:
	@scripts/setup $*

.PHONY: check
check: setup-check ## check format, lint and unit tests; needs no Docker engine
	@scripts/check

.PHONY: test
test: check setup-test ## run check, then test-e2e
	@scripts/test

.PHONY: test-e2e
test-e2e: setup-test ## test the whole path on local hosts that the test creates
	@scripts/test e2e

.PHONY: test-faults
test-faults: setup-test ## test deploys under faults on local hosts
	@scripts/test faults

.PHONY: test-load
test-load: setup-test ## test deploys and rollbacks under load: no request may fail
	@scripts/test load

.PHONY: test-machines
test-machines: setup-test ## test prod on a cluster of three machines, one drained, one lost
	@scripts/test machines

.PHONY: test-upgrade
test-upgrade: setup-test ## test the upgrade of a host that commit FROM has installed, under load
	@scripts/test upgrade $(FROM)

.PHONY: test-bench
test-bench: setup-test ## test that each part of bench runs, with the smallest amounts
	@scripts/test bench

.PHONY: bench
bench: setup-test ## compare with other tools, or only BENCH=<part>; more than half an hour
	@scripts/bench $(BENCH)

.PHONY: bench-shop
bench-shop: setup-run setup-tools ## measure the shop's pages with a million books; about 20 minutes
	@scripts/bench-shop

.PHONY: review
review: setup-tools ## report pins without a review for 90 days, and vulnerable Python packages
	@scripts/review

.PHONY: format
format: setup-tools ## format the sources
	@scripts/format

.PHONY: lock
lock: setup-tools ## resolve the Python dependencies and lock them with hashes
	@scripts/lock
