# Completion of kubectl-vmmove, called by its own name, for bash.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

_kubectl_vmmove() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}") current="${COMP_WORDS[COMP_CWORD]}" line directive=0 value
    COMPREPLY=()
    # bash splits words at "=" and ":"; put "--flag = value" together again.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cur cword comp_words
        _get_comp_words_by_ref -n "=:" -c cur -i cword -w comp_words
        words=("${comp_words[@]:1:cword}")
        current="$cur"
    fi
    while IFS='' read -r line; do
        case "$line" in
            :[0-9]*) directive="${line#:}" ;;
            _activeHelp_*) ;;
            *)
                value="${line%%$'\t'*}"
                case "$value" in "${current#*=}"*) COMPREPLY+=("$value") ;; esac
                ;;
        esac
    done < <(kubectl-vmmove __complete "${words[@]}" 2>/dev/null)
    if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi
    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "${current#*=}"; fi
}

complete -F _kubectl_vmmove kubectl-vmmove
