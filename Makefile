# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
LAB ?= demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The demo takes the self-built images unless IMAGES=upstream is given; the inventory reads it.
IMAGES ?= built
export IMAGES
# A user who is not root does through sudo what needs root, Docker Engine included: scripts/ and images/build.py put this in front.
export SUDO := $(if $(filter 0,$(shell id -u)),,sudo -n \
  --preserve-env=DEBIAN_FRONTEND,DOCKER_BUILDKIT,http_proxy,https_proxy,no_proxy,HTTP_PROXY,HTTPS_PROXY,NO_PROXY)
export LAB_BECOME := $(if $(SUDO),yes,no)
# One run on a lab at a time: another one waits.
ANSIBLE := flock --no-fork inventory/$(LAB) $(BIN)/ansible-playbook -i inventory/$(LAB)
.NOTPARALLEL:

.PHONY: help
help: ## List all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the lab ---------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: root venv docker browser images ## The whole lab on this machine, proved, with its addresses (IMAGES=upstream: upstream's images)
	$(ANSIBLE) site.yml
	$(ANSIBLE) playbooks/verify.yml

.PHONY: demo-down
demo-down: root venv ## Remove the demo; its data too with DATA=yes
	$(ANSIBLE) playbooks/remove.yml -e confirm=demo -e remove_data=$(if $(filter yes,$(DATA)),true,false)

.PHONY: deploy
deploy: venv ## Deploy and configure the lab LAB=<inventory>
	$(ANSIBLE) site.yml

.PHONY: verify
verify: venv ## Prove the lab LAB=<inventory>
	$(ANSIBLE) playbooks/verify.yml

.PHONY: certs
certs: venv ## Make and renew the certificates of the lab LAB=<inventory>: what is due, or RENEW=arc, all, issuing, root
	$(ANSIBLE) playbooks/certs.yml -e "ca_renew='$(RENEW)'"

.PHONY: pictures
pictures: ## Take the README's pictures from the demo's last journey
	cp $(addprefix .cache/verify/demo/,emr-menu.png worklist.png viewer-from-order-page.png report-in-the-chart.png) docs/images/

.PHONY: refused reprocess close
refused: venv ## List the refused messages and notices of the lab LAB=<inventory>
	$(ANSIBLE) playbooks/refused.yml

reprocess: venv ## Process refused messages again: ID=17, ID=17,18 or ID=all
	$(ANSIBLE) playbooks/refused.yml -e refused_verb=reprocess -e "refused_id='$(ID)'"

close: venv ## Settle refused messages and notices that need nothing any more: ID=17, ID=17,n0a1b2c3d
	$(ANSIBLE) playbooks/refused.yml -e refused_verb=close -e "refused_id='$(ID)'"

.PHONY: docker
docker: root venv ## Install or start Docker Engine and Compose on this machine where they are missing
	@{ $(SUDO) docker info && $(SUDO) docker compose version; } >/dev/null 2>&1 || $(BIN)/ansible-playbook -i inventory/demo playbooks/docker.yml

.PHONY: browser
browser: root venv ## Install Chromium, in which the viewer is proved, where it is missing
	@scripts/browser.sh

.PHONY: images
images: root venv ## Build the self-built images whose inputs changed
	@if [ "$(IMAGES)" = built ]; then $(BIN)/python images/build.py; else echo "taking upstream's images"; fi

# --- the tests -------------------------------------------------------------------------------------------------------

.PHONY: test
test: engine venv-dev docker browser ## Everything: lint, unit, contract, Molecule
	@tests/run all

.PHONY: test-fast
test-fast: venv-dev ## What needs no Docker Engine: lint, unit, rendering
	@tests/run fast

.PHONY: bench
bench: engine venv-dev docker images ## Measure, and record in docs/benchmarks.md
	$(BIN)/python tests/bench.py

# --- the environment -------------------------------------------------------------------------------------------------

.PHONY: root engine
root:
	@$(SUDO) true 2>/dev/null || { \
	  echo "This needs root, and sudo is missing here or asks for a password: run 'sudo make $(MAKECMDGOALS)' instead." >&2; exit 1; }
engine:
	@[ -z "$(SUDO)" ] || docker info >/dev/null 2>&1 || { \
	  echo "This needs Docker Engine without sudo in between: run 'sudo make $(MAKECMDGOALS)' instead." >&2; exit 1; }

.PHONY: venv venv-dev
venv: $(VENV)/.run
venv-dev: $(VENV)/.dev

$(VENV)/.run: requirements.txt scripts/venv.sh
	@scripts/venv.sh $(PYTHON) $(VENV) requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@scripts/venv.sh $(PYTHON) $(VENV) requirements-dev.txt
	@touch $@

.PHONY: lock
lock: venv-dev ## Lock the requirements again
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q requirements.in -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.12 --generate-hashes --no-header -q requirements-next.in -o requirements-next.txt
