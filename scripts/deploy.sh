#!/usr/bin/env bash
# Migrate an environment and show its last five migrations: ./scripts/deploy.sh staging
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/deploy.sh ENVIRONMENT [FLAGS]

Migrates an environment, then shows its last five migrations. FLAGS are those of `inv db.migrate`:
  --upload   run the files of this checkout, for a database that must change before the app is deployed
  --yes      confirm in advance, where a guarded environment asks for confirmation
  --start    start a machine if none is started

The app on Fly is FLY_APP_<ENVIRONMENT>; APP_NAME overrides it.
Exit codes are those of `inv db.migrate`: 0 done, 1 failed, 2 wrong usage, 3 refused.
END
}

exit_if_help_requested "$@"
case ${1:-} in
'' | -*)
    print_usage >&2
    exit 2
    ;;
esac
environment=$1
shift

if [[ -n ${APP_NAME:-} ]]; then
    name=$(tr 'a-z-' 'A-Z_' <<<"$environment")
    [[ $name =~ ^[A-Z0-9_]+$ ]] || fail "APP_NAME names one app, but '$environment' is not one environment." \
        "Unset APP_NAME, or name a single environment."
    export "FLY_APP_$name=$APP_NAME"
fi

ensure_venv
echo "🔄 Running database migrations on $environment"
.venv/bin/inv db.migrate --env="$environment" "$@"
echo
exec .venv/bin/inv db.status --env="$environment" --limit=5
