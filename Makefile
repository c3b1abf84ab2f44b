# The index of the road: each target is one script of the same name. `make` lists them.

# Settings. In the environment their names begin with DELIVERY_: other programs set names like HOST.
# A call may leave the prefix out, as in `make deploy-prod HOST=aws`. docs/reference.md lists them.
settings := HOST PROD CLUSTER CLUSTER_URL NAME REPOSITORY PLAN STEPS SMOKE_LIMIT TIME_LIMIT AWS_ACCOUNT \
  DEMO HTTP_PORT DEV_PORT REGISTRY_PORT CLOSED_NETWORK BASE_IMAGE POSTGRES_IMAGE
$(foreach name,$(settings),$(if $(filter command,$(origin $(name))),\
  $(eval override export DELIVERY_$(name) := $$(value $(name)))))
unexport $(settings)
export DELIVERY_HOST ?= local
export DELIVERY_PROD ?= host
export DELIVERY_NAME ?= book-shop
export AWS_REGION ?= eu-central-1
export DELIVERY_DEMO ?= book-shop
# The ports that `make demo` was given, until `make demo-down`.
-include $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/book-shop/demo/$(DELIVERY_DEMO)/ports
export DELIVERY_HTTP_PORT ?= 80
export DELIVERY_DEV_PORT ?= 8080
export DELIVERY_REGISTRY_PORT ?= 5000
# On AWS the account knows the repository.
local_repository = localhost:$(DELIVERY_REGISTRY_PORT)/book-shop
export DELIVERY_REPOSITORY ?= $(if $(filter local,$(DELIVERY_HOST)),$(local_repository))
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# These are read from the command line alone, as in `make deploy-prod IMAGE=1.2.0`: in the environment the
# names may belong to another program. Each is one quoted word of the recipe, whatever it contains.
define newline


endef
quoted = $(if $1,'$(subst $(newline), ,$(subst ','\'',$1))')
arguments := IMAGE TO COMMIT KEEP BACKUP BENCH FROM
$(foreach name,$(arguments),$(eval \
  override $(name) := $(if $(filter command,$(origin $(name))),$$(call quoted,$$(value $(name))))))

# With STEPS=<file> each recipe leaves a line there with its seconds and its exit status, for summary.
ifdef DELIVERY_STEPS
SHELL := scripts/lib/timed.sh
endif

.DEFAULT_GOAL := help
# Prerequisites carry the order (image before push): one at a time.
.NOTPARALLEL:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## install everything for development; each other target installs what it needs
	@scripts/setup

# What one purpose needs. The targets below name theirs.
purposes := run deploy image demo infra tools check test
.PHONY: $(purposes:%=setup-%)
$(purposes:%=setup-%): setup-%:
	@scripts/setup $*

.PHONY: doctor
doctor: ## say what this machine has and what it lacks
	@scripts/doctor

.PHONY: run
run: setup-run ## run the book shop here, on SQLite, without containers
	@scripts/run

.PHONY: check
check: setup-check ## format and lint check, unit tests; no Docker engine
	@scripts/check

.PHONY: test
test: check setup-test ## check, then the whole path on local hosts of its own
	@scripts/test

.PHONY: test-e2e
test-e2e: setup-test ## the whole path alone, without check
	@scripts/test e2e

.PHONY: test-faults
test-faults: setup-test ## faults in deploys, on a real local host; about 25 minutes
	@scripts/test faults

.PHONY: test-load
test-load: setup-test ## swaps, rollouts and rollbacks under load: no request may fail
	@scripts/test load

.PHONY: test-upgrade
test-upgrade: setup-test ## a host that commit FROM has installed gets the files of this one, under load
	@scripts/test upgrade $(FROM)

.PHONY: bench
bench: setup-test ## compare with other tools, or only BENCH=<part>; more than half an hour
	@scripts/bench $(BENCH)

.PHONY: test-machines
test-machines: setup-test ## the release on a cluster of three machines: rollouts, a drain, a machine lost
	@scripts/test machines

.PHONY: test-bench
test-bench: setup-test ## make bench at its smallest: each part runs, and what is moved or lost is counted
	@scripts/test bench

.PHONY: bench-shop
bench-shop: setup-run setup-tools ## what the shop's pages take at a million books; twenty minutes
	@scripts/bench-shop

.PHONY: format
format: setup-tools ## format the sources
	@scripts/format

.PHONY: lock
lock: setup-tools ## resolve the Python dependencies and lock them with hashes
	@scripts/lock

.PHONY: version
version: setup-deploy ## print the version
	@scripts/version

.PHONY: image
image: setup-image ## build the image of HEAD, or of COMMIT=<commit>
	@scripts/image $(COMMIT)

.PHONY: push
push: setup-deploy ## push it under its snapshot tag
	@scripts/push $(COMMIT)

.PHONY: promote
promote: setup-deploy ## give HEAD's snapshot, or that of COMMIT=<commit>, the release tag
	@scripts/promote $(COMMIT)

