#!/usr/bin/env bash
# Set up a fresh clone: .venv, the local database, its schema and its data. Running it again changes nothing.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/onboard.sh

Installs the requirements into .venv, then starts the local PostgreSQL in .postgres, applies all migrations and loads the
seed data. Running it again applies only what is new. With DATABASE_URL set, it uses that database instead.
END
}

exit_if_help_requested "$@"
if [[ $# -ne 0 ]]; then
    print_usage >&2
    exit 2
fi
ensure_venv
.venv/bin/inv db.migrate db.seed db.status

printf '\n✅ Your database is ready'
# A URL of the environment may have a password that a log of CI must not show.
if [[ -z ${DIRECT_DATABASE_URL:-}${DATABASE_URL:-} ]]; then
    printf '. Its URL, for the application or a GUI:\n\n   %s\n\nNext steps:\n' "$(.venv/bin/inv db.url)"
else
    printf '. Next steps:\n'
fi
cat <<'END'

   source .venv/bin/activate              put inv on the PATH of this shell
   inv db.psql                            connect with psql
   inv db.url                             print the URL of the database
   inv db.status                          show applied and pending migrations
   inv db.new add_user_settings_table     create a migration (up and down file)
   inv db.migrate                         apply pending migrations
   inv db.rollback                        undo the newest migration
   inv                                    list all commands
END
if [[ -x scripts/test.sh ]]; then
    echo "   ./scripts/test.sh                      check style and types, run the tests"
fi
