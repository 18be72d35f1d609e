# Completion of inv in bash: source <(inv --print-completion-script bash)

_inv_complete() {
    local line words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
    COMPREPLY=()
    # Without inv, as outside of a virtual environment, nothing is completed.
    type -P -- "$1" >/dev/null || return 0
    compopt +o default 2>/dev/null
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("$line")
        fi
    done < <("$1" --complete -- --exact "${words[@]}" 2>/dev/null </dev/null)
    return 0
}

complete -o default -F _inv_complete inv invoke
