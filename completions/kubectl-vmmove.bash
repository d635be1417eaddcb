# Completion of kubectl-vmmove, called by its own name, for bash.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

_kubectl_vmmove() {
    local words=() current="" word glue="" line directive=0 value
    COMPREPLY=()
    # bash cuts words at "=" and ":"; put "--flag = value" together again.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#words[@]} -gt 0 && ( -n "$glue" || "$word" == [=:] ) ]]; then
            words[${#words[@]}-1]+="$word"
        else
            words+=("$word")
        fi
        glue=""
        [[ "$word" == [=:] ]] && glue=1
    done
    current="${words[${#words[@]}-1]}"
    while IFS='' read -r line; do
        case "$line" in
            :[0-9]*) directive="${line#:}" ;;
            _activeHelp_*) ;;
            *)
                value="${line%%$'\t'*}"
                # What bash replaces begins after the last "=" or ":" that is typed.
                [[ "$current" == *:* ]] && value="${value#"${current%"${current##*:}"}"}"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(kubectl-vmmove __complete "${words[@]}" 2>/dev/null)
    if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi
}

complete -F _kubectl_vmmove kubectl-vmmove
