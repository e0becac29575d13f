# `make help` lists the habits of this house. Needs: sh, make. `scripts/setup.sh` gets the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# A compiler that setup.sh put there is not on the PATH of this shell yet.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
CARGO ?= cargo
WORKERS ?= 4
PURGE ?=
# How long `make fuzz-market` runs: until one of them is over; a million steps if neither is said.
# `make fuzz-proofs` shares its MINUTES among all targets.
MINUTES ?=
STEPS ?=
# What a binary is made of: one that was built from exactly this is used as it is.
SOURCES = $(shell cat $$(git ls-files 'crates/**' 'programs/**' 'images/**' 'scripts/containers.conf' Cargo.toml Cargo.lock 2>/dev/null | LC_ALL=C sort) 2>/dev/null | sha256sum | cut -c1-16)
RELEASE = dist/ionet-$(shell uname -s | tr A-Z a-z)-$(shell uname -m)

.PHONY: help
help: ## list these targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what is missing on this machine
	@scripts/setup.sh

.PHONY: binary
binary: setup
	@if [ -x "$(RELEASE)/ionet" ] && [ "$$(cat $(RELEASE)/SOURCES)" = "$(SOURCES)" ]; then \
	  echo "make: using $(RELEASE)/ionet, built from these sources"; \
	else \
	  echo "make: compiling (the first time takes some minutes)"; \
	  $(CARGO) build --release --locked -p ionet-cli; \
	fi

.PHONY: up
up: binary ## set up, build, and start a local network (WORKERS=4)
	@bin=target/release/ionet; \
	if [ -x "$(RELEASE)/ionet" ] && [ "$$(cat $(RELEASE)/SOURCES)" = "$(SOURCES)" ]; then \
	  bin=$(RELEASE)/ionet; fi; \
	"$$bin" up --workers $(WORKERS)

.PHONY: down
down: ## stop the local network (PURGE=1: and leave the machine as it was)
	@bin=$$(command -v ionet || ls target/release/ionet "$(RELEASE)/ionet" 2>/dev/null | head -1); \
	if [ -z "$$bin" ]; then echo "make: no ionet here; nothing to stop"; exit 0; fi; \
	"$$bin" down $(if $(PURGE),--purge --yes)

.PHONY: test
test: setup lint ## everything that must hold: format, lints, all tests, programs
	images/ray/build.sh
	$(CARGO) test --locked --workspace
	@# The same binaries again: naming the package alone would build its dependencies anew.
	IONET_FEATURES=all $(CARGO) test --locked --workspace --exclude ionet-network \
	  $(addprefix --test ,$(basename $(notdir $(wildcard programs/tests/tests/*))))
	clients/test.sh --if-here
	programs/check.sh

.PHONY: test-clients
test-clients: ## the TypeScript client on a chain of our own (needs node 20 and npm)
	$(CARGO) build --locked -p ionet-cli
	clients/test.sh

.PHONY: test-agave
test-agave: setup ## a lease's story on Agave's validator (first builds it: 20 minutes)
	scripts/agave.sh test

.PHONY: test-red-team
test-red-team: setup ## attackers against the proofs of chips; compares docs/verification.md
	$(CARGO) run --release --locked -p ionet-redteam

.PHONY: fuzz-market
fuzz-market: setup ## random histories of the market program and its model (MINUTES=, STEPS=)
	$(CARGO) build --release --locked -p ionet-program-tests --bin fuzz_market
	MINUTES=$(MINUTES) STEPS=$(STEPS) target/release/fuzz_market

.PHONY: fuzz-proofs
fuzz-proofs: setup ## hostile bytes against parsers of proofs (MINUTES=5; installs cargo-fuzz)
	command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz
	scripts/fuzz-proofs.sh $(MINUTES)

.PHONY: lint
lint: ## format and clippy, no warnings
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --log-level error check bans licenses sources; \
	else echo "make: cargo-deny is not here; \`make deny\` installs it and checks"; fi

.PHONY: deny
deny: ## licences, bans and sources of every dependency (installs cargo-deny)
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --log-level error check bans licenses sources

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt --all

.PHONY: bench
bench: setup ## measure, and write docs/benchmarks.md anew
	$(CARGO) build --release --locked -p ionet-cli -p ionet-bench -p ionet-program-tests
	target/release/ionet-bench

.PHONY: faults
faults: setup ## plant faults in the market program; each must be caught (12 minutes)
	scripts/setup.sh --programs
	$(CARGO) xtask faults

.PHONY: programs
programs: ## compile the on-chain programs (needs scripts/setup.sh --programs)
	scripts/setup.sh --programs
	programs/build.sh

.PHONY: release
release: setup ## build the binary that `make up` uses where it fits
	$(CARGO) build --release --locked -p ionet-cli
	mkdir -p $(RELEASE)
	cp target/release/ionet target/release/ionet-prove $(RELEASE)/
	echo $(SOURCES) > $(RELEASE)/SOURCES
	@echo "make: $(RELEASE)/ionet"
