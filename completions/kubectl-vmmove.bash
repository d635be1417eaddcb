# Completion of kubectl-vmmove, called by its own name, for bash.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

_kubectl_vmmove() {
    local words=() word glue="" line directive=0 value longest=0 index
    local values=() descriptions=()
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
    # What stands before the part that bash replaces, which is the last of those that it cut.
    local current="${words[${#words[@]}-1]}" last="${COMP_WORDS[COMP_CWORD]}" flag=""
    [[ "$last" == [=:] ]] && last=""
    [[ "$current" == -*=* ]] && flag="${current%%=*}="
    local before="${current%"$last"}"
    while IFS='' read -r line; do
        case "$line" in
            :[0-9]*) directive="${line#:}" ;;
            _activeHelp_*) ;;
            *)
                value="$flag${line%%$'\t'*}"
                value="${value#"$before"}"
                values+=("$value")
                [[ "$line" == *$'\t'* ]] && descriptions+=("${line#*$'\t'}") || descriptions+=("")
                ((${#value} > longest)) && longest=${#value}
                ;;
        esac
    done < <(kubectl-vmmove __complete "${words[@]}" 2>/dev/null)
    for index in "${!values[@]}"; do
        value="${values[index]}"
        # A description is shown beside several values only, and never put into the line.
        if ((${#values[@]} > 1 && COMP_TYPE != 37 && COMP_TYPE != 42)) && [[ -n "${descriptions[index]}" ]]; then
            printf -v value '%-*s  (%s)' "$longest" "$value" "${descriptions[index]}"
            value="${value:0:COLUMNS-2}"
        fi
        COMPREPLY+=("$value")
    done
    compopt -o nosort 2>/dev/null
    if ((directive & 2)); then compopt -o nospace 2>/dev/null; fi
    if ((directive & 16)); then
        compopt -o dirnames 2>/dev/null
    elif ((!(directive & 4))); then
        compopt -o default 2>/dev/null
    fi
}

complete -F _kubectl_vmmove kubectl-vmmove
