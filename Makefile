# Everything a developer or CI runs. `make` lists the verbs.
#
# Needed: Rust (rustup), Python 3.11 or newer, a C compiler, make. Everything else is installed below this folder.

PYTHON ?= python3
VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
LINT_VENV := .venvs/lint

# Frameworks that `make test` covers beside the newest FastAPI, which $(VENV) has.
MATRIX ?= 0.111.1 0.120.2 0.121.3 0.136.3 0.137.2 starlette
# What runs on them, as a pytest -m expression.
MATRIX_SELECT ?= not server and not slow
# More arguments for pytest on the newest FastAPI: make test-python PYTEST="-k vary"
PYTEST ?=
# What `make fuzz` runs, all targets if empty, and for how many seconds each: make fuzz FUZZ=exchange FUZZ_TIME=600
FUZZ ?=
FUZZ_TIME ?= 60
# How many steps `make model` takes on each host, and where they begin.
STEPS ?= 1000000
SEED ?= 1
# More arguments for benches/run.py.
BENCH ?=
# For `make run`: so many worker processes with one cache, or one in this Redis or Valkey.
WORKERS ?=
STORAGE ?=
EXAMPLE := $(if $(STORAGE),redis_app.py,$(if $(WORKERS),shared_app.py,quick_start.py))

# rustup's folder, for a shell that has not read its profile yet; last, so that it replaces nothing.
export PATH := $(PATH):$(HOME)/.cargo/bin
export PYTHONDONTWRITEBYTECODE := 1

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

# -- verbs ------------------------------------------------------------------------------------------------------------

.PHONY: help
help: ## List the verbs
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: run
run: port-free wheel ## Serve the quick start on 127.0.0.1:8000; WORKERS=4: in processes with one cache; STORAGE=redis://host:6379: in Redis
	@echo "Serving $(EXAMPLE): try 'curl -i http://127.0.0.1:8000/users/1' twice; Ctrl-C stops it."
	@cd examples && WORKERS="$(WORKERS)" STORAGE="$(STORAGE)" exec ../$(VENV_PYTHON) $(EXAMPLE)

.PHONY: test
test: test-rust test-python test-matrix ## Run all tests: Rust, Python on the newest FastAPI, Python on the matrix

.PHONY: lint
lint: lint-sources lint-rust lint-python ## Check format, style, types, stubs and the direction of dependencies

.PHONY: bench
bench: wheel ## Run the benchmarks on a release build; more arguments in BENCH
	@echo "Benchmarks: needs a machine with nothing else to do."
	@$(VENV_PYTHON) benches/run.py $(BENCH)

.PHONY: fuzz
fuzz: cargo ## Fuzz FUZZ, or every target, for FUZZ_TIME seconds each; guided by coverage if cargo-bolero is there
	@targets="$(FUZZ)"; \
	targets=$${targets:-$$(cargo test --quiet --locked -p fast-cache-fuzz -- --list | sed -n 's/: test$$//p')}; \
	for target in $$targets; do \
		echo "Fuzzing $$target for $(FUZZ_TIME) s"; \
		if cargo bolero --version >/dev/null 2>&1; then \
			corpus="$(CURDIR)/target/fuzz/corpus/$$target"; \
			mkdir -p "$$corpus" && cp -r fuzz/targets/__fuzz__/$$target/corpus/. "$$corpus"; \
			cargo bolero test -p fast-cache-fuzz $$target --rustc-bootstrap --sanitizer NONE \
				-T $(FUZZ_TIME)s -l 2000 --corpus-dir "$$corpus"; \
		else \
			BOLERO_RANDOM_ITERATIONS=1000000000 BOLERO_RANDOM_TEST_TIME_MS=$(FUZZ_TIME)000 \
				cargo test --quiet --locked --profile fuzz -p fast-cache-fuzz -- --exact $$target; \
		fi; \
	done

.PHONY: model
model: cargo wheel ## Play the stateful models of both hosts for STEPS steps, from the seed SEED on
	@echo "The model of the tower host"
	@FAST_CACHE_STEPS=$(STEPS) FAST_CACHE_SEED=$(SEED) \
		cargo test --quiet --locked --profile fuzz -p fast-cache-tower --test model
	@echo "The model of the ASGI host"
	@FAST_CACHE_STEPS=$(STEPS) FAST_CACHE_SEED=$(SEED) \
		$(VENV_PYTHON) -m pytest -q tests/safety/test_model_steps.py

.PHONY: format
format: venv-lint ## Format the Rust and Python sources
	cargo fmt --all
	$(LINT_VENV)/bin/ruff format
	$(LINT_VENV)/bin/ruff check --fix

.PHONY: public-api
public-api: cargo ## Write down the public API of the Rust crate, which `make lint` compares
	@$(PYTHON) scripts/public_api.py --write

