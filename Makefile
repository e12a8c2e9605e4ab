# The two commands a newcomer needs: `make run` and `make test`. Both set everything up first; the rest is for developers.
# Another Python: make PYTHON=/path/to/python3.12 run

PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BOOTSTRAP = $(if $(PYTHON),$(PYTHON),$(error Nashboard needs Python 3.11 or 3.12 (Debian: apt-get install python3.11 python3.11-venv))) \
	packaging/bootstrap.py

.PHONY: run setup test lint bench soak screenshots package smoke freeze clean help

run:  ## set up, then open the console (ARGS="match.nets" opens a file, ARGS="demo" runs the demo)
	@$(BOOTSTRAP) run $(ARGS)

setup:  ## set up and do nothing else
	@$(BOOTSTRAP) setup

test:  ## set up, then every check: ruff, mypy, import-linter, forge, pytest (ARGS="-k name" goes to pytest)
	@$(BOOTSTRAP) test $(ARGS)

lint:  ## the checks that run nothing: ruff, mypy, import-linter
	@$(BOOTSTRAP) lint

bench:  ## ours against the plain way and the best library, in the same run
	@$(BOOTSTRAP) exec -m app bench league
	@$(BOOTSTRAP) exec -m app bench games
	@$(BOOTSTRAP) exec -m app bench chain
	@$(BOOTSTRAP) exec -m app bench consensus
	@$(BOOTSTRAP) exec -m app bench learning
	@$(BOOTSTRAP) exec -m app bench gui

soak:  ## everything at once for half an hour in the console, and what grows is named (ARGS="5 --window" for 5 minutes)
	@$(BOOTSTRAP) exec tests/soak.py $(if $(ARGS),$(ARGS),30 --window)

screenshots:  ## pictures of every page, both themes, two sizes, into build/screenshots
	@$(BOOTSTRAP) exec -m app.screenshots --out build/screenshots

package:  ## what operators install, into dist/: a folder, archives with sums, Debian packages (ARGS="--fast" packs little)
	@$(BOOTSTRAP) exec packaging/build.py $(ARGS)

smoke:  ## try what `make package` built where there is no Python
	@$(BOOTSTRAP) exec packaging/smoke.py dist/nashboard

freeze:  ## write constraints.txt from what is installed
	@$(BOOTSTRAP) exec packaging/freeze.py

clean:  ## remove everything that set-up, tests and builds made
	rm -rf .venv contracts/node_modules contracts/out contracts/cache build dist .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache
	find app widgets engine tests assets packaging -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14