.PHONY: deploy-dev
deploy-dev: setup-deploy ## serve HEAD's snapshot, or IMAGE=<tag>: Docker, :8080
	@scripts/deploy dev $(IMAGE)

.PHONY: deploy-prod
deploy-prod: setup-deploy ## serve HEAD's release, or IMAGE=<version>: Kubernetes, :80
	@scripts/deploy prod $(IMAGE)

.PHONY: smoke-dev
smoke-dev: setup-deploy ## ask :8080 at its public address whether HEAD's snapshot answers
	@scripts/smoke dev

.PHONY: smoke-prod
smoke-prod: setup-deploy ## ask :80 at its public address whether HEAD's release answers
	@scripts/smoke prod

.PHONY: release-check
release-check: setup-deploy ## refuse a version that is released already, before anything is done for it
	@scripts/release check

.PHONY: release
release: setup-deploy ## tag HEAD and release it on GitHub, once prod serves it
	@scripts/release

.PHONY: rollback-dev
rollback-dev: setup-deploy ## return to the previous snapshot, or to TO=<tag>
	@scripts/rollback dev $(TO)

.PHONY: rollback-prod
rollback-prod: setup-deploy ## return to the previous release, or to TO=<version>
	@scripts/rollback prod $(TO)

.PHONY: status
status: setup-deploy ## what the host serves
	@scripts/status

.PHONY: history-dev
history-dev: setup-deploy ## the last deploys of dev: who, what, how they ended
	@scripts/history dev

.PHONY: history-prod
history-prod: setup-deploy ## the last deploys of prod
	@scripts/history prod

.PHONY: summary
summary: setup-deploy ## what the host serves and how long each step took, as Markdown
	@scripts/summary

.PHONY: logs-dev
logs-dev: setup-deploy ## the snapshot's last log lines
	@scripts/logs dev

.PHONY: logs-prod
logs-prod: setup-deploy ## the release's last log lines
	@scripts/logs prod

.PHONY: backup
backup: setup-deploy ## back up the data of both, as each night
	@scripts/backup

.PHONY: backups
backups: setup-deploy ## list the backups
	@scripts/backups

.PHONY: restore-dev
restore-dev: setup-deploy ## give the snapshot the data of its latest backup, or of BACKUP=<name>; asks
	@scripts/restore dev $(BACKUP)

.PHONY: restore-prod
restore-prod: setup-deploy ## give the release the data of its latest backup, or of BACKUP=<name>; asks
	@scripts/restore prod $(BACKUP)

.PHONY: prune
prune: setup-deploy ## list the old snapshots that can be deleted from the registry; KEEP=10 stay
	@scripts/prune $(KEEP)

.PHONY: prune-now
prune-now: setup-deploy ## delete them
	@scripts/prune -y $(KEEP)

.PHONY: infra-bootstrap
infra-bootstrap: setup-infra ## make the bucket of Terraform's state, once
	@scripts/infra bootstrap

.PHONY: infra
infra: infra-bootstrap ## the host on AWS: show the plan, ask, apply
	@scripts/infra apply

.PHONY: infra-plan
infra-plan: setup-infra ## show what infra would change
	@scripts/infra plan

.PHONY: infra-output
infra-output: setup-infra ## print what the other verbs need of it, as JSON
	@scripts/infra output

.PHONY: infra-destroy
infra-destroy: setup-infra ## delete all of it; asks for the name
	@scripts/infra destroy

.PHONY: infra-cluster
infra-cluster: infra-bootstrap ## a Kubernetes cluster on AWS and its database: show the plan, ask, apply
	@scripts/infra cluster apply

.PHONY: infra-cluster-plan
infra-cluster-plan: setup-infra ## show what infra-cluster would change
	@scripts/infra cluster plan

.PHONY: infra-cluster-output
infra-cluster-output: setup-infra ## print what the runbook needs of it, as JSON
	@scripts/infra cluster output

.PHONY: infra-cluster-destroy
infra-cluster-destroy: setup-infra ## delete all of it; asks for the name
	@scripts/infra cluster destroy

.PHONY: cluster-setup
cluster-setup: setup-deploy ## give the shop its place in kubectl's current cluster; shows it, asks
	@scripts/cluster-setup

.PHONY: cluster-data-create
cluster-data-create: setup-deploy ## the shop's role and database on a server; prints its DATABASE_URL
	@scripts/cluster-data create

.PHONY: cluster-data-dump
cluster-data-dump: setup-deploy ## print the cluster's data as a dump
	@scripts/cluster-data dump

.PHONY: cluster-data-load
cluster-data-load: setup-deploy ## give the cluster the data of a dump (stdin); asks
	@scripts/cluster-data load

.PHONY: github
github: setup-infra ## set up the GitHub repository: variables, environments, branch rules; shows them, asks
	@scripts/github-setup

.PHONY: demo
demo: setup-demo ## the whole road on this machine: registry, host, image, both environments
	@scripts/demo/run

.PHONY: demo-down
demo-down: ## remove all that demo made
	@scripts/demo/down
