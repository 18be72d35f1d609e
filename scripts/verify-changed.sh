#!/usr/bin/env bash
# Verify the migrations that a commit changes. The hook verify-migrations of .pre-commit-hooks.yaml runs this script.
set -euo pipefail
repository=$PWD
source "$(dirname -- "${BASH_SOURCE[0]}")/venv.sh"

print_usage() {
    cat <<'END'
Usage: ./scripts/verify-changed.sh [--migrations=DIR] [FILE ...]

Verifies the migrations among these files, and those whose down file is removed by the commit: up, down and up again on a scratch
database (inv db.verify --only). Without any, it does nothing. Run it in the root of the repository that contains the files.
DIR is the folder with up/ and down/ (MIGRATIONS_DIR, or migrations).
END
}

# Adds the version of a file, relative to the root of the repository, if it is a migration that still has an up file.
add_version() {
    local version=${1##*/}
    version=${version%.sql}
    case $1 in
    "$folder"/up/*.sql | "$folder"/down/*.sql | "$folder"/[0-9]*.sql) ;;
    *) return 0 ;;
    esac
    if [[ $version != [._]* && (-e $repository/$folder/up/$version.sql || -e $repository/$folder/$version.sql) &&
        ,$versions, != *,"$version",* ]]; then
        versions=${versions:+$versions,}$version
    fi
}

exit_if_help_requested "$@"
folder=${MIGRATIONS_DIR:-migrations}
if [[ ${1:-} == --migrations=?* ]]; then
    folder=${1#--migrations=}
    shift
fi
if [[ ${1:-} == -* ]]; then
    print_usage >&2
    exit 2
fi
folder=${folder#"$repository"/}
folder=${folder#./}
folder=${folder%/}
versions=""
for file in "$@"; do
    add_version "$file"
done
while IFS= read -r -d '' file; do
    add_version "$file"
done < <(git -C "$repository" diff --cached --no-renames --name-only -z --diff-filter=D -- "$folder")
if [[ -z $versions ]]; then
    exit 0
fi
ensure_venv >&2
MIGRATIONS_DIR=$repository/$folder exec .venv/bin/inv db.verify --only="$versions"
