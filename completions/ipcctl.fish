# SPDX-License-Identifier: MIT
# Completion of ipcctl for fish. All that is known stands in `ipcctl __complete`.

function __ipcctl_candidates
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l option
    # What follows -- of create is a command with arguments of its own.
    if set -l at (contains -i -- -- $words); and string match -qr '^(create|mk)$' $words[2..$at]
        __fish_complete_subcommand --fcs-skip=$at
        return
    end
    # --option=value is completed as the value of --option.
    if string match -q -- '--*=*' $word
        set option (string split -m 1 = -- $word)[1]
        set word (string split -m 1 = -- $word)[2]
    end
    set -l found ($words[1] __complete -- $words[2..-1] $option "$word" 2>/dev/null)
    if test (count $found) -eq 0
        __fish_complete_path (commandline -ct)
    else if set -q option[1]
        printf '%s\n' $option=$found
    else
        printf '%s\n' $found
    end
end

complete -c ipcctl -f -a '(__ipcctl_candidates)'
