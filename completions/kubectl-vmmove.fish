# Completion of kubectl-vmmove, called by its own name, for fish.
# "kubectl vmmove" and "oc vmmove" are completed by kubectl's and oc's own scripts after: kubectl vmmove completion install

# Finds what can stand at the cursor; fails where that is a file, which fish completes by itself.
function __kubectl_vmmove_ask
    set -l words (commandline -opc) (commandline -ct)
    set -l flag (string match -r -- '^-[^=]*=' (commandline -ct))
    set -g __kubectl_vmmove_found
    for line in (kubectl-vmmove __complete $words[2..-1] 2>/dev/null)
        switch $line
            case ':0' ':16'
                return 1
            case ':*' '_activeHelp_*'
            case '*'
                set -ga __kubectl_vmmove_found "$flag"$line
        end
    end
    return 0
end

complete -c kubectl-vmmove -n __kubectl_vmmove_ask -f -k -a '$__kubectl_vmmove_found'
