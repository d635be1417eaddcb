#compdef kubectl-vmmove
# Completion of kubectl-vmmove, called by its own name, for zsh.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

_kubectl_vmmove() {
    local -a candidates
    local line value description directive=0 prefix=""
    [[ "$PREFIX" == -*=* ]] && prefix="${PREFIX%%=*}="
    while IFS='' read -r line; do
        if [[ "$line" == :<-> ]]; then
            directive="${line#:}"
        elif [[ "$line" != _activeHelp_* ]]; then
            value="${prefix}${line%%$'\t'*}"
            description="${line#*$'\t'}"
            if [[ "$line" == *$'\t'* ]]; then
                candidates+=("${value//:/\\:}:$description")
            else
                candidates+=("${value//:/\\:}")
            fi
        fi
    done < <(kubectl-vmmove __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if ((directive & 16)); then
        compset -P '-*='
        _files -/
    elif ((!(directive & 4))); then
        compset -P '-*='
        _files
    elif ((directive & 2)); then
        _describe -V 'kubectl-vmmove' candidates -S ''
    else
        _describe -V 'kubectl-vmmove' candidates
    fi
}

if [[ "$funcstack[1]" == "_kubectl_vmmove" ]]; then
    _kubectl_vmmove
elif (( $+functions[compdef] )); then
    compdef _kubectl_vmmove kubectl-vmmove
fi
