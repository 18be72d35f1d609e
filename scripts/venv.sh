# shellcheck shell=bash
# To be sourced: goes to the project folder and gives ensure_venv, which makes .venv with the pinned requirements.

unset CDPATH PYTHONHOME PYTHONPATH VIRTUAL_ENV
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit
export PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
    printf 'ERROR: %s\n' "$1" >&2
    shift
    [[ $# -eq 0 ]] || printf '       %s\n' "$@" >&2
    exit 1
}

# Prints the first Python that will do. PYTHON, if set, is the only one looked at.
find_python() {
    local candidate path without_venv="" unfit=() candidates=(python3.13 python3.12 python3.11 python3 python)
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        path=$(command -v -- "$candidate") || continue
        if ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            unfit+=("$path does not fit: $("$path" --version 2>&1 | head -n 1)")
        elif ! "$path" -c 'import venv, ensurepip' 2>/dev/null; then
            without_venv=$path
        else
            printf '%s\n' "$path"
            return
        fi
    done
    if [[ -n $without_venv ]]; then
        fail "$without_venv cannot make a virtual environment, for its module venv or ensurepip is missing." \
            "On Debian and Ubuntu: apt install $("$without_venv" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"
    fi
    fail "Python 3.11 or newer is needed and was not found." "Looked for: ${candidates[*]}" ${unfit[@]+"${unfit[@]}"} \
        "Install one, or name one: PYTHON=/path/to/python3 $0"
}

# Prints what .venv consists of: its Python, its place (which its scripts contain), the requirements. Fails if it does not run.
describe_venv() {
    .venv/bin/python -c 'import sys; print(sys.version, sys.prefix)' 2>/dev/null && cksum <requirements.txt
}

# Makes .venv, or brings it up to date; does nothing if it is what the stamp says, which is written last.
ensure_venv() {
    local stamp=.venv/.made-from python
    [[ "$(describe_venv)" != "$(cat "$stamp" 2>/dev/null)" || ! -e $stamp ]] || return 0
    python=$(find_python)
    echo "📦 Installing the requirements into .venv ($("$python" --version))"
    rm -rf .venv
    "$python" -m venv .venv || fail "$python cannot make .venv; see above."
    .venv/bin/python -m pip install --quiet --quiet --requirement requirements.txt ||
        fail "The requirements cannot be installed; see above." "Run this again when that is mended: it begins anew."
    describe_venv >"$stamp"
}
