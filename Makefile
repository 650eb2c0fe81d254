GO ?= go

# What `make test` and `make search` leave out or go on for.
SEARCH_TIMEOUT ?= 12h
# One scenario is searched at a time, by two processors. 20 million states of it are
# up to 7 GB of memory; all scenarios take a quarter of an hour.
SEARCH_MAX ?= 20000000
COHERENCE_FOR ?= 60s
SEEDS ?= 100
# Virtual minutes of faults in each run of TestSim (0: as its seed says); real
# minutes of make chaos (0: every trial once).
MINUTES ?= 0
FUZZTIME ?= 30s

.PHONY: test
test: ## everything that has to be green
	$(GO) vet ./...
	$(GO) vet -tags faults,fewslots ./cluster ./internal/wire
	cd bench && $(GO) vet ./...
	$(GO) test -race -count=1 -timeout 5m $$($(GO) list ./... | grep -v -e /cluster$$ -e /internal/chaos$$)
	$(GO) test -race -tags fewslots -short -count=1 -timeout 8m -skip '^TestSim' ./cluster -coherence.for 3s
	$(GO) test -count=1 -run 'Ring|Rout|Joins?And|Memory|Thousand|DeletedIsGone|Conversation|WithCallsInTime' ./cluster
	$(MAKE) -j2 --output-sync=target test-simulated
	$(GO) test -tags faults,fewslots -count=1 -v -run 'TestCoherenceNeedsRules' ./cluster
	$(GO) test -count=1 -v ./internal/chaos # alone: its processes need the processors

# In virtual time it makes no difference what else the machine does.
.PHONY: test-simulated test-simulated-race test-simulated-faults
test-simulated: test-simulated-race test-simulated-faults
test-simulated-race:
	$(GO) test -race -tags fewslots -short -count=1 -timeout 10m -run '^TestSim' ./cluster -sim.for 2s
	$(GO) test -count=1 -v -run 'TestSearch$$|TestRulesNeeded|TestReductions|TestFenceIsNeeded' ./internal/protocol
	$(GO) test -count=1 -timeout 3m -run 'TestSimSplit/.*25m' ./cluster
test-simulated-faults:
	$(GO) test -tags faults,fewslots -count=1 -v -run 'TestSimNeedsRules|TestSimFindsFaults' ./cluster
	$(GO) test -tags fewslots -count=1 -timeout 4m -v -run 'TestSim$$' ./cluster -sim.from 1 -sim.seeds 200
	$(GO) test -tags fewslots -count=1 -timeout 5m -v -run 'TestSimSplit|TestSimFlapping|TestSimFence$$|TestSimRolling|TestSimStuckMember|TestSimLeaveInTime|TestSimManyNodes|TestSimGrowth|TestSimFenceDelays' ./cluster -sim.for 4s

.PHONY: sim
sim: ## whole clusters in simulation, SEEDS scenarios of each kind
	$(GO) test -tags fewslots -count=1 -timeout 24h -v -run TestSim ./cluster -sim.seeds $(SEEDS) -sim.minutes $(MINUTES)

.PHONY: chaos
chaos: ## real processes are killed, stopped, restarted and cut apart for MINUTES
	$(GO) run ./internal/chaos -go "$(GO)" -minutes $(MINUTES)

.PHONY: demo
demo: ## three nodes as three processes play a story and check it
	$(GO) run ./internal/demo -go "$(GO)"

.PHONY: up
up: ## the same three nodes, kept running
	$(GO) run ./internal/demo -go "$(GO)" -up

.PHONY: search
search: ## the search through all interleavings, to the end or SEARCH_MAX states each (0: no limit)
	$(GO) test -count=1 -timeout $(SEARCH_TIMEOUT) -v -run 'TestSearch|TestRulesNeeded' ./internal/protocol -search.full -search.max $(SEARCH_MAX)

.PHONY: coherence
coherence: ## random calls on nodes that come and go for COHERENCE_FOR, checked
	$(GO) test -race -count=1 -timeout 2h -v -run 'TestCoherence$$' ./cluster -coherence.for $(COHERENCE_FOR)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

.PHONY: lint
lint: ## needs gofumpt, staticcheck and govulncheck
	test -z "$$(gofumpt -l .)"
	$(GO) vet ./...
	staticcheck ./...
	cd bench && $(GO) vet ./... && staticcheck ./...
	govulncheck ./...
