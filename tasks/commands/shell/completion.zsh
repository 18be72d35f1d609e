#compdef inv invoke
# Completion of inv in zsh: source <(inv --print-completion-script zsh)

_inv_complete() {
    local line
    local -a found described
    # Without inv, as outside of a virtual environment, nothing is completed.
    (( $+commands[${words[1]}] )) || [[ -x ${words[1]} ]] || return 1
    for line in "${(@f)$("${words[1]}" --complete -- --described "${(@)words[1,CURRENT]}" 2>/dev/null </dev/null)}"; do
        case $line in
        '') ;;
        :files)
            compset -P '--[^=]#='
            _files
            return
            ;;
        *$'\t'*) described+=("${line/$'\t'/:}") ;;
        *) found+=("$line") ;;
        esac
    done
    (( $#found )) && compadd -a found
    (( $#described )) && _describe command described
    return 0
}

if ! (( $+functions[compdef] )); then
    autoload -Uz compinit && compinit -D
fi
compdef _inv_complete inv invoke
