#!/usr/bin/env bash
# Migrates an environment and shows the last five migrations: ./scripts/deploy.sh staging
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

explain() {
    cat <<'END'
Usage: ./scripts/deploy.sh ENVIRONMENT [FLAGS]

Migrates an environment, then shows its last five migrations. FLAGS are those of `inv db.migrate`:
  --upload   run this checkout's files, for a database that must change before the app is deployed
  --yes      agree beforehand to what a guarded environment asks
  --start    start a machine where none is started

The app on Fly is FLY_APP_<ENVIRONMENT>, or APP_NAME where that is set.
Exits as `inv db.migrate` does: 0 done, 1 failed, 2 wrong usage, 3 refused.
END
}

case ${1:-} in
-h | --help)
    explain
    exit
    ;;
'' | -*)
    explain >&2
    exit 2
    ;;
esac
environment=$1
shift

if [[ -n ${APP_NAME:-} ]]; then
    name=$(tr 'a-z-' 'A-Z_' <<<"$environment")
    [[ $name =~ ^[A-Z0-9_]+$ ]] || fail "APP_NAME is one app, and $environment is not one environment." "Unset APP_NAME, or name one."
    export "FLY_APP_$name=$APP_NAME"
fi

ensure_venv
echo "🔄 Running database migrations on $environment"
.venv/bin/inv db.migrate --env="$environment" "$@"
echo
exec .venv/bin/inv db.status --env="$environment" --limit=5
