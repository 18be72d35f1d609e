#!/usr/bin/env bash
# Makes both files of a new migration: ./scripts/create-migration.sh "add_user_settings_table"
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

ensure_venv
exec .venv/bin/inv db.new "$@"
