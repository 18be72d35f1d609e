# shellcheck shell=bash
# Source this file: it changes to the project folder and defines ensure_venv, which installs the locked requirements into .venv.

unset CDPATH PYTHONHOME PYTHONPATH VIRTUAL_ENV
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
export PIP_DISABLE_PIP_VERSION_CHECK=1
entry=tasks

fail() {
    printf 'ERROR: %s\n' "$1" >&2
    shift
    [[ $# -eq 0 ]] || printf '       %s\n' "$@" >&2
    exit 1
}

# Prints the usage, by the function print_usage of the calling script, and exits if an argument is -h or --help.
exit_if_help_requested() {
    local argument
    for argument in "$@"; do
        case $argument in
        -h | --help)
            print_usage
            exit
            ;;
        esac
    done
}

# Prints the path of the first suitable Python. If PYTHON is set, no other is considered.
find_python() {
    local candidate path without_venv="" unusable=()
    local candidates=(python3.14 python3.13 python3.12 python3.11 python3 python)
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        path=$(command -v -- "$candidate") || continue
        if ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            unusable+=("$path cannot be used: $("$path" --version 2>&1 | head -n 1)")
        elif ! "$path" -c 'import venv, ensurepip' 2>/dev/null; then
            without_venv=$path
        else
            printf '%s\n' "$path"
            return
        fi
    done
    if [[ -n $without_venv ]]; then
        fail "$without_venv cannot create a virtual environment: its module venv or ensurepip is missing." \
            "On Debian and Ubuntu: apt install $("$without_venv" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"
    fi
    fail "Python 3.11 or newer is required, but was not found." "Looked for: ${candidates[*]}" \
        ${unusable[@]+"${unusable[@]}"} "Install it, or set its path: PYTHON=/path/to/python3 $0"
}

# Prints what .venv was made from: its Python, its path (which its scripts contain), the lock files. Fails if it does not run.
describe_venv() {
    .venv/bin/python -c 'import sys; print(sys.version, sys.prefix)' 2>/dev/null && cksum "$@"
}

# Installs the packages of lock files, and no others: each is a wheel with one of the recorded hashes, so no package runs code here.
install_locked() {
    local files=()
    while [[ $# -gt 0 ]]; do
        files+=(--requirement "$1")
        shift
    done
    .venv/bin/python -m pip install --quiet --quiet --require-hashes --only-binary :all: "${files[@]}" ||
        fail "The requirements could not be installed; see the error above." "Fix the cause, then run $0 again."
}

# Replaces inv by a script that states the module to load, and that answers completion without the time that Invoke's imports take.
# Writes nothing if it is up to date.
point_inv() {
    local quoted=\'${PWD//\'/\'\\\'\'}\' text
    text=$(
        cat <<END
#!/bin/sh
project=$quoted
for argument; do
    case \$argument in
    --complete | --print-completion-script*)
        exec "\$project/.venv/bin/python" -I -S -c 'import sys
sys.path.insert(0, sys.argv.pop(1))
from tasks.commands.shell.completion import main
main()' "\$project" $entry "\$@"
        ;;
    -*) ;;
    *) break ;;
    esac
done
exec "\$project/.venv/bin/invoke" --collection=$entry "\$@"
END
    )
    [[ $text != "$(cat .venv/bin/inv 2>/dev/null)" ]] || return 0
    printf '%s\n' "$text" >.venv/bin/inv
}

# Creates .venv, or creates it again if it is not up to date. `ensure_venv dev` also installs what the tests and checks need.
# The stamp is written last, so an interrupted installation is repeated.
ensure_venv() {
    local stamp=.venv/.made-from python locks=(requirements.lock) dev=${1:-} made
    made=$(cat "$stamp" 2>/dev/null) || made=""
    if [[ -n $made && $made == "$(describe_venv requirements.lock requirements-dev.lock 2>/dev/null)" ]]; then
        point_inv
        return
    elif [[ -z $made || $made != "$(describe_venv requirements.lock)" ]]; then
        python=$(find_python)
        echo "📦 Installing the requirements into .venv ($("$python" --version))"
        rm -rf .venv
        "$python" -m venv .venv || fail "$python could not create .venv; see the error above."
    elif [[ -z $dev ]]; then
        point_inv
        return
    else
        echo "📦 Installing the requirements of the tests into .venv"
    fi
    [[ -z $dev ]] || locks+=(requirements-dev.lock)
    install_locked "${locks[@]}"
    # With PYTHONDONTWRITEBYTECODE, as containers set it, each command would compile the tool again.
    .venv/bin/python -m compileall -qq tasks || true
    printf '*\n' >.venv/.gitignore
    point_inv
    describe_venv "${locks[@]}" >"$stamp"
}
