#!/usr/bin/env bash
# Style, types and tests; with arguments, pytest alone with these arguments.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

ensure_venv
if [[ $# -eq 0 ]]; then
    .venv/bin/ruff check
    .venv/bin/ruff format --check
    .venv/bin/mypy
fi
exec .venv/bin/python -m pytest "$@"
