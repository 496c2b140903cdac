# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_redkit_global_optspecs
    string join \n q/quiet v/verbose color= threads= no-progress no-mmap max-memory= max-spool= h/help V/version
end

function __fish_redkit_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_redkit_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_redkit_using_subcommand
    set -l cmd (__fish_redkit_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c redkit -n "__fish_redkit_needs_command" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_needs_command" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_needs_command" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_needs_command" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_needs_command" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_needs_command" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_needs_command" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_needs_command" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_needs_command" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_needs_command" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "check-rdb" -d 'Check snapshots: structure, every value, checksum, who can load them'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "check-aof" -d 'Check logs: every command, what is damaged, what a server makes of it'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "dump-to-json" -d 'Write snapshots and logs as JSON: every key with its value, one object a line'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "from-json" -d 'Make a snapshot of JSON as dump-to-json writes it'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "replay" -d 'Run a log over its snapshot, as a server does when it starts, and say what comes out'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "diff" -d 'Say which keys differ between two snapshots or logs'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "get" -d 'Write one key as JSON'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "info" -d 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "stats" -d 'Count the keys of snapshots and logs: by type, prefix, size, expiry; the largest, the busiest'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "log" -d 'List the commands of a log, with where and when each was written'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "cut" -d 'Take commands out of a log: undo a FLUSHALL, go back to 14:03'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "rewrite-aof" -d 'Replay a log and write what it comes to, as a server\'s rewrite does, without a server'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "convert" -d 'Write a snapshot in the form that another server loads'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "verify" -d 'Say whether backups restore: the gate behind a nightly job'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "formats" -d 'Say which servers read and write what'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "salvage" -d 'Save every whole key of a damaged snapshot'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "explain" -d 'Explain a finding: what it means, an example, what to do'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "man" -d 'Write the man pages into a directory'
complete -c redkit -n "__fish_redkit_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l conf -d 'The configuration of the server whose data folder, or an archive of it, is read' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l duplicates -d 'Look for keys that stand twice in a database as well'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l first -d 'Stop at the first error'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l ignore-checksum -d 'Judge the structure alone and leave the checksum aside'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l strict -d 'Warnings make the exit status 1 as well'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l fix -d 'There is none: a snapshot is not mended in place'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand check-rdb" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l like -d 'The server to judge for, as redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l allow-command -d 'Take NAME for a module\'s command; may be given several times' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l strategy -d '`truncate` cuts at the first fault, as the servers\' tool does; `skip` removes only what is damaged' -r -f -a "truncate\t''
skip\t''"
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s o -l output -d 'Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l quarantine -d 'Keep what is taken out in this folder, with an index as JSON' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l max-loss -d 'Write nothing if more than SIZE would be removed' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l max-lost-commands -d 'Write nothing if more than N commands would be removed' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l truncate-to-time -d 'Remove everything from the first annotation of a time later than TIME on' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l assume-db -d 'Select database N behind damage that could hide a SELECT' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l conf -d 'The configuration of the server whose data folder, or an archive of it, is read' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l strict -d 'Warnings make the exit status 1 as well'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l fix -d 'Make the log or set loadable: show what goes and what stays, ask, and do it'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s n -l dry-run -d 'Show the plan and change nothing'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s y -l yes -d 'Do it without asking'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l force -d 'Replace what exists at -o; mend in place although a process has the file open'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l discard-removed -d 'Do not keep what is taken out'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l drop-unknown -d 'Remove commands whose names the server does not know'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l keep-uncertain -d 'Keep whole commands between two damages that are too few in a row to be believed'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand check-aof" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l format -d '`ndjson`, an object a line, or `json`, one document for each input' -r -f -a "ndjson\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l select -d 'What of a key: all, keys, meta, values' -r -f -a "all\t''
keys\t''
meta\t''
values\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l strings -d 'How to write strings: auto, base64, hex, escape' -r -f -a "auto\t''
base64\t''
hex\t''
escape\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l modules -d 'How to write values of modules: decoded, raw' -r -f -a "decoded\t'As what they mean, where that is known'
raw\t'As their bytes'"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l with -d 'Add to each key: size, offset, ttl; or, as objects of their own, meta' -r -f -a "meta\t''
size\t''
offset\t''
ttl\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l now -d 'The time by which expiries are judged' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l like -d 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s k -l key -d 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l key-regex -d 'Only keys in which this regular expression matches' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s K -l not-key -d 'No keys that match this pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s t -l type -d 'Only these types: string, list, set, zset, hash, stream, module, …' -r -f -a "string\t''
list\t''
set\t''
zset\t''
hash\t''
stream\t''
module\t''
array\t''
cron\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l db -d 'Only these databases; may be given more than once, or as a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l slot -d 'Only keys of these cluster slots, as in 0-5460 or 42' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l ttl -d 'Only keys by their expiry: none, any, expired, live' -r -f -a "none\t''
any\t''
expired\t''
live\t''"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l size -d 'Only values of this many bytes in the file, as in \'>1MiB\' or \'<=100\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l elements -d 'Only values of this many elements, fields, members or entries, as in \'>1000\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l limit -d 'At most N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s o -l output -d 'Write to FILE instead of stdout' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l sort -d 'Order by database and key, and within values by member or field'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l with-end -d 'End with {"$end":{"keys":N,"complete":true}}'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l keep-going -d 'Go on behind damage, and keep the output of a damaged input'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l pairs -d 'Write hashes as [["field","value"],…] instead of objects'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand dump-to-json" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -s o -l output -d 'Write to FILE; `-` is the standard output' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l target -d 'The server that shall load the snapshot: redis-5.0 to redis-8.10, valkey-7.2 to valkey-9.1' -r
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l keep-going -d 'Leave out records that cannot be read, and keep the output'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand from-json" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l like -d 'The server to follow, as redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l now -d 'The time that the server\'s clock shows' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l allow-command -d 'Take NAME for a module\'s command; may be given several times' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l errors -d 'What to do about a command that the server would answer with an error: count, stop' -r -f -a "count\t''
stop\t''"
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l to-offset -d 'Run only what ends at this offset or before it' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l to-command -d 'Run only the first N commands, counted through all files' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l to-time -d 'Run only what stands before the first #TS: later than TIME' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l expect-digest -d 'Fail with status 5 unless the digest is this one' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l digest-at -d 'Print the server\'s digest of the state behind each of these offsets, a line each, and no report' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l get -d 'Write this key as JSON, as dump-to-json does, instead of the report; \\xHH is any byte' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l db -d 'The database of --get' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l conf -d 'The configuration of the server whose data folder, or an archive of it, is read' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l drop-expired -d 'Remove keys whose time has passed by --now, at the end'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l digest -d 'Give the digest that DEBUG DIGEST says on the server --like'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l full-digest -d 'Give the full digest, which also covers expiry times, groups, counters and functions'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand replay" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l format -d '`text` for people, `ndjson`, an object a line, or `json`, one document' -r -f -a "text\t''
ndjson\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l like -d 'The server that logs are replayed as, as in redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l now -d 'The time by which expiries are judged' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s k -l key -d 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l key-regex -d 'Only keys in which this regular expression matches' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s K -l not-key -d 'No keys that match this pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s t -l type -d 'Only these types: string, list, set, zset, hash, stream, module, …' -r -f -a "string\t''
list\t''
set\t''
zset\t''
hash\t''
stream\t''
module\t''
array\t''
cron\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l db -d 'Only these databases; may be given more than once, or as a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l slot -d 'Only keys of these cluster slots, as in 0-5460 or 42' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l ttl -d 'Only keys by their expiry: none, any, expired, live' -r -f -a "none\t''
any\t''
expired\t''
live\t''"
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l size -d 'Only values of this many bytes in the file, as in \'>1MiB\' or \'<=100\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l elements -d 'Only values of this many elements, fields, members or entries, as in \'>1000\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l limit -d 'At most N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s o -l output -d 'Write to FILE instead of stdout' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand diff" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand get" -l db -d 'The database it is in' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -l strings -d 'How to write strings: auto, base64, hex, escape' -r -f -a "auto\t''
base64\t''
hex\t''
escape\t''"
complete -c redkit -n "__fish_redkit_using_subcommand get" -l modules -d 'How to write values of modules: decoded, raw' -r -f -a "decoded\t'As what they mean, where that is known'
raw\t'As their bytes'"
complete -c redkit -n "__fish_redkit_using_subcommand get" -l with -d 'Add to each key: size, offset, ttl; or, as objects of their own, meta' -r -f -a "meta\t''
size\t''
offset\t''
ttl\t''"
complete -c redkit -n "__fish_redkit_using_subcommand get" -l now -d 'The time by which expiries are judged' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -l like -d 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -s o -l output -d 'Write to FILE instead of stdout' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand get" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand get" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand get" -l pairs -d 'Write hashes as [["field","value"],…] instead of objects'
complete -c redkit -n "__fish_redkit_using_subcommand get" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand get" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand get" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand get" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand get" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand get" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand get" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand info" -l conf -d 'The configuration of the server whose data folder, or an archive of it, is read' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand info" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand info" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand info" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand info" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand info" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand info" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand info" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand info" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand info" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand info" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand info" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l format -d '`text` for people, `json`, an object a line for each input, or `csv`, one table for all' -r -f -a "text\t''
json\t''
csv\t''"
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l html -d 'Write a page to FILE as well, which needs nothing else to be looked at' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l separator -d 'What ends a prefix of a key' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l depth -d 'Count prefixes of up to N separators; 0 counts none' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l top -d 'List N keys of each kind that stand out, and for people N prefixes' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l now -d 'The time by which expiries are judged' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l like -d 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l allow-command -d 'Take NAME for a module\'s command; may be given several times' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s k -l key -d 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l key-regex -d 'Only keys in which this regular expression matches' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s K -l not-key -d 'No keys that match this pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s t -l type -d 'Only these types: string, list, set, zset, hash, stream, module, …' -r -f -a "string\t''
list\t''
set\t''
zset\t''
hash\t''
stream\t''
module\t''
array\t''
cron\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l db -d 'Only these databases; may be given more than once, or as a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l slot -d 'Only keys of these cluster slots, as in 0-5460 or 42' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l ttl -d 'Only keys by their expiry: none, any, expired, live' -r -f -a "none\t''
any\t''
expired\t''
live\t''"
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l size -d 'Only values of this many bytes in the file, as in \'>1MiB\' or \'<=100\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l elements -d 'Only values of this many elements, fields, members or entries, as in \'>1000\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l limit -d 'At most N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand stats" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand log" -l format -d '`text` for people, `ndjson`, an object a line, or `json`, one document' -r -f -a "text\t''
ndjson\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand log" -l cmd -d 'Only commands of these names, in any case; a list with commas, or given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -s k -l key -d 'Only commands with a key that matches this pattern, as in KEYS; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l db -d 'Only commands that run in these databases; may be given more than once, or as a list' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l from-time -d 'Only what was written at TIME or later, by the #TS: before it' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l to-time -d 'Only what was written at TIME or before' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l from-offset -d 'Only what begins at this offset or behind it' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l to-offset -d 'Only what ends at this offset or before it' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l limit -d 'At most N commands' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -s o -l output -d 'Write to FILE instead of stdout' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand log" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand log" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand log" -l full -d 'Write every argument in full, and all of them'
complete -c redkit -n "__fish_redkit_using_subcommand log" -l keep-going -d 'Go on with FILE as output although the log is damaged'
complete -c redkit -n "__fish_redkit_using_subcommand log" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand log" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand log" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand log" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand log" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand log" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand log" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l before -d 'Remove everything from the command at this offset on, or from the last command of this name' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l at -d 'Remove everything from the first #TS: on that is later than TIME' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l drop -d 'Remove the commands at these offsets; a list with commas, or given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l drop-match -d 'Remove the commands of this name, with a key that matches the pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s o -l output -d 'Write to FILE, and a set to the folder FILE; `-` is the standard output' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s n -l dry-run -d 'Show what would go and what would stay, and write nothing'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l keep-going -d 'Write the output although damage stays in it'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand cut" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l layout -d 'What to write: multipart, preamble, rdb, resp' -r -f -a "multipart\t''
preamble\t''
rdb\t''
resp\t''"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l target -d 'The server that is to load it, as redis-7.2 or valkey-9.1; without it, the one that is followed' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l like -d 'The server to follow, as redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l now -d 'The time that the server\'s clock shows' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l allow-command -d 'Take NAME for a module\'s command; may be given several times' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l to-offset -d 'Only what ends at this offset or before it, as `replay --to-offset`' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l to-time -d 'Only what stands before the first #TS: later than TIME' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s o -l output -d 'Write to FILE, or a set to the folder FILE; `-` is the standard output' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l on-unsupported -d 'What may be left out where the target cannot hold it: drop-field-ttl, drop-meta, drop-key' -r -f -a "drop-field-ttl\t''
drop-meta\t''
drop-key\t''"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s k -l key -d 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l key-regex -d 'Only keys in which this regular expression matches' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s K -l not-key -d 'No keys that match this pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s t -l type -d 'Only these types: string, list, set, zset, hash, stream, module, …' -r -f -a "string\t''
list\t''
set\t''
zset\t''
hash\t''
stream\t''
module\t''
array\t''
cron\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l db -d 'Only these databases; may be given more than once, or as a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l slot -d 'Only keys of these cluster slots, as in 0-5460 or 42' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l ttl -d 'Only keys by their expiry: none, any, expired, live' -r -f -a "none\t''
any\t''
expired\t''
live\t''"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l size -d 'Only values of this many bytes in the file, as in \'>1MiB\' or \'<=100\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l elements -d 'Only values of this many elements, fields, members or entries, as in \'>1000\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l limit -d 'At most N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l drop-expired -d 'Leave out keys whose time has passed by --now'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l keep-going -d 'Write what can be read of a damaged input'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand rewrite-aof" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l target -d 'The server that is to load it, as redis-7.2 or valkey-9.1; `redkit formats` lists them' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l layout -d 'What to write: rdb (the default), preamble, multipart, resp' -r -f -a "multipart\t''
preamble\t''
rdb\t''
resp\t''"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l now -d 'The time by which --ttl judges' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s o -l output -d 'Write to FILE, or a set to the folder FILE; `-` is the standard output' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l on-unsupported -d 'What may be left out where the target cannot hold it: drop-field-ttl, drop-meta, drop-key' -r -f -a "drop-field-ttl\t''
drop-meta\t''
drop-key\t''"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s k -l key -d 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l key-regex -d 'Only keys in which this regular expression matches' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s K -l not-key -d 'No keys that match this pattern; may be given more than once' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s t -l type -d 'Only these types: string, list, set, zset, hash, stream, module, …' -r -f -a "string\t''
list\t''
set\t''
zset\t''
hash\t''
stream\t''
module\t''
array\t''
cron\t''
json\t''"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l db -d 'Only these databases; may be given more than once, or as a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l slot -d 'Only keys of these cluster slots, as in 0-5460 or 42' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l ttl -d 'Only keys by their expiry: none, any, expired, live' -r -f -a "none\t''
any\t''
expired\t''
live\t''"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l size -d 'Only values of this many bytes in the file, as in \'>1MiB\' or \'<=100\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l elements -d 'Only values of this many elements, fields, members or entries, as in \'>1000\'' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l limit -d 'At most N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l force -d 'Replace FILE where it exists'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l keep-going -d 'Write what can be read of a damaged input'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand convert" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l target -d 'Servers that must load it, as redis-8.2 or valkey-9.1; a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l like -d 'The server to follow while a log is played, as redis-7.0 or valkey-9.1.2' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l conf -d 'The configuration of the server whose data folder it is' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l now -d 'The time that the server\'s clock shows, and by which --max-age judges' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l min-keys -d 'At least N keys' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l max-age -d 'Written not longer ago than this, as in 26h, 90min or 7d' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l require-key -d 'A key that matches this pattern, as in KEYS; may be given several times' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l expect-digest -d 'This digest: of DEBUG DIGEST, or with --full-digest the full one' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l baseline -d 'An earlier report of verify, from --report json=FILE' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l max-drop -d 'How many keys may be less than in the baseline, in each database and type' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l report -d 'Write reports: json=FILE, junit=FILE, github; a list with commas' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l strict -d 'Warnings fail as well'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l digest -d 'Give the digest that DEBUG DIGEST says'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l full-digest -d 'Give the full digest, which covers expiry, groups, counters and functions as well'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand verify" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand formats" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand formats" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -s o -l output -d 'Write to FILE; `-` is the standard output' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l lost -d 'List what was lost or is doubtful in FILE, a JSON object a line' -r -F
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l assume-db -d 'Put keys of which the database is not known into this one' -r
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l assume-version -d 'Read and write as this version, as in REDIS0011, whatever the header says' -r
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l keep -d 'Of records of the same key that differ, keep the first or the last' -r -f -a "first\t'The first'
last\t'The last'"
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l force -d 'Replace the output and the list where they exist'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l keep-doubtful -d 'Save doubtful keys too'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand salvage" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l format -d '`text` for people, or `json`: an object a line for each input' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand explain" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand explain" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand completions" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand completions" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand man" -l color -d 'When to use colours: auto, always, never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c redkit -n "__fish_redkit_using_subcommand man" -l threads -d 'Threads that decode [default: one a processor]' -r
complete -c redkit -n "__fish_redkit_using_subcommand man" -l max-memory -d 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]' -r
complete -c redkit -n "__fish_redkit_using_subcommand man" -l max-spool -d 'Room in temporary files to use at most [default: 10GiB]' -r
complete -c redkit -n "__fish_redkit_using_subcommand man" -s q -l quiet -d 'Say only what is wrong'
complete -c redkit -n "__fish_redkit_using_subcommand man" -s v -l verbose -d 'Say more: how much was read in which time'
complete -c redkit -n "__fish_redkit_using_subcommand man" -l no-progress -d 'Do not show a progress bar'
complete -c redkit -n "__fish_redkit_using_subcommand man" -l no-mmap -d 'Read files instead of mapping them into memory'
complete -c redkit -n "__fish_redkit_using_subcommand man" -s h -l help -d 'Print help: short with -h, all of it with --help'
complete -c redkit -n "__fish_redkit_using_subcommand man" -s V -l version -d 'Print the version'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "check-rdb" -d 'Check snapshots: structure, every value, checksum, who can load them'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "check-aof" -d 'Check logs: every command, what is damaged, what a server makes of it'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "dump-to-json" -d 'Write snapshots and logs as JSON: every key with its value, one object a line'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "from-json" -d 'Make a snapshot of JSON as dump-to-json writes it'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "replay" -d 'Run a log over its snapshot, as a server does when it starts, and say what comes out'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "diff" -d 'Say which keys differ between two snapshots or logs'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "get" -d 'Write one key as JSON'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "info" -d 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "stats" -d 'Count the keys of snapshots and logs: by type, prefix, size, expiry; the largest, the busiest'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "log" -d 'List the commands of a log, with where and when each was written'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "cut" -d 'Take commands out of a log: undo a FLUSHALL, go back to 14:03'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "rewrite-aof" -d 'Replay a log and write what it comes to, as a server\'s rewrite does, without a server'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "convert" -d 'Write a snapshot in the form that another server loads'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "verify" -d 'Say whether backups restore: the gate behind a nightly job'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "formats" -d 'Say which servers read and write what'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "salvage" -d 'Save every whole key of a damaged snapshot'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "explain" -d 'Explain a finding: what it means, an example, what to do'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "completions" -d 'Print the completion script for a shell'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "man" -d 'Write the man pages into a directory'
complete -c redkit -n "__fish_redkit_using_subcommand help; and not __fish_seen_subcommand_from check-rdb check-aof dump-to-json from-json replay diff get info stats log cut rewrite-aof convert verify formats salvage explain completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
