# Completion of inv in fish: inv --print-completion-script fish | source

function __inv_complete
    set -l typed (commandline --current-token --cut-at-cursor)
    set -l words (commandline --current-process --tokenize --cut-at-cursor) "$typed"
    # Without inv, as outside of a virtual environment, nothing is completed.
    type --query -- $words[1]; or return 0
    set -l found (command $words[1] --complete -- --described $words 2>/dev/null </dev/null)
    if test "$found" = :files
        set -l flag (string match --regex -- '^--[^=]*=' "$typed"; or echo '')
        for path in (__fish_complete_path (string replace --regex -- '^--[^=]*=' '' "$typed"))
            echo -- $flag$path
        end
    else
        printf '%s\n' $found
    end
end

for name in inv invoke
    complete --command $name --no-files --arguments '(__inv_complete)'
end
