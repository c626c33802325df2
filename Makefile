# The one task runner. `make run` and `make test` work on a fresh Debian 12 machine with git, make, apt and root.
# PRESET picks a preset of CMakePresets.json for build and test, e.g. `make test PRESET=asan`.
PRESET ?= dev
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600

.PHONY: run test build check fmt bench bench-peers fuzz e2e e2e-pictrs release deb coverage setup setup-test setup-bench clean
.DEFAULT_GOAL := build

setup:
	@tools/setup
setup-test:
	@tools/setup test
setup-bench:
	@tools/setup bench

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json $(wildcard cmake/*.cmake)
	@cmake --preset $(PRESET) >/dev/null

build: setup-test $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS)

run: setup
	@tools/run

test: build
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

e2e: build
	@ctest --test-dir $(BUILD) --output-on-failure -L e2e

check: setup-test $(BUILD)/build.ninja
	@tools/check $(BUILD)

fmt: setup-test
	@git ls-files '*.cc' '*.h' | xargs -r clang-format-19 -i

bench: setup-bench
	@cmake --preset bench >/dev/null && cmake --build build/bench -j $(JOBS)
	@bench/run build/bench

# Portcullis and pict-rs 0.5.19 side by side: make bench-peers PICTRS=/path/to/pict-rs
bench-peers:
	@python3 e2e/pict_rs.py "$(PICTRS)"
	@tools/setup test
	@cmake --preset bench >/dev/null && cmake --build build/bench -j $(JOBS) --target portcullis portcullis-decoder
	@bench/run --peers build/bench "$(PICTRS)"

# The tests that ask a pict-rs, with a real one: make e2e-pictrs PICTRS=/path/to/pict-rs
e2e-pictrs: build
	@python3 e2e/pict_rs.py "$(PICTRS)"
	@PICTRS="$(PICTRS)" .deps/venv/bin/python -m pytest -q -p no:cacheprovider --binary $(BUILD) \
	  e2e/test_import.py e2e/test_pict_rs_imposter.py

fuzz: setup-test
	@cmake --preset fuzz >/dev/null && cmake --build build/fuzz -j $(JOBS)
	@tools/fuzz build/fuzz $(FUZZ_SECONDS)

release: setup
	@cmake --preset release >/dev/null && cmake --build build/release -j $(JOBS)
	@echo "build/release/portcullis is ready; try: build/release/portcullis init --data ./data"

# build/release/portcullis_VERSION_ARCHITECTURE.deb
deb:
	@tools/setup deb
	@cmake --preset release >/dev/null && cmake --build build/release -j $(JOBS)
	@cpack --config build/release/CPackConfig.cmake -B build/release
	@rm -rf build/release/_CPack_Packages

coverage: setup-test
	@cmake --preset coverage >/dev/null && cmake --build build/coverage -j $(JOBS)
	@tools/coverage build/coverage

clean:
	@rm -rf build
