
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'redkit' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'redkit'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'redkit' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('check-rdb', 'check-rdb', [CompletionResultType]::ParameterValue, 'Check snapshots: structure, every value, checksum, who can load them')
            [CompletionResult]::new('check-aof', 'check-aof', [CompletionResultType]::ParameterValue, 'Check logs: every command, what is damaged, what a server makes of it')
            [CompletionResult]::new('dump-to-json', 'dump-to-json', [CompletionResultType]::ParameterValue, 'Write snapshots and logs as JSON: every key with its value, one object a line')
            [CompletionResult]::new('from-json', 'from-json', [CompletionResultType]::ParameterValue, 'Make a snapshot of JSON as dump-to-json writes it')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a log over its snapshot, as a server does when it starts, and say what comes out')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Say which keys differ between two snapshots or logs')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Write one key as JSON')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count the keys of snapshots and logs: by type, prefix, size, expiry; the largest, the busiest')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'List the commands of a log, with where and when each was written')
            [CompletionResult]::new('cut', 'cut', [CompletionResultType]::ParameterValue, 'Take commands out of a log: undo a FLUSHALL, go back to 14:03')
            [CompletionResult]::new('rewrite-aof', 'rewrite-aof', [CompletionResultType]::ParameterValue, 'Replay a log and write what it comes to, as a server''s rewrite does, without a server')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Write a snapshot in the form that another server loads')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Say whether backups restore: the gate behind a nightly job')
            [CompletionResult]::new('formats', 'formats', [CompletionResultType]::ParameterValue, 'Say which servers read and write what')
            [CompletionResult]::new('salvage', 'salvage', [CompletionResultType]::ParameterValue, 'Save every whole key of a damaged snapshot')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain a finding: what it means, an example, what to do')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Write the man pages into a directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'redkit;check-rdb' {
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'The configuration of the server whose data folder, or an archive of it, is read')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--duplicates', '--duplicates', [CompletionResultType]::ParameterName, 'Look for keys that stand twice in a database as well')
            [CompletionResult]::new('--first', '--first', [CompletionResultType]::ParameterName, 'Stop at the first error')
            [CompletionResult]::new('--ignore-checksum', '--ignore-checksum', [CompletionResultType]::ParameterName, 'Judge the structure alone and leave the checksum aside')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Warnings make the exit status 1 as well')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'There is none: a snapshot is not mended in place')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;check-aof' {
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server to judge for, as redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--allow-command', '--allow-command', [CompletionResultType]::ParameterName, 'Take NAME for a module''s command; may be given several times')
            [CompletionResult]::new('--strategy', '--strategy', [CompletionResultType]::ParameterName, '`truncate` cuts at the first fault, as the servers'' tool does; `skip` removes only what is damaged')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone')
            [CompletionResult]::new('--quarantine', '--quarantine', [CompletionResultType]::ParameterName, 'Keep what is taken out in this folder, with an index as JSON')
            [CompletionResult]::new('--max-loss', '--max-loss', [CompletionResultType]::ParameterName, 'Write nothing if more than SIZE would be removed')
            [CompletionResult]::new('--max-lost-commands', '--max-lost-commands', [CompletionResultType]::ParameterName, 'Write nothing if more than N commands would be removed')
            [CompletionResult]::new('--truncate-to-time', '--truncate-to-time', [CompletionResultType]::ParameterName, 'Remove everything from the first annotation of a time later than TIME on')
            [CompletionResult]::new('--assume-db', '--assume-db', [CompletionResultType]::ParameterName, 'Select database N behind damage that could hide a SELECT')
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'The configuration of the server whose data folder, or an archive of it, is read')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Warnings make the exit status 1 as well')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'Make the log or set loadable: show what goes and what stays, ask, and do it')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show the plan and change nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show the plan and change nothing')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do it without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do it without asking')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace what exists at -o; mend in place although a process has the file open')
            [CompletionResult]::new('--discard-removed', '--discard-removed', [CompletionResultType]::ParameterName, 'Do not keep what is taken out')
            [CompletionResult]::new('--drop-unknown', '--drop-unknown', [CompletionResultType]::ParameterName, 'Remove commands whose names the server does not know')
            [CompletionResult]::new('--keep-uncertain', '--keep-uncertain', [CompletionResultType]::ParameterName, 'Keep whole commands between two damages that are too few in a row to be believed')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;dump-to-json' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`ndjson`, an object a line, or `json`, one document for each input')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'What of a key: all, keys, meta, values')
            [CompletionResult]::new('--strings', '--strings', [CompletionResultType]::ParameterName, 'How to write strings: auto, base64, hex, escape')
            [CompletionResult]::new('--modules', '--modules', [CompletionResultType]::ParameterName, 'How to write values of modules: decoded, raw')
            [CompletionResult]::new('--with', '--with', [CompletionResultType]::ParameterName, 'Add to each key: size, offset, ttl; or, as objects of their own, meta')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time by which expiries are judged')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key-regex', '--key-regex', [CompletionResultType]::ParameterName, 'Only keys in which this regular expression matches')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('--not-key', '--not-key', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only these databases; may be given more than once, or as a list with commas')
            [CompletionResult]::new('--slot', '--slot', [CompletionResultType]::ParameterName, 'Only keys of these cluster slots, as in 0-5460 or 42')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Only keys by their expiry: none, any, expired, live')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100''')
            [CompletionResult]::new('--elements', '--elements', [CompletionResultType]::ParameterName, 'Only values of this many elements, fields, members or entries, as in ''>1000''')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N keys')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Order by database and key, and within values by member or field')
            [CompletionResult]::new('--with-end', '--with-end', [CompletionResultType]::ParameterName, 'End with {"$end":{"keys":N,"complete":true}}')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Go on behind damage, and keep the output of a damaged input')
            [CompletionResult]::new('--pairs', '--pairs', [CompletionResultType]::ParameterName, 'Write hashes as [["field","value"],…] instead of objects')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;from-json' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE; `-` is the standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE; `-` is the standard output')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'The server that shall load the snapshot: redis-5.0 to redis-8.10, valkey-7.2 to valkey-9.1')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Leave out records that cannot be read, and keep the output')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;replay' {
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server to follow, as redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time that the server''s clock shows')
            [CompletionResult]::new('--allow-command', '--allow-command', [CompletionResultType]::ParameterName, 'Take NAME for a module''s command; may be given several times')
            [CompletionResult]::new('--errors', '--errors', [CompletionResultType]::ParameterName, 'What to do about a command that the server would answer with an error: count, stop')
            [CompletionResult]::new('--to-offset', '--to-offset', [CompletionResultType]::ParameterName, 'Run only what ends at this offset or before it')
            [CompletionResult]::new('--to-command', '--to-command', [CompletionResultType]::ParameterName, 'Run only the first N commands, counted through all files')
            [CompletionResult]::new('--to-time', '--to-time', [CompletionResultType]::ParameterName, 'Run only what stands before the first #TS: later than TIME')
            [CompletionResult]::new('--expect-digest', '--expect-digest', [CompletionResultType]::ParameterName, 'Fail with status 5 unless the digest is this one')
            [CompletionResult]::new('--digest-at', '--digest-at', [CompletionResultType]::ParameterName, 'Print the server''s digest of the state behind each of these offsets, a line each, and no report')
            [CompletionResult]::new('--get', '--get', [CompletionResultType]::ParameterName, 'Write this key as JSON, as dump-to-json does, instead of the report; \xHH is any byte')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database of --get')
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'The configuration of the server whose data folder, or an archive of it, is read')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--drop-expired', '--drop-expired', [CompletionResultType]::ParameterName, 'Remove keys whose time has passed by --now, at the end')
            [CompletionResult]::new('--digest', '--digest', [CompletionResultType]::ParameterName, 'Give the digest that DEBUG DIGEST says on the server --like')
            [CompletionResult]::new('--full-digest', '--full-digest', [CompletionResultType]::ParameterName, 'Give the full digest, which also covers expiry times, groups, counters and functions')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;diff' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, `ndjson`, an object a line, or `json`, one document')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server that logs are replayed as, as in redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time by which expiries are judged')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key-regex', '--key-regex', [CompletionResultType]::ParameterName, 'Only keys in which this regular expression matches')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('--not-key', '--not-key', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only these databases; may be given more than once, or as a list with commas')
            [CompletionResult]::new('--slot', '--slot', [CompletionResultType]::ParameterName, 'Only keys of these cluster slots, as in 0-5460 or 42')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Only keys by their expiry: none, any, expired, live')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100''')
            [CompletionResult]::new('--elements', '--elements', [CompletionResultType]::ParameterName, 'Only values of this many elements, fields, members or entries, as in ''>1000''')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N keys')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;get' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database it is in')
            [CompletionResult]::new('--strings', '--strings', [CompletionResultType]::ParameterName, 'How to write strings: auto, base64, hex, escape')
            [CompletionResult]::new('--modules', '--modules', [CompletionResultType]::ParameterName, 'How to write values of modules: decoded, raw')
            [CompletionResult]::new('--with', '--with', [CompletionResultType]::ParameterName, 'Add to each key: size, offset, ttl; or, as objects of their own, meta')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time by which expiries are judged')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--pairs', '--pairs', [CompletionResultType]::ParameterName, 'Write hashes as [["field","value"],…] instead of objects')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;info' {
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'The configuration of the server whose data folder, or an archive of it, is read')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;stats' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, `json`, an object a line for each input, or `csv`, one table for all')
            [CompletionResult]::new('--html', '--html', [CompletionResultType]::ParameterName, 'Write a page to FILE as well, which needs nothing else to be looked at')
            [CompletionResult]::new('--separator', '--separator', [CompletionResultType]::ParameterName, 'What ends a prefix of a key')
            [CompletionResult]::new('--depth', '--depth', [CompletionResultType]::ParameterName, 'Count prefixes of up to N separators; 0 counts none')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'List N keys of each kind that stand out, and for people N prefixes')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time by which expiries are judged')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--allow-command', '--allow-command', [CompletionResultType]::ParameterName, 'Take NAME for a module''s command; may be given several times')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key-regex', '--key-regex', [CompletionResultType]::ParameterName, 'Only keys in which this regular expression matches')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('--not-key', '--not-key', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only these databases; may be given more than once, or as a list with commas')
            [CompletionResult]::new('--slot', '--slot', [CompletionResultType]::ParameterName, 'Only keys of these cluster slots, as in 0-5460 or 42')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Only keys by their expiry: none, any, expired, live')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100''')
            [CompletionResult]::new('--elements', '--elements', [CompletionResultType]::ParameterName, 'Only values of this many elements, fields, members or entries, as in ''>1000''')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N keys')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;log' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, `ndjson`, an object a line, or `json`, one document')
            [CompletionResult]::new('--cmd', '--cmd', [CompletionResultType]::ParameterName, 'Only commands of these names, in any case; a list with commas, or given more than once')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only commands with a key that matches this pattern, as in KEYS; may be given more than once')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only commands with a key that matches this pattern, as in KEYS; may be given more than once')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only commands that run in these databases; may be given more than once, or as a list')
            [CompletionResult]::new('--from-time', '--from-time', [CompletionResultType]::ParameterName, 'Only what was written at TIME or later, by the #TS: before it')
            [CompletionResult]::new('--to-time', '--to-time', [CompletionResultType]::ParameterName, 'Only what was written at TIME or before')
            [CompletionResult]::new('--from-offset', '--from-offset', [CompletionResultType]::ParameterName, 'Only what begins at this offset or behind it')
            [CompletionResult]::new('--to-offset', '--to-offset', [CompletionResultType]::ParameterName, 'Only what ends at this offset or before it')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N commands')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE instead of stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'Write every argument in full, and all of them')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Go on with FILE as output although the log is damaged')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;cut' {
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Remove everything from the command at this offset on, or from the last command of this name')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'Remove everything from the first #TS: on that is later than TIME')
            [CompletionResult]::new('--drop', '--drop', [CompletionResultType]::ParameterName, 'Remove the commands at these offsets; a list with commas, or given more than once')
            [CompletionResult]::new('--drop-match', '--drop-match', [CompletionResultType]::ParameterName, 'Remove the commands of this name, with a key that matches the pattern; may be given more than once')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE, and a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE, and a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Show what would go and what would stay, and write nothing')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would go and what would stay, and write nothing')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Write the output although damage stays in it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;rewrite-aof' {
            [CompletionResult]::new('--layout', '--layout', [CompletionResultType]::ParameterName, 'What to write: multipart, preamble, rdb, resp')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'The server that is to load it, as redis-7.2 or valkey-9.1; without it, the one that is followed')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server to follow, as redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time that the server''s clock shows')
            [CompletionResult]::new('--allow-command', '--allow-command', [CompletionResultType]::ParameterName, 'Take NAME for a module''s command; may be given several times')
            [CompletionResult]::new('--to-offset', '--to-offset', [CompletionResultType]::ParameterName, 'Only what ends at this offset or before it, as `replay --to-offset`')
            [CompletionResult]::new('--to-time', '--to-time', [CompletionResultType]::ParameterName, 'Only what stands before the first #TS: later than TIME')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE, or a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE, or a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--on-unsupported', '--on-unsupported', [CompletionResultType]::ParameterName, 'What may be left out where the target cannot hold it: drop-field-ttl, drop-meta, drop-key')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key-regex', '--key-regex', [CompletionResultType]::ParameterName, 'Only keys in which this regular expression matches')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('--not-key', '--not-key', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only these databases; may be given more than once, or as a list with commas')
            [CompletionResult]::new('--slot', '--slot', [CompletionResultType]::ParameterName, 'Only keys of these cluster slots, as in 0-5460 or 42')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Only keys by their expiry: none, any, expired, live')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100''')
            [CompletionResult]::new('--elements', '--elements', [CompletionResultType]::ParameterName, 'Only values of this many elements, fields, members or entries, as in ''>1000''')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N keys')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--drop-expired', '--drop-expired', [CompletionResultType]::ParameterName, 'Leave out keys whose time has passed by --now')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Write what can be read of a damaged input')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;convert' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'The server that is to load it, as redis-7.2 or valkey-9.1; `redkit formats` lists them')
            [CompletionResult]::new('--layout', '--layout', [CompletionResultType]::ParameterName, 'What to write: rdb (the default), preamble, multipart, resp')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time by which --ttl judges')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE, or a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE, or a set to the folder FILE; `-` is the standard output')
            [CompletionResult]::new('--on-unsupported', '--on-unsupported', [CompletionResultType]::ParameterName, 'What may be left out where the target cannot hold it: drop-field-ttl, drop-meta, drop-key')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*')
            [CompletionResult]::new('--key-regex', '--key-regex', [CompletionResultType]::ParameterName, 'Only keys in which this regular expression matches')
            [CompletionResult]::new('-K', '-K ', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('--not-key', '--not-key', [CompletionResultType]::ParameterName, 'No keys that match this pattern; may be given more than once')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--type', '--type', [CompletionResultType]::ParameterName, 'Only these types: string, list, set, zset, hash, stream, module, …')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Only these databases; may be given more than once, or as a list with commas')
            [CompletionResult]::new('--slot', '--slot', [CompletionResultType]::ParameterName, 'Only keys of these cluster slots, as in 0-5460 or 42')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Only keys by their expiry: none, any, expired, live')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Only values of this many bytes in the file, as in ''>1MiB'' or ''<=100''')
            [CompletionResult]::new('--elements', '--elements', [CompletionResultType]::ParameterName, 'Only values of this many elements, fields, members or entries, as in ''>1000''')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most N keys')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace FILE where it exists')
            [CompletionResult]::new('--keep-going', '--keep-going', [CompletionResultType]::ParameterName, 'Write what can be read of a damaged input')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;verify' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Servers that must load it, as redis-8.2 or valkey-9.1; a list with commas')
            [CompletionResult]::new('--like', '--like', [CompletionResultType]::ParameterName, 'The server to follow while a log is played, as redis-7.0 or valkey-9.1.2')
            [CompletionResult]::new('--conf', '--conf', [CompletionResultType]::ParameterName, 'The configuration of the server whose data folder it is')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'The time that the server''s clock shows, and by which --max-age judges')
            [CompletionResult]::new('--min-keys', '--min-keys', [CompletionResultType]::ParameterName, 'At least N keys')
            [CompletionResult]::new('--max-age', '--max-age', [CompletionResultType]::ParameterName, 'Written not longer ago than this, as in 26h, 90min or 7d')
            [CompletionResult]::new('--require-key', '--require-key', [CompletionResultType]::ParameterName, 'A key that matches this pattern, as in KEYS; may be given several times')
            [CompletionResult]::new('--expect-digest', '--expect-digest', [CompletionResultType]::ParameterName, 'This digest: of DEBUG DIGEST, or with --full-digest the full one')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'An earlier report of verify, from --report json=FILE')
            [CompletionResult]::new('--max-drop', '--max-drop', [CompletionResultType]::ParameterName, 'How many keys may be less than in the baseline, in each database and type')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write reports: json=FILE, junit=FILE, github; a list with commas')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Warnings fail as well')
            [CompletionResult]::new('--digest', '--digest', [CompletionResultType]::ParameterName, 'Give the digest that DEBUG DIGEST says')
            [CompletionResult]::new('--full-digest', '--full-digest', [CompletionResultType]::ParameterName, 'Give the full digest, which covers expiry, groups, counters and functions as well')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;formats' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;salvage' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to FILE; `-` is the standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to FILE; `-` is the standard output')
            [CompletionResult]::new('--lost', '--lost', [CompletionResultType]::ParameterName, 'List what was lost or is doubtful in FILE, a JSON object a line')
            [CompletionResult]::new('--assume-db', '--assume-db', [CompletionResultType]::ParameterName, 'Put keys of which the database is not known into this one')
            [CompletionResult]::new('--assume-version', '--assume-version', [CompletionResultType]::ParameterName, 'Read and write as this version, as in REDIS0011, whatever the header says')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Of records of the same key that differ, keep the first or the last')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the output and the list where they exist')
            [CompletionResult]::new('--keep-doubtful', '--keep-doubtful', [CompletionResultType]::ParameterName, 'Save doubtful keys too')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;explain' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, '`text` for people, or `json`: an object a line for each input')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours: auto, always, never')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Threads that decode [default: one a processor]')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]')
            [CompletionResult]::new('--max-spool', '--max-spool', [CompletionResultType]::ParameterName, 'Room in temporary files to use at most [default: 10GiB]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is wrong')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: how much was read in which time')
            [CompletionResult]::new('--no-progress', '--no-progress', [CompletionResultType]::ParameterName, 'Do not show a progress bar')
            [CompletionResult]::new('--no-mmap', '--no-mmap', [CompletionResultType]::ParameterName, 'Read files instead of mapping them into memory')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help: short with -h, all of it with --help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'redkit;help' {
            [CompletionResult]::new('check-rdb', 'check-rdb', [CompletionResultType]::ParameterValue, 'Check snapshots: structure, every value, checksum, who can load them')
            [CompletionResult]::new('check-aof', 'check-aof', [CompletionResultType]::ParameterValue, 'Check logs: every command, what is damaged, what a server makes of it')
            [CompletionResult]::new('dump-to-json', 'dump-to-json', [CompletionResultType]::ParameterValue, 'Write snapshots and logs as JSON: every key with its value, one object a line')
            [CompletionResult]::new('from-json', 'from-json', [CompletionResultType]::ParameterValue, 'Make a snapshot of JSON as dump-to-json writes it')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a log over its snapshot, as a server does when it starts, and say what comes out')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Say which keys differ between two snapshots or logs')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Write one key as JSON')
            [CompletionResult]::new('info', 'info', [CompletionResultType]::ParameterValue, 'Show what snapshots, logs and sets of logs say of themselves, in milliseconds')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count the keys of snapshots and logs: by type, prefix, size, expiry; the largest, the busiest')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'List the commands of a log, with where and when each was written')
            [CompletionResult]::new('cut', 'cut', [CompletionResultType]::ParameterValue, 'Take commands out of a log: undo a FLUSHALL, go back to 14:03')
            [CompletionResult]::new('rewrite-aof', 'rewrite-aof', [CompletionResultType]::ParameterValue, 'Replay a log and write what it comes to, as a server''s rewrite does, without a server')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Write a snapshot in the form that another server loads')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Say whether backups restore: the gate behind a nightly job')
            [CompletionResult]::new('formats', 'formats', [CompletionResultType]::ParameterValue, 'Say which servers read and write what')
            [CompletionResult]::new('salvage', 'salvage', [CompletionResultType]::ParameterValue, 'Save every whole key of a damaged snapshot')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain a finding: what it means, an example, what to do')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Write the man pages into a directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'redkit;help;check-rdb' {
            break
        }
        'redkit;help;check-aof' {
            break
        }
        'redkit;help;dump-to-json' {
            break
        }
        'redkit;help;from-json' {
            break
        }
        'redkit;help;replay' {
            break
        }
        'redkit;help;diff' {
            break
        }
        'redkit;help;get' {
            break
        }
        'redkit;help;info' {
            break
        }
        'redkit;help;stats' {
            break
        }
        'redkit;help;log' {
            break
        }
        'redkit;help;cut' {
            break
        }
        'redkit;help;rewrite-aof' {
            break
        }
        'redkit;help;convert' {
            break
        }
        'redkit;help;verify' {
            break
        }
        'redkit;help;formats' {
            break
        }
        'redkit;help;salvage' {
            break
        }
        'redkit;help;explain' {
            break
        }
        'redkit;help;completions' {
            break
        }
        'redkit;help;man' {
            break
        }
        'redkit;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
