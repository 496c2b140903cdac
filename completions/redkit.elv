
use builtin;
use str;

set edit:completion:arg-completer[redkit] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'redkit'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'redkit'= {
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
            cand check-rdb 'Check snapshots: structure, every value, checksum, who can load them'
            cand check-aof 'Check logs: every command, what is damaged, what a server makes of it'
            cand dump-to-json 'Write snapshots as JSON: every key with its value, one object a line'
            cand get 'Write one key as JSON'
            cand info 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds'
            cand log 'List the commands of a log, with where and when each was written'
            cand cut 'Take commands out of a log: undo a FLUSHALL, go back to 14:03'
            cand explain 'Explain a finding: what it means, an example, what to do'
            cand completions 'Print the completion script for a shell'
            cand man 'Write the man pages into a directory'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'redkit;check-rdb'= {
            cand --format '`text` for people, or `json`: an object a line for each input'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --duplicates 'Look for keys that stand twice in a database as well'
            cand --first 'Stop at the first error'
            cand --ignore-checksum 'Judge the structure alone and leave the checksum aside'
            cand --strict 'Warnings make the exit status 1 as well'
            cand --fix 'There is none: a snapshot is not mended in place'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;check-aof'= {
            cand --like 'The server to judge for, as redis-7.0 or valkey-9.1.2'
            cand --allow-command 'Take NAME for a module''s command; may be given several times'
            cand --strategy '`truncate` cuts at the first fault, as the servers'' tool does; `skip` removes only what is damaged'
            cand -o 'Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone'
            cand --output 'Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone'
            cand --quarantine 'Keep what is taken out in this folder, with an index as JSON'
            cand --max-loss 'Write nothing if more than SIZE would be removed'
            cand --max-lost-commands 'Write nothing if more than N commands would be removed'
            cand --truncate-to-time 'Remove everything from the first annotation of a time later than TIME on'
            cand --assume-db 'Select database N behind damage that could hide a SELECT'
            cand --format '`text` for people, or `json`: an object a line for each input'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --strict 'Warnings make the exit status 1 as well'
            cand --fix 'Make the log or set loadable: show what goes and what stays, ask, and do it'
            cand -n 'Show the plan and change nothing'
            cand --dry-run 'Show the plan and change nothing'
            cand -y 'Do it without asking'
            cand --yes 'Do it without asking'
            cand --force 'Replace what exists at -o; mend in place although a process has the file open'
            cand --discard-removed 'Do not keep what is taken out'
            cand --drop-unknown 'Remove commands whose names the server does not know'
            cand --keep-uncertain 'Keep whole commands between two damages that are too few in a row to be believed'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;dump-to-json'= {
            cand --format '`ndjson`, an object a line, or `json`, one document for each input'
            cand --select 'What of a key: all, keys, meta, values'
            cand --strings 'How to write strings: auto, base64, hex, escape'
            cand --with 'Add to each key: size, offset, ttl; or, as objects of their own, meta'
            cand --now 'The time by which expiries are judged'
            cand -k 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*'
            cand --key 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*'
            cand --key-regex 'Only keys in which this regular expression matches'
            cand -K 'No keys that match this pattern; may be given more than once'
            cand --not-key 'No keys that match this pattern; may be given more than once'
            cand -t 'Only these types: string, list, set, zset, hash, stream, module, …'
            cand --type 'Only these types: string, list, set, zset, hash, stream, module, …'
            cand --db 'Only these databases; may be given more than once, or as a list with commas'
            cand --slot 'Only keys of these cluster slots, as in 0-5460 or 42'
            cand --ttl 'Only keys by their expiry: none, any, expired, live'
            cand --size 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100'''
            cand --elements 'Only values of this many elements, fields, members or entries, as in ''>1000'''
            cand --limit 'At most N keys'
            cand -o 'Write to FILE instead of stdout'
            cand --output 'Write to FILE instead of stdout'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --sort 'Order by database and key, and within values by member or field'
            cand --with-end 'End with {"$end":{"keys":N,"complete":true}}'
            cand --keep-going 'Go on behind damage, and keep the output of a damaged input'
            cand --pairs 'Write hashes as [["field","value"],…] instead of objects'
            cand --force 'Replace FILE where it exists'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;get'= {
            cand --db 'The database it is in'
            cand --strings 'How to write strings: auto, base64, hex, escape'
            cand --with 'Add to each key: size, offset, ttl; or, as objects of their own, meta'
            cand --now 'The time by which expiries are judged'
            cand -o 'Write to FILE instead of stdout'
            cand --output 'Write to FILE instead of stdout'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --pairs 'Write hashes as [["field","value"],…] instead of objects'
            cand --force 'Replace FILE where it exists'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;info'= {
            cand --format '`text` for people, or `json`: an object a line for each input'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;log'= {
            cand --format '`text` for people, `ndjson`, an object a line, or `json`, one document'
            cand --cmd 'Only commands of these names, in any case; a list with commas, or given more than once'
            cand -k 'Only commands with a key that matches this pattern, as in KEYS; may be given more than once'
            cand --key 'Only commands with a key that matches this pattern, as in KEYS; may be given more than once'
            cand --db 'Only commands that run in these databases; may be given more than once, or as a list'
            cand --from-time 'Only what was written at TIME or later, by the #TS: before it'
            cand --to-time 'Only what was written at TIME or before'
            cand --from-offset 'Only what begins at this offset or behind it'
            cand --to-offset 'Only what ends at this offset or before it'
            cand --limit 'At most N commands'
            cand -o 'Write to FILE instead of stdout'
            cand --output 'Write to FILE instead of stdout'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --full 'Write every argument in full, and all of them'
            cand --keep-going 'Go on with FILE as output although the log is damaged'
            cand --force 'Replace FILE where it exists'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;cut'= {
            cand --before 'Remove everything from the command at this offset on, or from the last command of this name'
            cand --at 'Remove everything from the first #TS: on that is later than TIME'
            cand --drop 'Remove the commands at these offsets; a list with commas, or given more than once'
            cand --drop-match 'Remove the commands of this name, with a key that matches the pattern; may be given more than once'
            cand -o 'Write to FILE, and a set to the folder FILE; `-` is the standard output'
            cand --output 'Write to FILE, and a set to the folder FILE; `-` is the standard output'
            cand --format '`text` for people, or `json`: an object a line for each input'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand --force 'Replace FILE where it exists'
            cand -n 'Show what would go and what would stay, and write nothing'
            cand --dry-run 'Show what would go and what would stay, and write nothing'
            cand --keep-going 'Write the output although damage stays in it'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;explain'= {
            cand --format '`text` for people, or `json`: an object a line for each input'
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;completions'= {
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;man'= {
            cand --color 'When to use colours: auto, always, never'
            cand --threads 'Threads that decode [default: one a processor]'
            cand --max-memory 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]'
            cand --max-spool 'Room in temporary files to use at most [default: 10GiB]'
            cand -q 'Say only what is wrong'
            cand --quiet 'Say only what is wrong'
            cand -v 'Say more: how much was read in which time'
            cand --verbose 'Say more: how much was read in which time'
            cand --no-progress 'Do not show a progress bar'
            cand --no-mmap 'Read files instead of mapping them into memory'
            cand -h 'Print help: short with -h, all of it with --help'
            cand --help 'Print help: short with -h, all of it with --help'
            cand -V 'Print the version'
            cand --version 'Print the version'
        }
        &'redkit;help'= {
            cand check-rdb 'Check snapshots: structure, every value, checksum, who can load them'
            cand check-aof 'Check logs: every command, what is damaged, what a server makes of it'
            cand dump-to-json 'Write snapshots as JSON: every key with its value, one object a line'
            cand get 'Write one key as JSON'
            cand info 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds'
            cand log 'List the commands of a log, with where and when each was written'
            cand cut 'Take commands out of a log: undo a FLUSHALL, go back to 14:03'
            cand explain 'Explain a finding: what it means, an example, what to do'
            cand completions 'Print the completion script for a shell'
            cand man 'Write the man pages into a directory'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'redkit;help;check-rdb'= {
        }
        &'redkit;help;check-aof'= {
        }
        &'redkit;help;dump-to-json'= {
        }
        &'redkit;help;get'= {
        }
        &'redkit;help;info'= {
        }
        &'redkit;help;log'= {
        }
        &'redkit;help;cut'= {
        }
        &'redkit;help;explain'= {
        }
        &'redkit;help;completions'= {
        }
        &'redkit;help;man'= {
        }
        &'redkit;help;help'= {
        }
    ]
    $completions[$command]
}
