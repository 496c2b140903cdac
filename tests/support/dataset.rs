//! A data set of every type and every form that a server gives it, with the odd values that readers
//! get wrong. The same on every run.

use super::resp::{Client, Reply};
use super::server::ServerKind;
use crate::cmd;

/// Adds a command to a batch, word by word.
macro_rules! put {
    ($batch:expr, $($word:expr),+ $(,)?) => {
        $batch.0.push(vec![$(::core::convert::AsRef::<[u8]>::as_ref(&$word).to_vec()),+])
    };
}

mod collections;
mod expiries;
mod streams;

/// Collects commands and sends them at once.
struct Batch(Vec<Vec<Vec<u8>>>);

impl Batch {
    fn new() -> Batch {
        Batch(Vec::new())
    }

    /// A command whose words are apart by spaces.
    fn line(&mut self, line: &str) {
        self.many(&[], line.split(' '));
    }

    /// A command with many words.
    fn many<A: AsRef<[u8]>>(&mut self, command: &[&[u8]], words: impl IntoIterator<Item = A>) {
        let mut all: Vec<Vec<u8>> = command.iter().map(|word| word.to_vec()).collect();
        all.extend(words.into_iter().map(|word| word.as_ref().to_vec()));
        self.0.push(all);
    }

    #[track_caller]
    fn send(self, client: &mut Client) {
        let replies = client.pipeline(&self.0);
        for (command, reply) in self.0.iter().zip(replies) {
            if let Reply::Error(error) = reply {
                let words: Vec<String> = command
                    .iter()
                    .take(6)
                    .map(|word| word.escape_ascii().take(40).map(char::from).collect())
                    .collect();
                panic!("{}: {}", words.join(" "), error.escape_ascii());
            }
        }
    }
}

/// Fills an empty server. Nothing of it passes before the year 2099.
#[track_caller]
pub(crate) fn fill(client: &mut Client, kind: ServerKind) {
    strings(client);
    collections::fill(client, kind);
    streams::fill(client, kind);
    expiries::fill(client, kind);
    if kind.has_functions() {
        functions(client);
    }
    databases(client);
}

