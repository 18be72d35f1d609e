#!/usr/bin/env bash
# Check style and types and run the tests: ./scripts/test.sh
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/test.sh [PYTEST ARGUMENTS]

Checks style (ruff) and types (mypy), then runs all tests (pytest). With arguments, only runs pytest with these arguments:
  ./scripts/test.sh tests/console -k words

Tests that depend on the version of PostgreSQL run on the newest and on the oldest server that is present. After
./scripts/download-servers.sh, this runs only these tests, on other versions:
  ./scripts/test.sh --majors=15,16,17
END
}

exit_if_help_requested "$@"
ensure_venv dev
if [[ $# -eq 0 ]]; then
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/mypy
fi
exec .venv/bin/python -m pytest "$@"
