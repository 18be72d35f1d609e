#!/usr/bin/env bash
# From a fresh clone to a migrated and seeded database. Run again, it changes nothing.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

ensure_venv
.venv/bin/inv db.migrate db.seed db.status

cat <<'END'

✅ Your database is ready. What next:

   source .venv/bin/activate              so that the shell knows inv
   inv db.status                          what is applied and what is pending
   inv db.new add_user_settings_table     a new migration, up and down
   inv db.migrate                         apply what is pending
   inv db.rollback                        undo the newest one
   inv --list                             all commands
   ./scripts/test.sh                      style, types and tests
END
