#!/usr/bin/env bash
# Migrate an environment and show its last five migrations: ./scripts/deploy.sh staging
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/deploy.sh ENVIRONMENT [FLAGS]

Migrates an environment, then shows its last five migrations. Around the deployment of the app:
  --upload         before it: run the files of this checkout, except those marked `-- migrate: after-deploy`
  --after-deploy   after it: run what is still pending, from the image of the app

Other FLAGS are those of `inv db.migrate`:
  --yes            confirm in advance, where a guarded environment asks for confirmation
  --start          start a machine if none is started

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

uploads='' after='' flags=()
for flag in "$@"; do
    case $flag in
    --upload) uploads=1 flags+=(--upload --before-deploy) ;;
    --after-deploy) after=1 ;;
    *) flags+=("$flag") ;;
    esac
done
if [[ -n $uploads && -n $after ]]; then
    printf 'ERROR: %s\n' "--upload is for before the deployment, --after-deploy for after it: use one of them." >&2
    exit 2
fi

if [[ -n ${APP_NAME:-} ]]; then
    name=$(tr 'a-z-' 'A-Z_' <<<"$environment")
    [[ $name =~ ^[A-Z0-9_]+$ ]] || fail "APP_NAME names one app, but '$environment' is not one environment." \
        "Unset APP_NAME, or name a single environment."
    export "FLY_APP_$name=$APP_NAME"
fi

ensure_venv
echo "🔄 Running database migrations on $environment"
.venv/bin/inv db.migrate --env="$environment" ${flags[@]+"${flags[@]}"}
echo
exec .venv/bin/inv db.status --env="$environment" --limit=5
