//! The replay engine: any commands, by any server's rules. What comes of them is the same whatever the
//! number of threads, and the same again from a snapshot of it.

use redkit::aof::log::{Event, LogReader};
use redkit::command;
use redkit::keyspace::digest::{full, of_keyspace};
use redkit::keyspace::save::save;
use redkit::keyspace::{Keyspace, Rules, Slot, load};
use redkit::rdb::Scratch;
use redkit::rdb::batch::Batches;
use redkit::record::{Flow, Record};
use redkit::replay::{Why, play};
use redkit::task::check_aof::AnyServer;

use super::common::{memory, not_ours};

/// Servers that rules are known of.
pub(crate) const LIKES: [&str; 8] = [
    "redis-6.2",
    "redis-7.0",
    "redis-8.2",
    "valkey-8.1",
    "valkey-9.1",
    "redis-7.2",
    "redis-7.4",
    "valkey-7.2",
];

/// Arguments that are one byte: the keys first.
pub(crate) const WORDS: &[&str] = &[
    "k0",
    "k1",
    "k2",
    "k3",
    "k4",
    "k5",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "10",
    "100",
    "127",
    "128",
    "1000",
    "65536",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "-0",
    "1e3",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "(1",
    "(3",
    "[a",
    "[c",
    "(a",
    "-",
    "+",
    "*",
    "$",
    "~",
    "=",
    ">",
    "<",
    "0-0",
    "0-1",
    "1-1",
    "5-5",
    "5-*",
    "18446744073709551615-18446744073709551615",
    "1795800000000",
    "4102444800",
    "4102444800000",
    "1",
    "a",
    "b",
    "c",
    "d",
    "e",
    "abc",
    "hello",
    "field",
    "member",
    "group",
    "consumer",
    "alice",
    "bob",
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "GET",
    "SET",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "PERSIST",
    "IFEQ",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "MATCH",
    "COUNT",
    "STORE",
    "STOREDIST",
    "LIMIT",
    "BY",
    "ASC",
    "DESC",
    "ALPHA",
    "WEIGHTS",
    "AGGREGATE",
    "SUM",
    "MIN",
    "MAX",
    "WITHSCORES",
    "BYSCORE",
    "BYLEX",
    "REV",
    "REPLACE",
    "ABSTTL",
    "IDLETIME",
    "FREQ",
    "DB",
    "COPY",
    "FIELDS",
    "FNX",
    "FXX",
    "MAXLEN",
    "MINID",
    "NOMKSTREAM",
    "MKSTREAM",
    "ENTRIESREAD",
    "ENTRIESADDED",
    "MAXDELETEDID",
    "FORCE",
    "JUSTID",
    "RETRYCOUNT",
    "TIME",
    "IDLE",
    "LASTID",
    "CREATE",
    "DESTROY",
    "SETID",
    "CREATECONSUMER",
    "DELCONSUMER",
    "KEEPREF",
    "DELREF",
    "ACKED",
    "IDS",
    "AND",
    "OR",
    "XOR",
    "NOT",
    "DIFF",
    "ANDOR",
    "BYTE",
    "BIT",
    "u8",
    "i16",
    "u63",
    "#1",
    "OVERFLOW",
    "WRAP",
    "SAT",
    "FAIL",
    "INCRBY",
    "FROMMEMBER",
    "FROMLONLAT",
    "BYRADIUS",
    "BYBOX",
    "m",
    "km",
    "13.361389",
    "38.115556",
    "GETANY",
    "VALUES",
    "FP32",
    "NOQUANT",
    "BIN",
    "Q8",
    "CAS",
    "SETATTR",
    "EF",
    "M",
    "REDUCE",
    "{\"a\":1}",
    "LOAD",
    "DELETE",
    "FLUSH",
    "RESTORE",
    "ASYNC",
    "SYNC",
    "APPEND",
    "#!lua name=lib\nredis.register_function('f', function() return 1 end)",
    "return redis.call('SET', KEYS[1], ARGV[1])",
    "return 1",
    "",
];

/// Ends a command.
const END: u8 = 255;
/// Bytes follow: their number first.
const BYTES: u8 = 254;
/// A number of two bytes follows.
const NUMBER: u8 = 253;

/// Names of commands that write, and those around them, sorted.
fn names() -> Vec<&'static str> {
    let others = ["multi", "exec", "discard", "select", "ping", "publish"];
    let lines = LIKES.map(|name| name.parse().expect("a server"));
    let writes = |spec: &&command::CommandSpec| {
        let parts = spec.subcommands().iter();
        let mut all = parts.chain(std::iter::once(*spec));
        others.contains(&spec.name())
            || lines
                .iter()
                .any(|like| all.any(|one| one.is_write_on(*like)))
    };
    command::all()
        .iter()
        .filter(writes)
        .map(|s| s.name())
        .collect()
}

fn decoded(mut data: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let names = names();
    let mut commands = Vec::new();
    while let Some((&which, mut rest)) = data.split_first() {
        // There are less than 256.
        let name = names[usize::from(which) % names.len()];
        let mut args = vec![name.as_bytes().to_vec()];
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                END => break,
                BYTES => {
                    let Some((&len, after)) = rest.split_first() else {
                        break;
                    };
                    let (bytes, after) = after.split_at(usize::from(len).min(after.len()));
                    args.push(bytes.to_vec());
                    rest = after;
                }
                NUMBER => {
                    let Some((&bytes, after)) = rest.split_first_chunk() else {
                        break;
                    };
                    args.push(i16::from_le_bytes(bytes).to_string().into_bytes());
                    rest = after;
                }
                word => {
                    let word = WORDS[usize::from(word) % WORDS.len()];
                    args.push(word.as_bytes().to_vec());
                }
            }
        }
        commands.push(args);
        data = rest;
    }
    commands
}

