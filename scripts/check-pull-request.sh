#!/usr/bin/env bash
# Check the migrations of a pull request; action.yml runs this script, and other CI systems can.
set -euo pipefail
repository=$PWD
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"
tool=$PWD

print_usage() {
    cat <<'END'
Usage: ./scripts/check-pull-request.sh [--base=REVISION] [--migrations=DIR] [--seeds=DIR] [VERIFY OPTION ...]

Run it in the root of the repository. It compares the order of the new migrations with the base, migrates an empty database as
the base does, prints the plan for the pending migrations, draws the tables that they change (in the job's summary), verifies
them (inv db.verify, with these options) and reviews them (inv db.lint), and if everything was right applies them with the seeds. The database is the embedded
PostgreSQL, or that of DATABASE_URL.
REVISION is the base branch (HEAD^1, which it is on the merge commit of a pull request on GitHub). DIR are the folders of the
migrations and the seeds (migrations, seeds). The exit code is that of the first check that failed.
END
}

inv() {
    (cd -- "$repository" && "$tool/.venv/bin/inv" --search-root="$tool" "$@")
}

# Runs a command; its output becomes a section of the job's summary. Keeps the first exit code that is not 0.
# An indented block, because no text in it can end it. A line that begins with :: is an annotation for GitHub.
check() {
    local title=$1 status=0
    shift
    inv "$@" >"$temporary/output" 2>&1 || status=$?
    cat "$temporary/output"
    {
        printf '## %s\n\n' "$title"
        sed -e '/^::/d' -e 's/^/    /' "$temporary/output"
        printf '\n'
    } >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    [[ $code -ne 0 ]] || code=$status
}

# Adds a diagram of the tables that the pending migrations change to the job's summary, which GitHub limits to 1 MiB. It is no check:
# the reason why nothing can be drawn is an error of the plan or of verify too, and only there an annotation.
draw() {
    local summary=${GITHUB_STEP_SUMMARY:-/dev/null}
    if ! inv db.diagram --changed --output="$temporary/diagram.md" >"$temporary/output" 2>&1; then
        sed -e '/^::/d' "$temporary/output"
        printf 'The tables that change could not be drawn: the log has the reason.\n\n' >>"$summary"
    elif [[ $(wc -c <"$temporary/diagram.md") -gt 500000 ]]; then
        printf 'The diagram is too large for this page: inv db.diagram --changed --output changes.md\n\n' >>"$summary"
    else
        cat "$temporary/diagram.md" >>"$summary"
        printf '\n' >>"$summary"
    fi
}

exit_if_help_requested "$@"
base=HEAD^1 migrations=migrations seeds=seeds
while [[ $# -gt 0 ]]; do
    case $1 in
    --base=?*) base=${1#*=} ;;
    --migrations=?*) migrations=${1#*=} ;;
    --seeds=?*) seeds=${1#*=} ;;
    *) break ;;
    esac
    shift
done
ensure_venv
temporary=$(mktemp -d)
trap 'rm -rf -- "$temporary"' EXIT
export MIGRATIONS_DIR=$repository/$migrations SEEDS_DIR=$repository/$seeds
code=0

check "Order of the new migrations" db.check-order --base="$base"
if git -C "$repository" cat-file -e "$base:$migrations" 2>/dev/null; then
    git -C "$repository" archive "$base" -- "$migrations" | tar -x -C "$temporary"
    MIGRATIONS_DIR=$temporary/$migrations inv db.migrate
fi
check "Migrations of this pull request" db.migrate --dry-run
draw
check "Findings of verify" db.verify "$@"
check "Findings of lint" db.lint
if [[ $code -eq 0 ]]; then
    inv db.migrate db.seed db.status
fi
exit "$code"
