//! What every finding means, an example of it, and what to do: for `explain` and the documents.

use std::fmt::Write;

/// The explanation of one finding code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingDoc {
    /// The stable word.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What is wrong, and what servers do about it.
    pub meaning: &'static str,
    /// A case of it.
    pub example: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The explanation of a code.
pub fn find(code: &str) -> Option<&'static FindingDoc> {
    DOCS.iter().find(|doc| doc.code == code)
}

/// The document `docs/findings.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Findings\n\n\
         What a report can find, by the stable code that it carries. `redkit explain CODE` prints \
         the same.\n\n\
         An *error* makes servers refuse the file, or lose or misread data; a *warning* does not.\n\n",
    );
    for doc in DOCS {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "- [`{0}`](#{0}): {1}", doc.code, doc.title);
    }
    for doc in DOCS {
        let _ = write!(
            out,
            "\n## {}\n\n{}\n\n*Example:* {}\n\n*Remedy:* {}\n",
            doc.code, doc.meaning, doc.example, doc.remedy
        );
    }
    out
}

/// Every explanation, sorted by code.
pub const DOCS: &[FindingDoc] = &[
    FindingDoc {
        code: "age-from-mtime",
        title: "the age is only that of the file",
        meaning: "`verify --max-age` found nothing in the file that tells when it was written: no AUX \
                  field `ctime` in a snapshot, no `#TS:` in a log. The file's time of modification was \
                  taken, which a copy may have changed.",
        example: "A log of Redis 6.2, which writes no annotations.",
        remedy: "Copy backups with their times (`cp -p`, `rsync -t`, tar), and let the server write \
                 annotations: `aof-timestamp-enabled yes`, from Redis 7.0 on.",
    },
    FindingDoc {
        code: "aof-arity",
        title: "a command with a wrong number of arguments",
        meaning: "The command is known, but not with so many arguments. Valkey refuses the log. \
                  Redis does not look at the number while it loads a log: with too few it crashes \
                  more often than not; what is too much it leaves alone, which is a warning.",
        example: "A `SET` with one argument, whose value was lost with the bytes around it.",
        remedy: "Take the command out of the log; what it should have done, only its writer \
                 knows. `check-aof --fix --strategy skip` does so where the server would stop.",
    },
    FindingDoc {
        code: "aof-crash",
        title: "a command that no log may hold",
        meaning: "The server crashes as it runs this command from a log, where there is no client \
                  behind it: `PSYNC` on every server, `WAIT` on Redis 6.2 and 7.0, `RESET`, `AUTH` \
                  with a name, `UNSUBSCRIBE` and some more on Redis 6.2. No server writes them.",
        example: "A log that was put together by hand from what a client sent.",
        remedy: "`check-aof --fix --strategy skip` takes it out; it changes no data.",
    },
    FindingDoc {
        code: "aof-discard",
        title: "DISCARD inside a transaction",
        meaning: "A `DISCARD` stands between a `MULTI` and its `EXEC`. No server writes that; every \
                  server puts it in the queue as it loads the log, and crashes when the `EXEC` runs it.",
        example: "A log that was put together by hand, or out of what clients sent.",
        remedy: "`check-aof --fix --strategy skip` removes the transaction.",
    },
    FindingDoc {
        code: "aof-format",
        title: "neither a command nor an annotation",
        meaning: "What stands here is not in the form of a command. Servers refuse the whole \
                  log, also when nothing but zeros follows.",
        example: "Zeros behind the last command, after the machine lost power.",
        remedy: "Cut the log here where nothing follows; where whole commands follow, take \
                 out only the damaged bytes.",
    },
    FindingDoc {
        code: "aof-lax-form",
        title: "a command in a form that no server writes",
        meaning: "The command can be read, and servers load it, but its form is not the one \
                  that they write: a line without its CR, say. Their checker calls it broken \
                  and would cut the log here.",
        example: "A log that was edited by hand, or a CR that became another byte.",
        remedy: "Do not let `redis-check-aof --fix` cut the log. Rewriting it on a server \
                 (`BGREWRITEAOF`) puts everything into the proper form.",
    },
    FindingDoc {
        code: "aof-length",
        title: "an argument of less than no bytes",
        meaning: "The length of an argument is below zero. Servers refuse the log or crash \
                  on it.",
        example: "A `$-1` where a log has the length of a value.",
        remedy: "Take the command out of the log.",
    },
    FindingDoc {
        code: "aof-manifest-empty",
        title: "an empty manifest",
        meaning: "The manifest of a multi-part AOF has no byte. Servers do not start on it, even where an old single file lies beside the folder.",
        example: "A disk that was full when the manifest was copied.",
        remedy: "`check-aof --fix` writes a new one from the names of the files, where these leave no doubt.",
    },
    FindingDoc {
        code: "aof-manifest-format",
        title: "a line of the manifest that cannot be read",
        meaning: "A line of the manifest is not made of pairs of words with file, seq and type among them. Servers do not start on it.",
        example: "A blank line, or `seq 0`.",
        remedy: "Mend the line by hand, or let `check-aof --fix` write a new manifest from the names of the files.",
    },
    FindingDoc {
        code: "aof-manifest-line",
        title: "a line of the manifest that does not end",
        meaning: "A line of the manifest is longer than servers read, holds a NUL byte, or the last one has no line feed. Servers do not start on it.",
        example: "A manifest that was edited without a line feed at its end.",
        remedy: "End every line, the last one as well, with a line feed.",
    },
    FindingDoc {
        code: "aof-manifest-order",
        title: "sequence numbers that do not rise",
        meaning: "The sequence numbers of the incremental files do not rise from line to line. Servers do not start on such a manifest.",
        example: "`seq 2` behind `seq 3`.",
        remedy: "Put the lines in the order of their numbers.",
    },
    FindingDoc {
        code: "aof-manifest-path",
        title: "a path in the manifest",
        meaning: "The manifest names a file by a path, where a bare name must stand. Servers do not start on it.",
        example: "`file /backup/appendonly.aof.1.base.rdb seq 1 type b`.",
        remedy: "Move the file into the folder and name it without its path.",
    },
    FindingDoc {
        code: "aof-manifest-two-bases",
        title: "two base files",
        meaning: "The manifest names two base files. Servers do not start on it.",
        example: "Two lines with `type b` after a merge by hand.",
        remedy: "Keep the line of the newer base, and with it the incremental files that came after it.",
    },
    FindingDoc {
        code: "aof-manifest-type",
        title: "a type that the manifest does not know",
        meaning: "The type of a file begins with another letter than b, h or i. Servers do not start on it.",
        example: "`type x`.",
        remedy: "Write b for the base, i for an incremental file, h for one that is superseded.",
    },
    FindingDoc {
        code: "aof-nested-multi",
        title: "MULTI inside a transaction",
        meaning: "A transaction begins before the one before it has ended: the `EXEC` \
                  between them is lost. Servers ignore the second `MULTI` and run both as \
                  one; their checker would cut the log at the first.",
        example: "Two transactions of which the first lost its last command.",
        remedy: "Nothing has to be done for the log to load.",
    },
    FindingDoc {
        code: "aof-no-log",
        title: "a damaged snapshot without a log behind it",
        meaning: "`check-aof --fix` found a snapshot that is damaged, and no command behind it in \
                  its file: the base of a set, or a preamble whose log is lost. Cutting a snapshot \
                  leaves nothing that a server loads, so nothing is changed.",
        example: "A base file with an overwritten byte, beside an intact incremental file.",
        remedy: "Take the base from a backup of the same rewrite; most of its keys can be read by \
                 `dump-to-json --keep-going`, and the commands of the other files by `log`.",
    },
    FindingDoc {
        code: "aof-open-multi",
        title: "a transaction without its end",
        meaning: "The log, or what can be read of it, ends before the `EXEC`. Servers take \
                  the log for cut here: with `aof-load-truncated yes` they cut it back to \
                  the `MULTI`, else they refuse it.",
        example: "A server that was stopped while it wrote a transaction.",
        remedy: "Cut the log at the `MULTI`: what it began was never done.",
    },
    FindingDoc {
        code: "aof-preamble",
        title: "commands behind a damaged snapshot",
        meaning: "The snapshot in front of a log is damaged from a place on, and its end is not known; further on, whole commands stand, where the log goes on. Servers load neither.",
        example: "A preamble with an overwritten block, and the log behind it.",
        remedy: "`salvage` keeps every whole key of the snapshot and the log behind it; `check-aof --fix --strategy skip` keeps the commands without the snapshot.",
    },
    FindingDoc {
        code: "aof-refused",
        title: "a command that the server answers with an error",
        meaning: "While a server loads a log it passes over commands that fail, and goes on. So the command has no effect, here as there. Servers log only what succeeded: something before it is not as it was when it was written.",
        example: "An `LPUSH` to a key that holds a string.",
        remedy: "Look for what is missing before it (`redkit log --key`): a lost file of the set, a cut, a removed region.",
    },
    FindingDoc {
        code: "aof-relative-time",
        title: "a time to live that counts from an unknown moment",
        meaning: "Servers since 7.0 write absolute times. Where a log has a relative one, it counts from when the command was run, which only a `#TS:` line tells; a server that loads it counts from the moment of loading.",
        example: "`EXPIRE session 3600` in a log without `#TS:` lines.",
        remedy: "Give the moment with `--now TIME`. Without it the keys are kept, without expiry.",
    },
    FindingDoc {
        code: "aof-set-history",
        title: "a superseded file",
        meaning: "The manifest lists a file as superseded by a rewrite. A server removes it when it starts, and does not read it.",
        example: "`type h` in a manifest, after a rewrite that was cut short.",
        remedy: "Nothing; or copy the file away if you want to keep it.",
    },
    FindingDoc {
        code: "aof-set-misnamed",
        title: "a file whose name says something else",
        meaning: "The name of a file has another sequence number or type than its line in the manifest. Servers go by the manifest.",
        example: "`appendonly.aof.3.incr.aof` with `seq 2`.",
        remedy: "Nothing, if the manifest is right.",
    },
    FindingDoc {
        code: "aof-set-missing",
        title: "a file that is not there",
        meaning: "The manifest names a base or incremental file that is not in the folder. Servers do not start.",
        example: "A backup that was taken while a rewrite removed a file.",
        remedy: "Take the file from where the others came from. Without it, what it held is lost, and so is the order of what came after it.",
    },
    FindingDoc {
        code: "aof-set-named-twice",
        title: "a file that is named twice",
        meaning: "The manifest names a file twice. A server loads it twice, or loads it and then removes it.",
        example: "The same name as incremental file 1 and 2.",
        remedy: "Remove the line that is wrong.",
    },
    FindingDoc {
        code: "aof-set-no-manifest",
        title: "files of a set without a manifest",
        meaning: "The folder has files named like those of a multi-part AOF, and no manifest. A server starts empty, writes a new base over one of that name, and goes on appending to what there is.",
        example: "A backup of `appendonlydir/*.aof` that left out the manifest.",
        remedy: "Do not start a server on it. `check-aof --fix` writes a manifest from the names of the files, where these leave no doubt.",
    },
    FindingDoc {
        code: "aof-set-nothing-named",
        title: "a manifest that names nothing to load",
        meaning: "The manifest names no base and no incremental file, and here are files of a set. A server starts without them.",
        example: "A manifest of comments alone.",
        remedy: "Name the files, or let `check-aof --fix` write a manifest from their names once this one is moved away.",
    },
    FindingDoc {
        code: "aof-set-old-file",
        title: "an old single file beside the folder",
        meaning: "A file of the name that a server before 7.0 would use lies beside the folder of the set. Servers load the set and not this file.",
        example: "`appendonly.aof` from before an upgrade.",
        remedy: "Nothing, if the set is what should be loaded.",
    },
    FindingDoc {
        code: "aof-set-orphan",
        title: "a file that the manifest does not name",
        meaning: "The file is named like those of the set, and the manifest does not name it. Servers do not load it, and say nothing.",
        example: "`appendonly.aof.5.incr.aof` where the manifest ends with number 4.",
        remedy: "If its number is above those of the manifest, the manifest is likely older than the file: find the newer manifest. Else a server was about to remove it.",
    },
    FindingDoc {
        code: "aof-set-temporary",
        title: "what is left of a rewrite",
        meaning: "A temporary file of a rewrite that did not end. Servers do not read it.",
        example: "`temp-rewriteaof-bg-17.aof`.",
        remedy: "Remove it when no server runs on the folder.",
    },
    FindingDoc {
        code: "aof-stray-exec",
        title: "EXEC without its MULTI",
        meaning: "An `EXEC` stands outside a transaction. Servers go on behind it; their \
                  checker calls the log broken.",
        example: "A transaction whose `MULTI` was lost: its commands are run one by one.",
        remedy: "Nothing has to be done for the log to load.",
    },
    FindingDoc {
        code: "aof-truncated",
        title: "the log ends inside a command",
        meaning: "The bytes end before the command does. Servers with `aof-load-truncated \
                  yes`, as they are by default, cut the log on the disk back to the last \
                  whole command; else they refuse it. A length that was changed to a larger \
                  one looks the same to them, and they lose everything behind it.",
        example: "A server that was killed while it wrote.",
        remedy: "Where nothing follows, let the server cut it, or cut it here. Where whole \
                 commands follow, take out only the damaged bytes, before a server sees the \
                 file.",
    },
    FindingDoc {
        code: "aof-unplayable",
        title: "a command that cannot be run without the server",
        meaning: "What the command did is missing in the result: it is a module's, or it draws by chance (a SPOP, which servers log as what it removed), or asks another server (MIGRATE) or the clock, so that a server that loads the log does it anew, and each time with another result.",
        example: "`JSON.SET doc $ {}` in the log of a server with the JSON module.",
        remedy: "Take the result for what it is, without these keys; or load the log into a server that has the module.",
    },
    FindingDoc {
        code: "archive-damaged",
        title: "a tar archive is damaged or cut short",
        meaning: "A header of the archive is not what it should be, or the archive ends before its end \
                  mark. Members before that place are whole and were judged; what came behind it is \
                  not known.",
        example: "An archive whose upload was broken off half way.",
        remedy: "Copy it again from where it was made, or make it again: `tar -tf` must end with 0 \
                 before an archive is a backup.",
    },
    FindingDoc {
        code: "archive-left-out",
        title: "a member of an archive was left out",
        meaning: "Only regular files are taken out of an archive, and only below the folder that is \
                  made for them. A member whose name leads elsewhere, a link, a device or a sparse file \
                  is not written.",
        example: "A data folder in which `dump.rdb` is a symbolic link to another disk: the archive has \
                  the link and not the data.",
        remedy: "Make the archive of the files themselves (`tar -h` follows links).",
    },
    FindingDoc {
        code: "array-order",
        title: "indexes of an array do not ascend",
        meaning: "The indexes of a sparse array (Redis 8.8) do not ascend. Servers write them in order; \
                  the elements can be read all the same.",
        example: "An array whose elements stand at the indexes 0, 7, 3.",
        remedy: "Nothing is lost. Saving the data set again from a server writes it in order.",
    },
    FindingDoc {
        code: "array-tag",
        title: "an array element of no known kind",
        meaning: "An element of a sparse array (Redis 8.8) has a tag other than the four that say how \
                  it is stored. What follows in this value cannot be told from its bytes any more.",
        example: "A tag 9, where 0 to 3 are defined.",
        remedy: "The bytes were changed after they were written. Take another copy of the file; \
                 `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "blob-count",
        title: "a packed value counts its entries wrongly",
        meaning: "The header of a packed value counts another number of entries than stand in it. \
                  Servers refuse such a value where they check it, and may crash on it where they do not.",
        example: "A listpack that says 6 entries in its header and holds 8 before its end mark.",
        remedy: "The bytes were changed after they were written. Take another copy of the file; \
                 `salvage` saves every other key.",
    },
    FindingDoc {
        code: "blob-end",
        title: "a packed value without its end mark",
        meaning: "A packed value (listpack, ziplist or zipmap) does not end in its end mark, the byte ff. \
                  Servers refuse it.",
        example: "The last byte of a listpack is 00, as after a block of the disk was zeroed.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "blob-entry",
        title: "a packed entry that cannot be read",
        meaning: "An entry of a packed value has an undefined encoding, or runs past the end of the \
                  value. Servers check this only with `sanitize-dump-payload`, and otherwise crash \
                  on it sooner or later.",
        example: "A listpack entry that begins with f7, or a string of 40 bytes where 12 are left.",
        remedy: "Take another copy of the file; `salvage` saves every other key. Do \
                 not try the file on a server to see whether it loads: it may, and crash later.",
    },
    FindingDoc {
        code: "blob-groups",
        title: "packed entries that do not pair up",
        meaning: "The entries of a packed hash or sorted set do not come in whole pairs (or in threes, \
                  where fields expire). Servers that do not check it load the value and crash on its \
                  first use.",
        example: "A hash in a listpack of 7 entries: the last field has no value.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "blob-size",
        title: "a packed value of another size than it says",
        meaning: "A packed value says in its header that it has another size than the string that \
                  holds it, or is too short to have a header. Servers refuse the file.",
        example: "A ziplist of 64 bytes whose first four bytes say 65.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "blob-trailing",
        title: "bytes behind the end of a packed value",
        meaning: "Bytes stand between the end mark of a packed value and the end of the string that \
                  holds it. No server writes that.",
        example: "A listpack whose end mark ff stands four bytes before its end.",
        remedy: "An end mark in the wrong place usually hides entries. Take another copy of the file; \
                 `salvage` saves every other key.",
    },
    FindingDoc {
        code: "compressed-damaged",
        title: "the compressed data is damaged or cut short",
        meaning: "The file is compressed as a whole, and what it is compressed with finds it damaged or \
                  ending too early. Nothing of it counts as a backup.",
        example: "A `dump.rdb.gz` of which the last megabyte is missing.",
        remedy: "Copy it again, or make it again. `gzip -t`, `zstd -t`, `xz -t` and `lz4 -t` find the \
                 same.",
    },
    FindingDoc {
        code: "hash-field-expiry",
        title: "an expiry of a hash field that is no time",
        meaning: "The expiry of a hash field is not a number, is negative, or is later than any that \
                  the format can hold. Servers refuse the value.",
        example: "A packed hash with expiries (type 25) whose third entry is the text `soon`.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "hash-field-order",
        title: "hash fields out of the order of their expiries",
        meaning: "The fields of a packed hash with expiries do not stand in the order of their \
                  expiries, those without one last. Servers rely on that order to expire them in time.",
        example: "A field that expires in 2030 before one that expires in 2027.",
        remedy: "Every field can be read. Fields may stay longer than they should on a server that \
                 loads the file; setting their expiries again puts them in order.",
    },
    FindingDoc {
        code: "hash-template",
        title: "a hash template that is missing or bad",
        meaning: "Hashes of Redis 8.10 can share their field names in a template that stands before \
                  the keys. This one is missing, empty, not sorted, or defined twice.",
        example: "A hash that names template 4 in a file that defines templates 1 to 3.",
        remedy: "Take another copy of the file. The values of such a hash are there, the names of their \
                 fields are not.",
    },
    FindingDoc {
        code: "intset-order",
        title: "integers of a set do not ascend",
        meaning: "The members of a set of integers do not ascend, or one stands twice. Servers search \
                  such a set by halves, and would not find members that are there.",
        example: "A set with the members 1, 5, 3.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "intset-width",
        title: "integers of a set of an unknown width",
        meaning: "The members of a set of integers are 2, 4 or 8 bytes wide; this one says something \
                  else. Servers refuse it.",
        example: "An intset that begins with 03 00 00 00.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "listpack-backlen",
        title: "a listpack that cannot be read backwards",
        meaning: "Each entry of a listpack ends in its own length, so that it can be read backwards. \
                  This one is not the length of the entry before it. A server that walks the list from \
                  its end would read nonsense.",
        example: "An entry of 5 bytes that ends in 06.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "module-aux",
        title: "a bad record of a module outside the keys",
        meaning: "A module's record outside the keys does not begin as such records do, or says that it \
                  belongs neither before nor after the keys. Servers refuse the file.",
        example: "A record for the moment 3, where 1 is before the keys and 2 after them.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "module-opcode",
        title: "a module's item of no known kind",
        meaning: "The value of a module is a row of items, each with a number for its kind. This number \
                  is not defined, so that the end of the value cannot be found.",
        example: "An item 6, where 0 to 5 are defined.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "quicklist-container",
        title: "a list node of no known kind",
        meaning: "A node of a list is either one long element (1) or a listpack of elements (2); this \
                  one says something else. Servers refuse the file.",
        example: "A node of container 0.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "quicklist-plain-empty",
        title: "a list node that is empty",
        meaning: "A node of a list that should be one long element is empty. Servers refuse the file.",
        example: "A node of container 1 with a string of 0 bytes.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "rdb-bad-database",
        title: "a database number that no server can have",
        meaning: "The file selects a database with a number that no server can be configured to have. \
                  Servers stop there.",
        example: "A database 4,294,967,295, as bits turned to ones.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-bad-length",
        title: "a length that is none, or out of range",
        meaning: "A length or number begins with a byte that is none, is a string where a number must \
                  stand, or is too large for its place. What follows cannot be framed any more.",
        example: "A length that begins with the byte 85, where of 80 to bf only 80 and 81 are defined.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-bad-lzf",
        title: "a compressed string that does not decompress",
        meaning: "A compressed string does not decompress: it refers to bytes before its start, ends \
                  early, or gives another length than was stated. Servers refuse the file.",
        example: "A string that says 120 bytes and decompresses to 118.",
        remedy: "Where the string is a value, `salvage` saves every other key. Take \
                 another copy of the file otherwise.",
    },
    FindingDoc {
        code: "rdb-bad-run",
        title: "a compressed run of records that is damaged",
        meaning: "Dragonfly writes runs of records compressed as a whole; this one does not decompress, \
                  or ends inside a record.",
        example: "A zstd frame with a flipped bit.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-bad-string",
        title: "a string of an undefined encoding",
        meaning: "A string begins with the number of an encoding that is not defined. What follows \
                  cannot be framed any more.",
        example: "A string that begins with c5, where c0 to c3 are defined.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-checksum",
        title: "the checksum is not that of the bytes",
        meaning: "The checksum at the end of the file is not that of its bytes: at least one bit changed \
                  after the file was written, even where everything can still be read. Servers refuse the \
                  file, unless they run with `rdbchecksum no`.",
        example: "A digit in a value that became another digit on a failing disk: no structure is hurt, \
                  only the checksum tells.",
        remedy: "Take another copy of the file, and look at the disk and the path that this one came by. \
                 `check-rdb --ignore-checksum` judges the structure alone; `salvage` saves all that \
                 can be read, but nobody can say which value is not what it was.",
    },
    FindingDoc {
        code: "rdb-duplicate-key",
        title: "a key that stands twice",
        meaning: "The same key stands twice in a database. Servers refuse the file at start-up; the \
                  servers' own checkers do not notice. Found with `--duplicates`.",
        example: "Two snapshots joined by hand, or a writer that fell over its own keys.",
        remedy: "`salvage --keep first` or `--keep last` chooses one; `dump-to-json` shows both.",
    },
    FindingDoc {
        code: "rdb-duplicate-member",
        title: "a member or field that stands twice",
        meaning: "A member of a set or sorted set, or a field of a hash, stands twice in one value. \
                  Servers refuse the file.",
        example: "A hash with two fields `name`.",
        remedy: "`dump-to-json --pairs` writes both; choose one by hand.",
    },
    FindingDoc {
        code: "rdb-empty",
        title: "a file without a byte",
        meaning: "The file has no byte at all. A server that finds an empty snapshot refuses to start.",
        example: "A disk that was full when the file was copied, or a shell that opened it for writing.",
        remedy: "Take another copy. Servers write to a file of another name first, `temp-PID.rdb`: look \
                 for one.",
    },
    FindingDoc {
        code: "rdb-empty-blob",
        title: "an empty intset or zipmap",
        meaning: "An intset or zipmap has no element. Other empty collections are dropped while loading, \
                  these make servers refuse the file.",
        example: "A set of integers with a count of 0.",
        remedy: "Nothing was in the value. `salvage` saves every other key.",
    },
    FindingDoc {
        code: "rdb-empty-collection",
        title: "a collection without elements",
        meaning: "A list, set, sorted set or hash has no element. Servers never keep such a key, and drop \
                  this one while they load the file.",
        example: "A hash of 0 fields, as early versions of some servers wrote them by mistake.",
        remedy: "None is needed: nothing is in the key.",
    },
    FindingDoc {
        code: "rdb-future-version",
        title: "a version newer than all that are known",
        meaning: "The file says that it is of a version that this program does not know. It may be sound: \
                  the verdict is `unknown` and the exit status 4.",
        example: "REDIS0016 at the start, where 15 is the newest version known.",
        remedy: "Look for a newer redkit. Where the version cannot be, the header is damaged: take another \
                 copy of the file.",
    },
    FindingDoc {
        code: "rdb-magic",
        title: "not a snapshot, by its first bytes",
        meaning: "The file does not begin as a snapshot does, with REDIS and four digits or VALKEY and \
                  three. Servers refuse it.",
        example: "A file that begins with zeros after a crash of the file system, or an archive of a kind \
                  that is not known here.",
        remedy: "Make sure that it is the file you mean. If it was a snapshot, its start is overwritten: \
                 take another copy.",
    },
    FindingDoc {
        code: "rdb-malformed",
        title: "bytes that are not what must stand there",
        meaning: "The bytes at this place are not what must stand there.",
        example: "Any place that was overwritten.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-refused-type",
        title: "a type that every released server refuses",
        meaning: "A type or record that only release candidates wrote, and that every released server \
                  refuses (type 6, record 246).",
        example: "A module's value as the release candidates of Redis 4.0 wrote it.",
        remedy: "If the file is not from such a version, the byte is damaged: take another copy. \
                 `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-text",
        title: "a text that does not read as what it stands for",
        meaning: "A text that stands for a number, a time or a document does not read as one.",
        example: "An expiry of the text `12x` in a file of Dragonfly.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "rdb-trailing-bytes",
        title: "bytes behind the end of the snapshot",
        meaning: "Bytes stand behind the end of the snapshot. Servers ignore them, and so the file loads; \
                  but somebody put them there.",
        example: "A second snapshot appended to the first, or a file copied over a longer one in place.",
        remedy: "Cut the file at the offset that the finding names, once you know that nothing of yours \
                 stands behind it. If the first bytes behind the end are `*`, it is an append-only file \
                 that begins with a snapshot.",
    },
    FindingDoc {
        code: "rdb-truncated",
        title: "the file ends too early",
        meaning: "The file ends inside a record, or before its end mark. Servers refuse it.",
        example: "A copy that was stopped half way, a full disk, a file that was still being written.",
        remedy: "Take another copy, after the server has finished saving. If there is none: \
                 `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-unknown-type",
        title: "a byte that is no type and no opcode",
        meaning: "A byte where a record begins is neither a type nor an opcode of this family of servers \
                  and version. The framing was lost before, or the file is from a server not known here.",
        example: "The byte 99 where a key should begin.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "rdb-unreadable-type",
        title: "a type whose layout nobody has described",
        meaning: "A type or record that is known by name, but whose bytes nobody has described. It cannot \
                  be passed over either, since only who can read it knows where it ends. The exit status \
                  is 4.",
        example: "A rate limiter of an experimental build of Redis 8.10 (type 33).",
        remedy: "`salvage` saves every key that is whole. A newer redkit may know the type.",
    },
    FindingDoc {
        code: "rdb-version",
        title: "a version that no server writes",
        meaning: "The version in the header is not a number, or is none that this family of servers uses: \
                  REDIS goes with small numbers, VALKEY with 80 and up. Servers refuse the file.",
        example: "REDIS00x1, REDIS0000, REDIS0099 or VALKEY011 at the start.",
        remedy: "The header is damaged: take another copy of the file.",
    },
    FindingDoc {
        code: "server-starts-empty",
        title: "a server would start without the data",
        meaning: "A server that is started on this folder finds nothing to load where it looks, and \
                  starts empty, without a word; what lies there it does not look at. With `appendonly \
                  yes` only the log counts, and from 7.0 on only what the manifest names; with \
                  `appendonly no` only the snapshot.",
        example: "A backup of `dump.rdb` alone, restored on a server with `appendonly yes`.",
        remedy: "Start with the setting that loads what is there, and switch it over while the server \
                 runs: `CONFIG SET appendonly yes` writes a new log from what is in memory. Give `verify` \
                 the server's `--conf`, so that only the start that happens is judged.",
    },
    FindingDoc {
        code: "slot-import",
        title: "a slot migration with a bad name",
        meaning: "The record of a slot migration under way (Valkey 9) names its job with other than 40 \
                  bytes. Servers refuse the file.",
        example: "A name of 39 bytes.",
        remedy: "Take another copy of the file; `salvage` saves every key that is whole.",
    },
    FindingDoc {
        code: "stream-flags",
        title: "a stream entry with undefined flags",
        meaning: "An entry of a stream has flags that mean nothing. Only two bits are defined: deleted, and \
                  same fields as the first entry.",
        example: "An entry with the flags 8.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-last-id",
        title: "a stream entry above the stream's last ID",
        meaning: "The last ID that a stream says it gave out is below that of an entry in it. A server \
                  could give out the same ID again.",
        example: "A stream with the last ID 5-0 that holds an entry 7-0.",
        remedy: "The entries can be read. `XSETID` on a server that has loaded the file sets the last ID \
                 right.",
    },
    FindingDoc {
        code: "stream-length",
        title: "a stream counts its entries wrongly",
        meaning: "A stream says another number of entries than it holds. Where a server loads it, `XLEN` \
                  answers the wrong number.",
        example: "A stream of 10 entries that says 11.",
        remedy: "The entries are all there. Copying them into a new stream sets the number right.",
    },
    FindingDoc {
        code: "stream-names",
        title: "a group or consumer that stands twice",
        meaning: "A consumer group stands twice in a stream, or a consumer twice in a group. Servers refuse \
                  the file.",
        example: "Two groups `workers`.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-node",
        title: "a stream node that does not hold what it says",
        meaning: "The entries of a stream are packed in nodes, whose first items say how many there are and \
                  which fields they share. This node does not hold what they say.",
        example: "A node that counts 100 entries and ends after 37.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-node-empty",
        title: "a stream node without live entries",
        meaning: "A node of a stream holds no entry that is not deleted. Servers remove such nodes, and \
                  refuse one without any entry.",
        example: "A node of 0 live and 3 deleted entries.",
        remedy: "No entry is lost. Take another copy of the file if a server refuses it.",
    },
    FindingDoc {
        code: "stream-node-key",
        title: "a stream node with a bad name",
        meaning: "A node of a stream is named by the ID of its first entry, 16 bytes. This name has another \
                  length. Servers refuse the file.",
        example: "A name of 15 bytes.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-node-twice",
        title: "two stream nodes of the same name",
        meaning: "The entries of a stream are packed in nodes, each named by the ID of its first entry. Two \
                  nodes have the same name. Servers refuse the file.",
        example: "Two nodes 1-1.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-order",
        title: "IDs of a stream do not ascend",
        meaning: "The IDs of a stream's entries do not ascend. Servers load it, and do not find entries \
                  when they search.",
        example: "An entry 5-0 behind an entry 7-0.",
        remedy: "The entries can all be read. Copying them in order into a new stream sets it right.",
    },
    FindingDoc {
        code: "stream-pending",
        title: "pending entries of a group do not add up",
        meaning: "The entries that a group waits for and those that its consumers hold do not agree: one has \
                  no consumer, several, is listed twice, or is unknown to the group. Servers refuse the file, \
                  some only where they check it.",
        example: "A consumer that holds 1-5, which is not pending in its group.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "stream-record-count",
        title: "a stream entry that cannot be read backwards",
        meaning: "Each entry of a stream ends in the number of items that it has, so that it can be read \
                  backwards. This number is wrong. `XREVRANGE` would read nonsense.",
        example: "An entry of 5 items that ends in 6.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "target-dropped",
        title: "left out of the output, since the target cannot hold it",
        meaning: "The server that the output is for has no room for this, and it was asked to leave it out: the expiry of a field, something that belongs to a key, or the whole key. The input still has it.",
        example: "`redkit convert dump.rdb -o old.rdb --target redis-7.2 --on-unsupported drop-field-ttl` with a hash whose fields expire.",
        remedy: "Look through the list. With another `--target` it is kept.",
    },
    FindingDoc {
        code: "target-lacks",
        title: "the target cannot hold this",
        meaning: "The server that the output is for has no room for this: fields with an expiry of their own (Redis since 7.4, Valkey since 9.0), functions (since 7.0), values of modules that it does not have, vector sets whose graph cannot be made here. Nothing is written, so that nothing is lost in silence.",
        example: "`redkit convert dump.rdb -o old.rdb --target redis-7.2` with a hash whose fields expire.",
        remedy: "Choose another `--target`, or say with `--on-unsupported` what may be left out: `drop-field-ttl` (the fields stay), `drop-meta` (metadata of modules, idempotent producers), `drop-key` (the whole key).",
    },
    FindingDoc {
        code: "unknown-command",
        title: "a command that the server does not know",
        meaning: "The command is whole, but the server has none of this name, and refuses \
                  the log. It may belong to a newer server or to the other family.",
        example: "A `MSETEX` of Valkey 9.1 in a log for Redis 7.0.",
        remedy: "Load the log on a server that knows the command.",
    },
    FindingDoc {
        code: "ziplist-prevlen",
        title: "a ziplist that cannot be read backwards",
        meaning: "Each entry of a ziplist begins with the length of the one before it, so that it can be \
                  read backwards. This one is wrong.",
        example: "An entry that says 7 behind one of 5 bytes.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "ziplist-tail",
        title: "a ziplist that does not point at its last entry",
        meaning: "The header of a ziplist does not point at its last entry. Servers begin there when they \
                  take from the end of a list.",
        example: "A ziplist whose last entry is at 40 and whose header says 38.",
        remedy: "Take another copy of the file; `salvage` saves every other key.",
    },
    FindingDoc {
        code: "zset-order",
        title: "members of a sorted set do not ascend",
        meaning: "The members of a small sorted set do not ascend by score and then by name. Servers load \
                  it without looking, and answer ranges and ranks wrongly.",
        example: "Scores 1, 3, 2.",
        remedy: "Every member and score can be read. Adding them to a new sorted set puts them in order.",
    },
    FindingDoc {
        code: "zset-score-nan",
        title: "a score that is not a number (NaN)",
        meaning: "A score is not a number (NaN). Servers refuse it, and some crash on it in a packed sorted \
                  set.",
        example: "A score stored as the bytes of a double whose bits are all ones.",
        remedy: "Take another copy of the file; `dump-to-json --keep-going` writes the member with the score \
                 `\"nan\"` where the rest of the value can be read.",
    },
    FindingDoc {
        code: "zset-score-text",
        title: "a score whose text is no number",
        meaning: "A score is a text that is no number. Servers load it as 0.",
        example: "A packed sorted set with the score `1.5e`.",
        remedy: "Set the score again on a server that has loaded the file, if you know what it was.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::manifest::ManifestProblem;
    use crate::aof::set::SetProblem;
    use crate::bytes::Problem;

    #[test]
    fn every_code_is_explained_and_nothing_else() {
        let mut codes = Problem::CODES.to_vec();
        codes.extend(ManifestProblem::CODES);
        codes.extend(SetProblem::CODES);
        codes.extend(crate::report::verify::CODES);
        codes.sort_unstable();
        codes.dedup();
        let explained: Vec<_> = DOCS.iter().map(|doc| doc.code).collect();
        assert_eq!(explained, codes);
    }

    #[test]
    fn explanations_are_whole_sentences() {
        for doc in DOCS {
            for text in [doc.meaning, doc.example, doc.remedy] {
                assert!(text.ends_with('.'), "{}: {text}", doc.code);
                assert!(!text.contains("  "), "{}: {text}", doc.code);
            }
            assert!(doc.title.len() < 60, "{}: {}", doc.code, doc.title);
        }
        assert_eq!(
            find("rdb-checksum").map(|doc| doc.code),
            Some("rdb-checksum")
        );
        assert_eq!(find("rdb"), None);
    }
}