/// The bytes that stand for these commands, as far as there are such.
pub(crate) fn encoded(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let names = names();
    let mut out = Vec::new();
    for command in commands {
        let Some((name, args)) = command.split_first() else {
            continue;
        };
        let of = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        let Some(which) = names.iter().position(of) else {
            continue;
        };
        out.push(which as u8);
        for arg in args {
            let of = |known: &&str| known.as_bytes() == arg.as_slice();
            match WORDS.iter().position(of) {
                Some(word) if word < usize::from(NUMBER) => out.push(word as u8),
                _ => {
                    let short = &arg[..arg.len().min(255)];
                    out.extend([BYTES, short.len() as u8]);
                    out.extend_from_slice(short);
                }
            }
        }
        out.push(END);
    }
    out
}

fn rules(by: u8) -> Rules {
    let like = LIKES[usize::from(by) % LIKES.len()];
    let now = (by & 0x80 != 0).then_some(1_795_800_000_000);
    let mut rules = Rules::new(like.parse().expect("a server"), now);
    // What a command makes of few bytes is bounded by this alone.
    rules.longest_string = 1 << 20;
    rules
}

/// What comes of commands; none where memory did not suffice.
fn played(rules: &Rules, commands: &[Vec<Vec<u8>>], threads: usize) -> Option<Keyspace> {
    let mut keyspace = Keyspace::new(rules.clone(), threads * 4);
    let (done, _) = play(&mut keyspace, threads, memory(), |player| {
        let mut all = true;
        player.begin_file();
        for (at, command) in commands.iter().enumerate() {
            let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            if let Err(stopped) = player.play(at as u64, &args) {
                all = !matches!(stopped.why, Why::Memory(_));
                break;
            }
        }
        if let Err(stopped) = player.settle() {
            all &= !matches!(stopped.why, Why::Memory(_));
        }
        all
    });
    done.then_some(keyspace)
}

/// The keyspace that a snapshot of this one gives.
fn saved_and_loaded(keyspace: &Keyspace) -> Option<Keyspace> {
    let mut bytes = Vec::new();
    let done = save(keyspace, |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    });
    if let Err(error) = done {
        not_ours(&error);
        return None;
    }
    let mut again = Keyspace::new(keyspace.rules.clone(), 1);
    let mut scratch = Scratch::default();
    let mut batches = Batches::of_map(&bytes);
    while let Some(batch) = batches.next_batch().expect("what was saved") {
        let each = |record: &Record<'_>| {
            match record {
                Record::Entry(entry) => {
                    let key = entry.key.to_bytes().expect("a key").into_owned();
                    let value = load(&entry.value, &mut scratch, &again.rules)?;
                    let value = value.expect("no value is empty");
                    let slot = Slot::new(&key, value, entry.expires_at);
                    again.insert(entry.db, slot);
                }
                Record::Function(source) => {
                    let source = source.to_bytes().expect("a library").into_owned();
                    let name = redkit::keyspace::library_name(&source).unwrap_or_default();
                    again.functions.insert(name.to_vec(), source);
                }
                _ => {}
            }
            Ok(Flow::Continue)
        };
        batch.for_each(each).expect("what was saved");
    }
    Some(again)
}

fn held(rules: &Rules, commands: &[Vec<Vec<u8>>], several: bool) {
    let Some(keyspace) = played(rules, commands, 1) else {
        return;
    };
    let sum = full(&keyspace).expect("a digest");
    of_keyspace(&keyspace).expect("a digest");
    if let Some(again) = saved_and_loaded(&keyspace) {
        assert_eq!(full(&again).expect("a digest"), sum, "from a snapshot");
    }
    if several && let Some(other) = played(rules, commands, 2) {
        assert_eq!(full(&other).expect("a digest"), sum, "by two threads");
    }
}

/// Whether two threads play as well: for one input of eight, since they wait for each other.
fn several(flags: u8, data: &[u8]) -> bool {
    (usize::from(flags) + data.len()).is_multiple_of(8)
}

/// A server, and commands in short form.
pub(super) fn commands(data: &[u8]) {
    let Some((&[first, flags], data)) = data.split_first_chunk() else {
        return;
    };
    held(&rules(first), &decoded(data), several(flags, data));
}

/// A server, and a log.
pub(super) fn log(data: &[u8]) {
    let Some((&[first, flags], data)) = data.split_first_chunk() else {
        return;
    };
    let names = AnyServer::default();
    let mut reader = LogReader::new(data, &names);
    let mut commands = Vec::new();
    while let Some((_, event)) = reader.next() {
        if let Event::Command(command) = event {
            commands.push(command.args().map(<[u8]>::to_vec).collect());
        }
    }
    held(&rules(first), &commands, several(flags, data));
}

/// The log that commands in short form stand for.
pub(super) fn as_log(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for command in decoded(data) {
        let args = command.iter().map(Vec::as_slice);
        redkit::aof::resp::write_command(args.collect::<Vec<_>>().into_iter(), &mut out);
    }
    out
}
