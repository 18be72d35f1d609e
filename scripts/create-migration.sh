#!/usr/bin/env bash
# Create both files of a new migration: ./scripts/create-migration.sh "add_user_settings_table"
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/create-migration.sh [--edit] DESCRIPTION

Creates both files of a new migration, YYYYMMDDHHMMSS_description.sql in migrations/up and in migrations/down, from the
template that matches the description. With --edit, it opens them in the editor of VISUAL or EDITOR. It does the same as
`inv db.new`.
END
}

exit_if_help_requested "$@"
case ${1:-} in
'' | -*)
    print_usage >&2
    exit 2
    ;;
esac
ensure_venv
exec .venv/bin/inv db.new "$@"