.PHONY: check-msrv
check-msrv: cargo ## Check that everything compiles with the oldest supported Rust
	@$(PYTHON) scripts/check_elsewhere.py msrv

.PHONY: check-systems
check-systems: cargo ## Check that the crates compile for macOS and Windows, types only
	@$(PYTHON) scripts/check_elsewhere.py systems

.PHONY: clean
clean: ## Remove whatever the other verbs made
	rm -rf target dist build .venv .venvs .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python tests examples benches scripts -name __pycache__ -prune -exec rm -rf {} +
	find python -name '*.so' -delete

# -- steps ------------------------------------------------------------------------------------------------------------

# The binding has no Rust tests: its Python symbols exist only inside an interpreter, where the Python tests run it.
.PHONY: test-rust
test-rust: cargo ## Run the Rust tests and doc tests
	@echo "Rust tests"
	@redis=$$($(PYTHON) scripts/redis_server.py .cache/redis); \
	packages="--workspace --exclude fast-cache-python"; \
	if [ "$$redis" = none ]; then packages="$$packages --exclude fast-cache-redis"; else export REDIS_SERVER="$$redis"; fi; \
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked $$packages --all-features; \
	else \
		cargo test --locked $$packages --all-features --lib --bins --tests; \
	fi
	@echo "Rust tests of the tower host, feature by feature"
	@for features in "" tokio axum; do \
		cargo test --quiet --locked -p fast-cache-tower --no-default-features --features "$$features" \
			--lib --test bodies --test safety --test scenarios; \
	done
	@echo "Rust tests under many orders of threads"
	@RUSTFLAGS="--cfg shuttle" cargo test --quiet --locked -p fast-cache-engine --lib --target-dir target/shuttle
	@echo "Rust doc tests"
	@cargo test --locked --workspace --all-features --exclude fast-cache-python --doc

.PHONY: test-python
test-python: wheel ## Run the Python tests on the newest FastAPI; more arguments in PYTEST
	@echo "Python tests on the newest FastAPI"
	@$(VENV_PYTHON) -m pytest -q $(PYTEST)

.PHONY: test-matrix
test-matrix: wheel ## Run the Python tests on the versions in MATRIX
	@echo "Python tests on: $(MATRIX)"
	@$(PYTHON) scripts/test_matrix.py --select "$(MATRIX_SELECT)" dist/*.whl $(MATRIX)

.PHONY: lint-sources
lint-sources: cargo ## Check file sizes and the direction of dependencies
	@$(PYTHON) scripts/check_file_sizes.py
	@$(PYTHON) scripts/check_architecture.py
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --locked check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: licenses and sources of dependencies are not checked."; \
	fi

.PHONY: lint-rust
lint-rust: cargo ## Check the Rust sources with rustfmt and clippy
	@echo "rustfmt"
	@cargo fmt --all --check
	@echo "clippy"
	@cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	@echo "clippy, feature by feature"
	@for features in "" tokio axum; do \
		cargo clippy --locked --package fast-cache-tower --all-targets --no-default-features --features "$$features" -- -D warnings; \
	done
	@echo "rustdoc"
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --package fast-cache-tower --all-features
	@$(PYTHON) scripts/public_api.py

.PHONY: lint-python
lint-python: wheel venv-lint ## Check the Python sources with ruff and mypy, and the stubs against the binary
	@echo "ruff"
	@$(LINT_VENV)/bin/ruff check
	@$(LINT_VENV)/bin/ruff format --check
	@echo "mypy"
	@$(LINT_VENV)/bin/mypy
	@echo "stubtest"
	@$(LINT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
	@$(LINT_VENV)/bin/python -m mypy.stubtest --mypy-config-file pyproject.toml fast_cache_middleware._core

# The wheel, built once and installed into $(VENV). Cargo decides what there is to do.
.PHONY: wheel
wheel: cargo ## Build the wheel into dist/ and install it into .venv
	@$(PYTHON) scripts/environment.py $(VENV) -r requirements/build.txt -r requirements/test.txt
	@echo "Building the wheel (release; the first time takes a minute or two)"
	@rm -rf dist && $(VENV_PYTHON) -m maturin build --quiet --release --locked --compatibility off --interpreter $(VENV_PYTHON) --out dist
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
	@$(VENV_PYTHON) -m pip list --disable-pip-version-check 2>/dev/null | grep -iE '^(fast-cache-middleware|fastapi|starlette|uvicorn) '

.PHONY: venv-lint
venv-lint:
	@$(PYTHON) scripts/environment.py $(LINT_VENV) -r requirements/lint.txt

.PHONY: port-free
port-free:
	@$(PYTHON) scripts/check_port.py 127.0.0.1 8000

.PHONY: cargo
cargo:
	@cargo --version >/dev/null 2>&1 || { echo "Rust is needed: install it with rustup (https://rustup.rs)."; exit 1; }
