# Nimbus. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BIN := bin/nimbus

# Everything is compiled with the flags of the shipped program, so that all targets share the build cache.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS 2>/dev/null) -trimpath)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: dashboard ## build bin/nimbus, with the dashboard when Node.js is there
	$(GO) build -ldflags '-s -w -X main.buildVersion=$(VERSION)' -o $(BIN) ./cmd/nimbus

.PHONY: dashboard
dashboard:
	@sh scripts/build-dashboard.sh
	@sh scripts/pack-sdk.sh
	@sh scripts/pack-python.sh

.PHONY: chromium
chromium: ## install Chromium for the browser tests if there is none
	@sh scripts/fetch-chromium.sh

.PHONY: postgres
postgres: ## install PostgreSQL's server programs if there are none
	@sh scripts/fetch-postgres.sh

.PHONY: redis
redis: ## install redis-server, which the tests start, if there is none
	@sh scripts/fetch-redis.sh

.PHONY: python
python: ## install Python 3 with pip and venv, with which the Python SDK is tested, if there is none
	@sh scripts/fetch-python.sh

.PHONY: jdk
jdk: ## install a JDK and Maven, with which the SDK for Kotlin is built and tested, if there are none
	@sh scripts/fetch-jdk.sh

# It takes a minute, so that build does without. What is compiled anew as a whole is the same bytes wherever it is built.
.PHONY: sdk-kotlin
sdk-kotlin: jdk ## build the SDK for Kotlin; the next build of bin/nimbus serves it as a Maven repository
	@sh scripts/maven.sh -Dmaven.test.skip -Dkotlin.compiler.incremental=false package
	@$(GO) run ./sdk/mavenrepo -project sdk/kotlin -out sdk/dist

.PHONY: demo
demo: postgres build ## run Nimbus with a demo account, a project and events; stays up
	@NIMBUS_LOG_LEVEL=$${NIMBUS_LOG_LEVEL:-warn} NIMBUS_DATA_DIR=$${NIMBUS_DATA_DIR:-data/demo} ./$(BIN) demo

.PHONY: run
run: postgres build ## run an empty Nimbus
	./$(BIN) serve

.PHONY: generate
generate: ## generate gen/ and the SDKs from the contract, the SQL and the tracker
	@sh scripts/generate.sh

# Two at a time: a browser, a database and a test program keep each other waiting, and two cores would be idle for a third of the
# time. Python and the build come before: what is packed while test-go compiles would change what it embeds.
LANE_1 := test-go test-python
LANE_2 := test-frontend test-ts test-sdk-go test-kotlin
.PHONY: test test-lane-1 test-lane-2
test: python build ## run every test
	@$(MAKE) --no-print-directory -j2 test-lane-1 test-lane-2
test-lane-1:
	@for target in $(LANE_1); do $(MAKE) --no-print-directory $$target || exit 1; done
test-lane-2:
	@for target in $(LANE_2); do $(MAKE) --no-print-directory $$target || exit 1; done

# Packages with shared state run under the race detector, which needs a compilation of its own. Of internal/app only
# the tests with concurrency do.
RACED := access/accounts access/auth access/idempotency access/projects events/history events/ingest events/partitions httpapi live \
	platform/bus platform/embedded platform/jobs platform/postgres platform/ratelimit platform/redis platform/turns

# make verify runs vet. Without debug tables a test program links in half the time. The time-out ends a test that
# hangs; it is long because a machine may be very slow.
# More tests run side by side than there are cores, because many wait for what they have broken.
TEST := $(GO) test -vet=off -ldflags '-s -w' -timeout 30m -parallel 4
RACE := CGO_ENABLED=1 $(TEST) -race

.PHONY: test-go
test-go: postgres redis node_modules chromium
	$(RACE) $(RACED:%=./internal/%)
	$(RACE) -run 'Once|Nodes|Stop|Storm|Stream|Trac|Away' ./internal/app
	$(TEST) $$($(GO) list ./... $(RACED:%=| grep -v '/internal/%$$'))

.PHONY: test-sdk-go
test-sdk-go: node_modules
	cd sdk/go && $(RACE) ./...
	cd tools && $(TEST) ./...

.PHONY: test-ts
test-ts: node_modules postgres chromium
	npm test --workspaces --if-present

.PHONY: test-python
test-python: python postgres build ## the Python SDK, against the server that misbehaves and the real program
	cd sdk/python && NIMBUS_BIN=$(CURDIR)/$(BIN) PYTHONPATH=src python3 -m unittest

# The tests have their own copy of the server: that of bin may be older, and need not have the dashboard.
.PHONY: test-kotlin
test-kotlin: jdk postgres ## the SDK for Kotlin, against the server that misbehaves and the real program, and installed from it
	@sh scripts/maven.sh package
	$(GO) run ./sdk/mavenrepo -project sdk/kotlin -out sdk/kotlin/target/dist
	$(TEST) -tags kotlin -run Kotlin ./examples

.PHONY: test-frontend
test-frontend: chromium postgres python build ## the dashboard in a real browser, against the real program
	cd frontend && NIMBUS_BIN=$(CURDIR)/$(BIN) npm run --silent e2e

node_modules: package-lock.json
	@sh scripts/npm-ci.sh
	@touch node_modules

.PHONY: verify
verify: postgres node_modules ## regenerate and compare, lint everything, check for breaking changes
	@sh scripts/verify.sh

.PHONY: bench
bench: postgres build ## measure, and print the tables of docs/benchmarks.md (EVENTS=10000000; LIVE=10000 for streams; OLD=another binary)
	@for nimbus in $(OLD) $(BIN); do echo "$$nimbus"; \
		$(GO) run ./test/bench/cmd -nimbus "$$nimbus" $(if $(EVENTS),-events $(EVENTS)) $(if $(LIVE),-live $(LIVE)) || exit 1; done

.PHONY: bench-parts
bench-parts: postgres ## ask parts and the events themselves the same questions (EVENTS=1000000; BIG=1 for 100 million; PEERS=a Python with chdb asks ClickHouse, too)
	$(GO) test ./internal/behaviour/build -run '^$$' -bench Questions -benchtime 5x -timeout 6h \
		-events $(if $(BIG),100000000,$(or $(EVENTS),1000000)) $(if $(PEERS),-peers $(PEERS))

.PHONY: crash
crash: postgres build ## kill server and database CYCLES times (200) under load, and look for lost events
	@$(GO) run ./test/crash/cmd -nimbus $(BIN) -cycles $(or $(CYCLES),200) $(if $(SEED),-seed $(SEED))

.PHONY: flaky
flaky: postgres redis ## run the tests that depend on order or time COUNT times (20) on a loaded machine
	@sh scripts/flaky.sh $(or $(COUNT),20) $(or $(PACKAGES),$(RACED:%=./internal/%) ./internal/app)

.PHONY: fuzz
fuzz: postgres ## run each fuzz target for FUZZTIME (30s)
	@sh scripts/fuzz.sh

.PHONY: schemathesis
schemathesis: postgres build ## fuzz every operation with Schemathesis (needs Python 3; EXAMPLES=50 each)
	@sh scripts/schemathesis.sh

.PHONY: clean
clean: ## remove all build output (data/ stays)
	rm -rf bin node_modules sdk/kotlin/target sdk/typescript/dist sdk/typescript/dist-test examples/react-app/dist frontend/test-results
	find frontend/dist sdk/dist -mindepth 1 ! -name .gitkeep -delete
