# Everything a person types: `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
TEST_TOOLS = postgres chromium zbarimg pdftoppm
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help run build generate assets test test-tools check bench

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

run: build ## build and serve on the embedded database; prints the link to open
	./bin/doorplate serve

build: ## build ./bin/doorplate
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/doorplate ./cmd/doorplate

generate: ## write the Go code of the templates
	$(GO) tool templ generate

assets: ## fetch the third-party styles, scripts, icons and fonts anew (needs npm and network)
	sh static/vendor.sh
	sh internal/paper/font/fonts.sh

test-tools: ## install what the tests need and this machine lacks
	@.ci/tools

test: test-tools ## run every test on both databases
	$(GO) run ./internal/testkit/withpg $(GO) test -race -timeout 24m ./web ./... # the longest first: it fills a slot while the others take turns

check: ## gofmt, vet, staticcheck, generated code up to date, import table
	@.ci/check

bench: ## print the measured ratios
	$(GO) run ./internal/testkit/withpg $(GO) test -run '^$$' -bench . -benchtime 1x ./internal/bench
