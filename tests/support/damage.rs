//! What happens to logs and to manifests, seeded: the same seed does the same.

use super::loader::{FOLDER, Files, MANIFEST, SINGLE, command};

/// Numbers that look like chance.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Something that happened to a file.
pub(crate) struct Hit {
    /// What, for messages.
    pub(crate) what: String,
    /// What it made of the file.
    pub(crate) bytes: Vec<u8>,
}

/// Kinds of [`hit`].
pub(crate) const KINDS: usize = 13;

/// Damages a file that is not empty, in the way of this number.
pub(crate) fn hit(sound: &[u8], number: usize, chance: &mut Chance) -> Hit {
    let len = sound.len();
    let mut bytes = sound.to_vec();
    // Blocks as file systems lose them; smaller ones where the file has none.
    let block = match len {
        12_000.. => 4096,
        _ => (len / 8).clamp(1, 4096),
    };
    let blocks = len.div_ceil(block);
    let one = chance.below(blocks) * block;
    let other = chance.below(blocks) * block;
    let end = |at: usize| (at + block).min(len);
    let what = match number % KINDS {
        0..3 => {
            let (at, bit) = (chance.below(len), chance.below(8));
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        3 => {
            let at = chance.below(len);
            bytes.truncate(at);
            format!("cut to {at} bytes")
        }
        4 => {
            bytes[one..end(one)].fill(0);
            format!("zeros in {one}..{}", end(one))
        }
        5 => {
            let at = chance.below(len);
            bytes[at..].fill(0);
            format!("zeros from {at} to the end")
        }
        6 => {
            let count = 1 + chance.below(block.max(2));
            bytes.resize(len + count, 0);
            format!("{count} zeros behind the end")
        }
        7 => {
            let noise = chance.bytes(end(one) - one);
            bytes[one..end(one)].copy_from_slice(&noise);
            format!("noise in {one}..{}", end(one))
        }
        8 => {
            let from = sound[other..end(other)].to_vec();
            let until = (one + from.len()).min(len);
            bytes[one..until].copy_from_slice(&from[..until - one]);
            format!("{other}..{} written over {one}..{until}", end(other))
        }
        9 => {
            let twice = sound[one..end(one)].to_vec();
            bytes.splice(one..one, twice);
            format!("{one}..{} twice", end(one))
        }
        10 => {
            bytes.drain(one..end(one));
            format!("{one}..{} lost", end(one))
        }
        11 => {
            let (first, second) = (one.min(other), one.max(other));
            let mut swapped = sound[..first].to_vec();
            swapped.extend_from_slice(&sound[second..end(second)]);
            if second > first {
                swapped.extend_from_slice(&sound[end(first)..second]);
                swapped.extend_from_slice(&sound[first..end(first)]);
            }
            swapped.extend_from_slice(&sound[end(second)..]);
            bytes = swapped;
            format!("the blocks at {first} and {second} swapped")
        }
        _ => {
            let (at, count) = (chance.below(len + 1), 1 + chance.below(40));
            let noise = chance.bytes(count);
            bytes.splice(at..at, noise);
            format!("{count} bytes of noise put in at {at}")
        }
    };
    Hit { what, bytes }
}

/// Where the commands of a log without damage begin, and its end.
pub(crate) fn starts(log: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut at = 0;
    while at < log.len() {
        at += match log[at] {
            b'#' => line(log, at).1,
            _ => whole(log, at),
        };
        starts.push(at);
    }
    starts
}

/// The number behind the first byte of a line, and the line's length.
fn line(log: &[u8], at: usize) -> (usize, usize) {
    let len = log[at..].iter().position(|&b| b == b'\n').expect("a line") + 1;
    let digits = log[at + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |n, byte| n * 10 + usize::from(byte - b'0'));
    (number, len)
}

fn whole(log: &[u8], start: usize) -> usize {
    let (argc, mut len) = line(log, start);
    for _ in 0..argc {
        let (size, header) = line(log, start + len);
        len += header + size + 2;
    }
    len
}

/// The arguments of the commands of a log without damage; annotations have none.
pub(crate) fn commands(log: &[u8]) -> Vec<Vec<&[u8]>> {
    let starts = starts(log);
    let mut all = Vec::new();
    for &start in &starts[..starts.len() - 1] {
        let (argc, mut at) = line(log, start);
        let mut args = Vec::new();
        if log[start] == b'*' {
            for _ in 0..argc {
                let (size, header) = line(log, start + at);
                args.push(&log[start + at + header..start + at + header + size]);
                at += header + size + 2;
            }
        }
        all.push(args);
    }
    all
}

/// What can happen to the commands of a log, rather than to its bytes; `from` is where the commands
/// begin.
pub(crate) fn among_commands(log: &[u8], from: usize, chance: &mut Chance) -> Vec<Hit> {
    let starts: Vec<usize> = starts(&log[from..]).iter().map(|at| at + from).collect();
    let mut hits = Vec::new();
    let mut add = |what: String, bytes: Vec<u8>| hits.push(Hit { what, bytes });
    let without = |word: &[u8]| {
        let bytes = command(&[word]);
        let lost = starts.windows(2);
        let lost = lost.filter(|pair| log[pair[0]..pair[1]] == bytes);
        lost.map(|pair| (pair[0], [&log[..pair[0]], &log[pair[1]..]].concat()))
            .collect::<Vec<_>>()
    };
    for word in [&b"MULTI"[..], b"EXEC"] {
        for (at, bytes) in without(word) {
            add(format!("{} at {at} lost", word.escape_ascii()), bytes);
        }
    }
    let mut put = |what: &str, new: Vec<u8>| {
        let at = starts[chance.below(starts.len())];
        let bytes = [&log[..at], &new, &log[at..]].concat();
        add(format!("{what} put in at {at}"), bytes);
    };
    put("an unknown command", command(&[b"NOBODY", b"a"]));
    put("an unknown name with a NUL", command(&[b"NOB\0DY", b"a"]));
    put("SET without a value", command(&[b"SET", b"a"]));
    put("GET with two keys", command(&[b"GET", b"a", b"b"]));
    put(
        "an unknown subcommand",
        command(&[b"XGROUP", b"NOTHING", b"s", b"g"]),
    );
    put("XGROUP by itself", command(&[b"XGROUP"]));
    put("MULTI", command(&[b"MULTI"]));
    put("EXEC", command(&[b"EXEC"]));
    put("DISCARD", command(&[b"DISCARD"]));
    put("an error", command(&[b"LPUSH", b"not a list", b"x"]));
    put("SELECT of no database", command(&[b"SELECT", b"99"]));
    put("a time", b"#TS:1795229996\r\n".to_vec());
    put(
        "a lone LF for CR LF",
        b"*2\n$4\r\nINCR\r\n$1\r\nn\r\n".to_vec(),
    );
    put(
        "a negative length",
        b"*2\r\n$-4\r\nINCR\r\n$1\r\nn\r\n".to_vec(),
    );
    put("no arguments", b"*0\r\n".to_vec());
    put("a huge count", b"*9999999\r\n$4\r\nINCR\r\n".to_vec());
    put(
        "a huge length",
        b"*2\r\n$999999999\r\nINCR\r\n$1\r\nn\r\n".to_vec(),
    );
    let twice = starts[chance.below(starts.len() - 1)];
    let until = starts[starts
        .iter()
        .position(|&at| at == twice)
        .expect("it is one")
        + 1];
    let bytes = [&log[..until], &log[twice..]].concat();
    add(format!("the command at {twice} twice"), bytes);
    hits
}

/// What can happen to a manifest and to the files that it names.
pub(crate) fn of_manifest(files: &Files) -> Vec<(String, Files)> {
    let Files::Set(files) = files else {
        panic!("no set");
    };
    let text = String::from_utf8(files[MANIFEST].clone()).expect("a manifest is text");
    let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let base = lines.iter().position(|line| line.contains("type b"));
    let incrementals: Vec<usize> = (0..lines.len())
        .filter(|&n| lines[n].contains("type i"))
        .collect();
    let mut all = Vec::new();
    {
        let mut with = |what: &str, text: &[u8]| {
            let mut files = files.clone();
            files.insert(MANIFEST.to_owned(), text.to_vec());
            all.push((what.to_owned(), Files::Set(files)));
        };
        let last = lines.len() - 1;
        let but = |n: usize, new: &str| {
            let mut lines = lines.clone();
            lines[n] = new.to_owned();
            lines.concat()
        };
        let front = |new: &str| format!("{new}{text}");
        with("nothing in it", b"");
        with("only a comment", b"# nothing\n");
        with("a blank line in front", front("\n").as_bytes());
        with("a blank line behind", format!("{text}\n").as_bytes());
        with("a comment in front", front("# mine\n").as_bytes());
        with("no last line feed", &text.as_bytes()[..text.len() - 1]);
        with("CR LF", text.replace('\n', "\r\n").as_bytes());
        with("a NUL behind", format!("{text}\0").as_bytes());
        with("zeros", &vec![0; text.len()]);
        with("zeros behind", format!("{text}\0\0\0\0\n").as_bytes());
        with("the last line cut", &text.as_bytes()[..text.len() - 6]);
        with(
            "a word too many",
            but(last, &lines[last].replace('\n', " x\n")).as_bytes(),
        );
        with(
            "a pair more",
            but(last, &lines[last].replace('\n', " more x\n")).as_bytes(),
        );
        with(
            "upper case keys",
            text.replace("file", "FILE")
                .replace("seq", "Seq")
                .as_bytes(),
        );
        with("seq 0", but(last, "file x.aof seq 0 type i\n").as_bytes());
        with(
            "seq of no number",
            but(last, &lines[last].replace("seq ", "seq x")).as_bytes(),
        );
        with(
            "a path",
            but(last, &lines[last].replace("file ", "file ./")).as_bytes(),
        );
        with(
            "an unknown type",
            but(last, &lines[last].replace("type i", "type x")).as_bytes(),
        );
        with(
            "a type in full",
            but(last, &lines[last].replace("type i", "type incr")).as_bytes(),
        );
        with("no type", but(last, "file x.aof seq 7\n").as_bytes());
        with(
            "a quote without its end",
            but(last, &lines[last].replace("file ", "file \"")).as_bytes(),
        );
        let quoted = lines[last]
            .replace("file ", "file \"")
            .replace(" seq", "\" seq");
        with("a quoted name", but(last, &quoted).as_bytes());
        let escaped = quoted.replace("append", "\\x61ppend");
        with("an escaped name", but(last, &escaped).as_bytes());
        let glued = lines[last].replace("file ", "file \"\"");
        with("a word behind a quote", but(last, &glued).as_bytes());
        with(
            "a long comment",
            front(&format!("#{}\n", "x".repeat(1500))).as_bytes(),
        );
        let history = "file gone.1.incr.aof seq 1 type h\n";
        with("a history file that is gone", front(history).as_bytes());
        with(
            "a file that is not there",
            format!("{text}file no.aof seq 900 type i\n").as_bytes(),
        );
        with(
            "the lines backwards",
            lines.iter().rev().cloned().collect::<String>().as_bytes(),
        );
        with(
            "the last line twice",
            format!("{text}{}", lines[last]).as_bytes(),
        );
        let higher = lines[last].replace("seq ", "seq 9");
        with("the last file twice", format!("{text}{higher}").as_bytes());
        if let Some(base) = base {
            with("two bases", format!("{text}{}", lines[base]).as_bytes());
            with("no base", but(base, "").as_bytes());
            let behind = format!("{}{}", but(base, ""), lines[base]);
            with("the base last", behind.as_bytes());
            with("only the base", lines[base].as_bytes());
            with(
                "a base of a negative seq",
                but(base, &lines[base].replace("seq ", "seq -")).as_bytes(),
            );
        }
        if let [first, .., last] = incrementals[..] {
            with(
                "the first incremental file left out",
                but(first, "").as_bytes(),
            );
            with("the last one left out", but(last, "").as_bytes());
            let same = lines[last].replace(
                &format!("seq {}", number(&lines[last])),
                &format!("seq {}", number(&lines[first])),
            );
            with("a sequence number twice", but(last, &same).as_bytes());
            let mut swapped = lines.clone();
            swapped.swap(first, last);
            with(
                "incremental files out of order",
                swapped.concat().as_bytes(),
            );
        }
    }
    let logs: Vec<&String> = files.keys().filter(|name| *name != MANIFEST).collect();
    let mut with = |what: String, files| all.push((what, Files::Set(files)));
    let mut none = files.clone();
    none.remove(MANIFEST);
    with("no manifest".to_owned(), none);
    for name in logs {
        let mut without = files.clone();
        without.remove(name);
        with(format!("{name} lost"), without);
        let mut emptied = files.clone();
        emptied.insert(name.clone(), Vec::new());
        with(format!("{name} emptied"), emptied);
    }
    let mut more = files.clone();
    more.insert(format!("{FOLDER}/temp-rewriteaof-77.aof"), b"*1".to_vec());
    more.insert(format!("{FOLDER}/appendonly.aof.77.incr.aof"), log_of_one());
    with("an orphan and a temporary file".to_owned(), more);
    let mut beside = files.clone();
    beside.insert(SINGLE.to_owned(), log_of_one());
    with("an old file beside".to_owned(), beside);
    all
}

/// The layouts that a server takes an old single log over from, and some that look alike.
pub(crate) fn upgrades(old: &[u8]) -> Vec<(String, Files)> {
    let own = "file appendonly.aof seq 1 type b\n";
    let set = |files: &[(&str, &[u8])]| {
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        Files::Set(files.collect())
    };
    let inside = format!("{FOLDER}/appendonly.aof");
    let all: [(&str, Files); 5] = [
        ("an empty folder", set(&[(SINGLE, old)])),
        (
            "a manifest of nothing",
            set(&[(SINGLE, old), (MANIFEST, b"# nothing\n")]),
        ),
        (
            "a manifest of it, not yet moved",
            set(&[(SINGLE, old), (MANIFEST, own.as_bytes())]),
        ),
        (
            "a manifest of it, moved",
            set(&[(&inside, old), (MANIFEST, own.as_bytes())]),
        ),
        ("an empty manifest", set(&[(SINGLE, old), (MANIFEST, b"")])),
    ];
    all.map(|(what, files)| (what.to_owned(), files)).into()
}

fn log_of_one() -> Vec<u8> {
    command(&[b"SET", b"of an orphan", b"1"])
}

fn number(line: &str) -> &str {
    let rest = line.split("seq ").nth(1).expect("a sequence number");
    rest.split(' ').next().expect("it ends").trim_end()
}
