# Completion of kubectl-vmmove, called by its own name, for fish.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

function __kubectl_vmmove_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l flag (string match -r -- '^-[^=]*=' (commandline -ct))
    for line in (kubectl-vmmove __complete $words[2..-1] 2>/dev/null)
        string match -qr '^(:[0-9]+|_activeHelp_.*)$' -- $line
        or echo -- $flag$line
    end
end

complete -c kubectl-vmmove -f -k -a '(__kubectl_vmmove_complete)'
