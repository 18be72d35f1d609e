#!/usr/bin/env bash
# Put this tool into another repository, or upgrade it there: ./scripts/install-into.sh ../shop
set -euo pipefail
caller=$PWD
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/install-into.sh PATH [--dry-run] [--overwrite]

Writes the tool into the repository in PATH: the package tasks/, tasks.py, scripts/ and requirements-migrations.*. Nothing that is
there is changed: where a name is taken, the tool uses another one. Running it again upgrades the tool.
  --dry-run     show what would be done
  --overwrite   replace installed files that were edited there
END
}

exit_if_help_requested "$@"
paths=0
for argument in "$@"; do
    case $argument in
    --dry-run | --overwrite) ;;
    '' | -*) paths=-1 && break ;;
    *) paths=$((paths + 1)) ;;
    esac
done
if [[ $paths -ne 1 ]]; then
    print_usage >&2
    exit 2
fi
ensure_venv
exec .venv/bin/python -m tasks.installation --relative-to="$caller" "$@"