/// Every number around the edges of all widths that an encoding has: 6 to 8 bits, 12 to 14, 15 and
/// 16, 23 and 24, 31 and 32, 63.
pub(crate) fn edges() -> Vec<i64> {
    let mut edges = vec![
        0,
        10,
        11,
        12,
        13,
        14,
        100,
        i64::MIN,
        i64::MIN + 1,
        i64::MAX,
        i64::MAX - 1,
    ];
    for bits in [6, 7, 8, 12, 13, 14, 15, 16, 23, 24, 31, 32, 47, 53] {
        let edge = 1i64 << bits;
        for n in [edge - 1, edge, edge + 1] {
            edges.extend([n, -n]);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Texts that look like numbers and are none, or none that may be stored as one.
const NEARLY_NUMBERS: &[&[u8]] = &[
    b"-0",
    b"+1",
    b"007",
    b"00",
    b" 1",
    b"1 ",
    b"-",
    b"1e3",
    b"0x10",
    b"1.0",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551615",
    b"99999999999999999999",
    b"inf",
    b"nan",
    b"\x001",
];

/// Texts that writers of JSON get wrong, and bytes that are no text.
pub(crate) const ODD_STRINGS: &[&[u8]] = &[
    b"",
    b"\"quoted\" \\ back / slash",
    b"\x00\x01\x1f\x7f\t\r\n\x08\x0c",
    b"\xff",
    b"k\xff\x00\xfe",
    b"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
    b"\xef\xbb\xbfbom",
    b"\xe2\x80\xa8\xe2\x80\xa9",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"cut \xe2\x82",
    b"\x00b64:AAEC",
    b"$b64",
    b"{\"$b64\":\"AAEC\"}",
    b"REDIS0011\xff",
];

/// Lengths around the edges of every form of a length.
const LENGTHS: &[usize] = &[
    0, 1, 19, 20, 21, 24, 62, 63, 64, 65, 127, 128, 253, 254, 255, 256, 1023, 4094, 4095, 4096,
    8191, 8192, 16_382, 16_383, 16_384, 65_535, 65_536, 70_000,
];

/// Bytes without any order, from a seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// Bytes that compress: stretches of noise, runs, and copies from some way back.
pub(crate) fn compressible(seed: u64, len: usize) -> Vec<u8> {
    let choices = noise(seed, len / 4 + 16);
    let mut out = Vec::with_capacity(len + 600);
    for choice in choices.chunks_exact(4) {
        if out.len() >= len {
            break;
        }
        let size = usize::from(choice[1]) * 2 + 3;
        match choice[0] % 4 {
            0 => out.extend(choice),
            1 => out.extend(vec![choice[2]; size]),
            _ => {
                let back = (usize::from(choice[2]) << 8 | usize::from(choice[3])) % 9000 + 1;
                let back = back.min(out.len());
                for _ in 0..size.min(back * 50) {
                    out.push(out[out.len() - back]);
                }
            }
        }
    }
    out.resize(len, b'.');
    out
}

fn strings(client: &mut Client) {
    let mut batch = Batch::new();
    for n in edges() {
        put!(batch, "SET", format!("s:int:{n}"), n.to_string());
        // Names are stored as integers as well.
        put!(batch, "SET", n.to_string(), "named by a number");
    }
    for (i, text) in NEARLY_NUMBERS.iter().enumerate() {
        put!(batch, "SET", format!("s:nearly:{i}"), text);
        put!(batch, "SET", text, "named nearly by a number");
    }
    for (i, text) in ODD_STRINGS.iter().enumerate() {
        put!(batch, "SET", format!("s:odd:{i}"), text);
        put!(batch, "SET", text, "oddly named");
    }
    for &len in LENGTHS {
        let seed = len as u64;
        put!(batch, "SET", format!("s:run:{len}"), vec![b'r'; len]);
        put!(batch, "SET", format!("s:noise:{len}"), noise(seed, len));
        put!(
            batch,
            "SET",
            format!("s:mix:{len}"),
            compressible(seed, len)
        );
        let text = b"\xc3\xa9t\xc3\xa9 ".repeat(len / 6 + 1);
        put!(batch, "SET", format!("s:text:{len}"), text);
        if len > 0 {
            // Long names, compressed and not.
            put!(batch, "SET", vec![b'K'; len], "a long name");
            put!(batch, "SET", noise(seed + 7, len), "a noisy name");
        }
    }
    // Runs whose length stands at the edges of an instruction of LZF.
    for len in (22..48).chain(260..300).chain(520..540) {
        put!(batch, "SET", format!("s:lzf:{len}"), vec![b'x'; len]);
    }
    put!(batch, "SET", "s:zeros", vec![0; 3 << 20]);
    put!(batch, "SET", "s:noise:5m", noise(5, 5 << 20));
    put!(batch, "SET", "s:mix:5m", compressible(5, 5 << 20));
    put!(batch, "SET", "s:text:5m", b"line of text\n".repeat(400_000));
    // A number that is no longer stored as one in memory.
    put!(batch, "SET", "s:appended", "12");
    put!(batch, "APPEND", "s:appended", "34");
    put!(batch, "SETRANGE", "s:range", "5", "five");
    put!(batch, "SETBIT", "bits", "100000", "1");
    put!(batch, "SETBIT", "bits", "7", "1");
    put!(
        batch,
        "BITFIELD",
        "bitfield",
        "SET",
        "i40",
        "17",
        "-123456789"
    );
    put!(batch, "INCRBYFLOAT", "s:float", "3.1415926535897931");
    put!(batch, "PFADD", "hll:sparse", "a", "b", "c");
    put!(batch, "PFADD", "hll:empty");
    put!(batch, "PFADD", "hll:dense", "a", "b", "c");
    put!(batch, "PFDEBUG", "TODENSE", "hll:dense");
    batch.many(
        &[b"PFADD", b"hll:large"],
        (0..30_000).map(|i| format!("element {i}")),
    );
    batch.send(client);
}

/// Sources of function libraries, in the order of their names.
pub(crate) const LIBRARIES: [&str; 2] = [
    "#!lua name=first\nredis.register_function('one', function() return 1 end)\n",
    "#!lua name=second\n-- \"quoted\", \\ and \u{e9}\nlocal function two(keys, args)\n  return #keys + #args\nend\n\
     redis.register_function{function_name='two', callback=two, flags={'no-writes'}}\n",
];

/// Loads the libraries.
#[track_caller]
pub(crate) fn functions(client: &mut Client) {
    for source in LIBRARIES {
        cmd!(client, "FUNCTION", "LOAD", source).text();
    }
}

/// Keys in every other database, some of the same name.
fn databases(client: &mut Client) {
    for db in 1..16 {
        let mut batch = Batch::new();
        put!(batch, "SELECT", db.to_string());
        put!(batch, "SET", "same name", format!("in {db}"));
        put!(
            batch,
            "SET",
            format!("only in {db}"),
            db.to_string(),
            "PXAT",
            "33333333333333"
        );
        put!(batch, "RPUSH", "a list", "x", db.to_string());
        batch.send(client);
    }
    cmd!(client, "SELECT", "0").ok();
}
