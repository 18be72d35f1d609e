#!/usr/bin/env bash
# Write requirements.lock and requirements-dev.lock: ./scripts/lock.sh
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/lock.sh [UV ARGUMENTS]

Writes requirements.lock from requirements.txt, and requirements-dev.lock from the dependency group `dev` of pyproject.toml: all
packages with their dependencies and hashes, for Linux and macOS and each supported Python. Locked versions stay as they are
where they still fit; newer ones of dependencies: ./scripts/lock.sh --upgrade
END
}

# Usage: lock FILE SOURCE...
lock() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-annotate \
        --custom-compile-command ./scripts/lock.sh --output-file "$@"
}

exit_if_help_requested "$@"
ensure_venv dev
lock requirements.lock "$@" requirements.txt
lock requirements-dev.lock "$@" --constraint requirements.lock --group dev
