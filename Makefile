# `make demo` shows the main job on a real cluster on this machine, `make test` checks everything. Both install or build what
# they need, in pinned versions; what outlives the checkout lies in $(CACHE).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pratique
TOOLS := $(CACHE)/tools
NODES ?= 2

NEXTEST := $(TOOLS)/cargo-nextest-0.9.151/bin/cargo-nextest
DENY := $(TOOLS)/cargo-deny-0.20.2/bin/cargo-deny
FUZZ := $(TOOLS)/cargo-fuzz-0.13.1/bin/cargo-fuzz

export CARGO_TERM_PROGRESS_WHEN := never

##@ The two to start with
.PHONY: demo test
demo: prerequisites images ## A cluster, the chart, a policy, a refused pod, reports. DEMO_CONTEXT=name uses a cluster you have.
	e2e/demo

test: lint test-unit test-reports test-fuzz test-e2e ## Everything: lints, units, golden cases, schemas, fuzz smoke, chart, e2e on the cluster.

##@ Parts of it
.PHONY: test-fast test-unit test-reports test-fuzz test-versions test-e2e lint lint-rust lint-chart lint-shell
test-fast: lint test-unit ## What needs no cluster.

test-unit: prerequisites $(NEXTEST) ## Unit, golden and integration tests.
	$(NEXTEST) nextest run --locked --workspace
	cargo test --locked --quiet --doc --workspace

test-reports: prerequisites ## What each output format writes, by the format's official schema and validator.
	engine/report/tests/validate/run

test-fuzz: prerequisites $(FUZZ) ## Every fuzz target, 60 seconds over all.
	engine/fuzz/smoke $(FUZZ) 60

test-versions: prerequisites ## The order of versions against dpkg, rpm, packaging, node, Go, Maven, Ruby, as installed; 15 seconds.
	cargo build --locked --quiet -p pratique-core --example compare_versions
	engine/core/testdata/version/check-against-tools target/debug/examples/compare_versions

test-e2e: prerequisites images $(NEXTEST) ## The tests on the cluster; logs of a failed run are kept and named.
	e2e/run $(NEXTEST)

lint: lint-rust lint-chart lint-shell ## Formatting, clippy, licences and advisories, the chart, the scripts.

lint-rust: prerequisites $(DENY)
	cargo fmt --all --check
	rustfmt --check $(shell find engine/detect/src/detectors engine/inventory/src/parsers engine/report/src/formats -name '*.rs' 2>/dev/null)
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(DENY) --workspace check --hide-inclusion-graph licenses bans sources
	.ci/advisories $(DENY)

lint-chart: helm
	charts/test $(HELM)

lint-shell: prerequisites
	shellcheck -x $$(git ls-files | xargs -r grep -lE '^#!/(usr/bin/env bash|bin/bash)$$' --)

.PHONY: fmt crds docs manifests
fmt: ## Formats all code.
	cargo fmt --all
	rustfmt $(shell find engine/detect/src/detectors engine/inventory/src/parsers engine/report/src/formats -name '*.rs' 2>/dev/null)

crds: ## Writes the CRDs from crds/src to crds/yaml, the chart and the plain manifests.
	cargo run --locked --quiet -p pratique-crds --bin crdgen -- crds/yaml charts/pratique/crds deploy/manifests/crds

docs: ## Writes docs/detectors.md from the detectors and their samples.
	UPDATE_DOCS=1 cargo test --locked --quiet -p pratique-detect --lib page::

manifests: helm ## Writes deploy/manifests from the chart, but for the CRDs.
	charts/render $(HELM)

##@ Cluster and images
.PHONY: cluster cluster-down images bench
cluster: prerequisites ## A real Kubernetes on this machine. NODES=1|2|3.
	NODES=$(NODES) e2e/cluster/up

cluster-down: ## Stops it and leaves nothing behind.
	e2e/cluster/down

images: prerequisites ## Both images, static, without a Docker daemon, under target/images.
	deploy/images/build

bench: prerequisites ## Benchmarks; figures and how to read them are in docs/performance.md.
	benches/run

##@ Housekeeping
.PHONY: prerequisites helm clean help
prerequisites:
	@e2e/prerequisites

HELM = $(shell e2e/cluster/ctl tool helm)
helm: prerequisites
	@e2e/cluster/ctl tool helm >/dev/null

clean: cluster-down ## Stops the cluster and removes what was built here. Caches stay in $(CACHE).
	cargo clean

help:
	@awk 'BEGIN {FS = ":.*## "; printf "make TARGET\n"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Tools are built once per version, outside the checkout.
$(TOOLS)/cargo-%:
	@name=$$(basename $(patsubst %/bin/,%,$(dir $@))); tool=$(notdir $@); version=$${name##*-}; \
	echo "tools: building $$tool $$version (once, a few minutes)"; \
	CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_TARGET_DIR=$(TOOLS)/build \
	  cargo install --quiet --locked --root $(TOOLS)/$$name $$tool@$$version && rm -rf $(TOOLS)/build
