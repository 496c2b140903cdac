//! What the corpora begin with: the snapshots and logs among the test data, and random keyspaces in
//! every form that this program writes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use redkit::aof::resp;
use redkit::bytes::Element;
use redkit::encoding::lzf;
use redkit::keyspace::save::save;
use redkit::keyspace::{Keyspace, Rules};
use redkit::rdb::Scratch;
use redkit::rdb::batch::Batches;
use redkit::rdb::string::{self, Compress, StringWriter};
use redkit::rdb::value::{Encoder, walk};
use redkit::record::{DataType, Entry, Flow, RawValue, RdbType, Record, Stored};
use redkit::replay::play;

use crate::grammar::{self, Command, Random};
use crate::support::server::ServerKind;
use crate::targets::{LIKES, encoded};

/// Longest seed.
const LONGEST: usize = 3000;
const NOW: i64 = 1_795_800_000_000;

struct Seeds<'a> {
    folder: &'a Path,
    seen: HashSet<(String, Vec<u8>)>,
}

impl Seeds<'_> {
    fn add(&mut self, target: &str, head: &[u8], bytes: &[u8]) {
        let seed = [head, bytes].concat();
        if seed.len() > LONGEST || !self.seen.insert((target.to_owned(), seed.clone())) {
            return;
        }
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        let name = format!("seed-{:05}", self.seen.len());
        fs::write(folder.join(name), seed).unwrap();
    }

    fn snapshot(&mut self, bytes: &[u8], n: u8) {
        self.add("rdb", &[], bytes);
        self.add("chunks", &[n], bytes);
        self.add("segments", &[n], bytes);
        self.add("salvage", &[n % 16], bytes);
        self.add("convert", &[n, n / 3], bytes);
        self.add("json_round_trip", &[], bytes);
        // Also without a checksum, so that what is changed can still be sound.
        if bytes.len() > 8 {
            let open = [&bytes[..bytes.len() - 8], &[0; 8]].concat();
            self.add("rdb", &[], &open);
            self.add("salvage", &[n % 16], &open);
            self.add("convert", &[n.wrapping_add(5), n], &open);
        }
    }

    fn log(&mut self, bytes: &[u8], n: u8) {
        self.add("resp", &[n], bytes);
        self.add("fix", &[n, n / 5], bytes);
        self.add("replay_resp", &[n % 8, 0], bytes);
        self.add("rewrite", &[n, 4 | n & 3], bytes);
    }

    fn value(&mut self, rdb_type: RdbType, bytes: &[u8], n: u8) {
        let all = RdbType::ALL;
        let which = all.iter().position(|one| *one == rdb_type).unwrap() as u8;
        self.add("value", &[which, n], bytes);
        if let Some(which) = crate::targets::STREAMS.iter().position(|t| *t == rdb_type) {
            self.add("stream", &[which as u8, n, 0], bytes);
        }
        let at = match rdb_type {
            RdbType::HashListpackExpiry => 8,
            _ => 0,
        };
        let blob = match string::stored(bytes.get(at..).unwrap_or_default()) {
            Ok(([], Stored::Plain(Element::Bytes(blob)))) => blob.to_vec(),
            Ok(([], Stored::Lzf { data, len })) => {
                self.add("lzf", &(len as u16).to_le_bytes(), data);
                let mut out = Vec::new();
                lzf::decompress_into(data, len, &mut out).unwrap();
                out
            }
            _ => return,
        };
        if let Some(which) = crate::targets::PACKED.iter().position(|t| *t == rdb_type) {
            self.add("packed", &[which as u8, n], &blob);
        }
        let target = match rdb_type {
            RdbType::SetIntset => "intset",
            RdbType::ListZiplist | RdbType::ZsetZiplist | RdbType::HashZiplist => "ziplist",
            RdbType::HashZipmap => "zipmap",
            RdbType::String => return,
            _ => "listpack",
        };
        self.add(target, &[], &blob);
        if blob.len() < 250 {
            let node = [&[2, blob.len() as u8], &blob[..]].concat();
            let which = u8::from(target == "ziplist");
            self.add("quicklist", &[which, n], &[&node[..], &node].concat());
        }
    }
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    for path in found {
        match path.is_dir() {
            true => files(&path, all),
            false => all.push(path),
        }
    }
}

/// Writes all of them.
pub(crate) fn write(folder: &Path) {
    let mut seeds = Seeds {
        folder,
        seen: HashSet::new(),
    };
    kept(&mut seeds);
    for (n, kind) in ServerKind::ALL.into_iter().enumerate() {
        for seed in 0..40 {
            random(&mut seeds, kind, n as u8, seed);
        }
    }
    small(&mut seeds);
}

/// The files among the test data.
fn kept(seeds: &mut Seeds<'_>) {
    let mut all = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"),
        &mut all,
    );
    for (n, path) in all.iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        let n = n as u8;
        match path.extension().and_then(|name| name.to_str()) {
            Some("rdb") => seeds.snapshot(&bytes, n),
            Some("aof") => seeds.log(&bytes, n),
            Some("manifest") => seeds.add("manifest", &[], &bytes),
            Some("ndjson") => seeds.add("from_json", &[], &bytes),
            _ => {}
        }
    }
}

fn like(kind: ServerKind) -> usize {
    let name = match kind {
        ServerKind::Redis62 => "redis-6.2",
        ServerKind::Redis70 => "redis-7.0",
        ServerKind::Redis82 => "redis-8.2",
        ServerKind::Valkey81 => "valkey-8.1",
        ServerKind::Valkey91 => "valkey-9.1",
    };
    LIKES.iter().position(|known| *known == name).unwrap()
}

/// A random log, and what comes of it.
fn random(seeds: &mut Seeds<'_>, kind: ServerKind, n: u8, seed: u64) {
    let mut random = Random::new(seed * 5 + u64::from(n));
    let count = [3, 8, 25, 60, 120][seed as usize % 5];
    let mut commands = Vec::new();
    for _ in 0..count {
        if let Command::Plain(args) = grammar::command(&mut random, kind, NOW) {
            commands.push(args);
        }
    }
    let like = like(kind) as u8;
    seeds.add("replay", &[like, 0], &encoded(&commands));
    seeds.add("rewrite", &[like, seed as u8 & 3], &encoded(&commands));
    let mut log = Vec::new();
    for command in &commands {
        resp::write_command(command.iter().map(Vec::as_slice), &mut log);
    }
    seeds.log(&log, seed as u8);
    let rules = Rules::new(LIKES[usize::from(like)].parse().unwrap(), None);
    let mut keyspace = Keyspace::new(rules, 1);
    let _ = play(&mut keyspace, 1, 1 << 32, |player| {
        player.begin_file();
        for command in &commands {
            let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            let _ = player.play(0, &args);
        }
    });
    let mut snapshot = Vec::new();
    let saved = save(&keyspace, |chunk| {
        snapshot.extend_from_slice(chunk);
        Ok(())
    });
    if saved.is_err() {
        return;
    }
    seeds.snapshot(&snapshot, (seed as u8).wrapping_mul(7).wrapping_add(n));
    json(seeds, &snapshot);
    values(seeds, &snapshot, n);
}

/// Its JSON.
fn json(seeds: &mut Seeds<'_>, snapshot: &[u8]) {
    let folder = crate::support::TempFolder::new();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, snapshot).unwrap();
    let words = ["dump-to-json", "--with", "meta", path.to_str().unwrap()];
    let text = crate::support::dump::redkit_ok(&words);
    seeds.add("from_json", &[], text.as_bytes());
    for line in text.lines().filter(|line| line.contains("\"key\"")).take(6) {
        seeds.add("from_json", &[], line.as_bytes());
    }
}

/// Every value, in every type that can hold it, alone and as a snapshot of one key.
fn values(seeds: &mut Seeds<'_>, snapshot: &[u8], n: u8) {
    let mut batches = Batches::of_map(snapshot);
    let mut scratch = Scratch::default();
    while let Some(batch) = batches.next_batch().unwrap() {
        let each = |record: &Record<'_>| {
            if let Record::Entry(entry) = record {
                one(seeds, entry, &mut scratch, n);
            }
            Ok(Flow::Continue)
        };
        batch.for_each(each).unwrap();
    }
}

fn one(seeds: &mut Seeds<'_>, entry: &Entry<'_>, scratch: &mut Scratch, n: u8) {
    let RawValue {
        rdb_type, bytes, ..
    } = entry.value;
    if bytes.len() > 700 {
        return;
    }
    seeds.value(rdb_type, bytes, n);
    if rdb_type.data_type() == DataType::Module {
        if let Ok((items, id)) = string::number(bytes) {
            let which = match id >> 10 {
                _ if items.is_empty() => 4,
                _ => 3,
            };
            seeds.add("module", &[which, id as u8], items);
        }
        return;
    }
    for &to in RdbType::ALL {
        if to.data_type() != rdb_type.data_type() {
            continue;
        }
        let Ok(mut encoder) = Encoder::new(to, Compress::AsServer) else {
            continue;
        };
        let mut out = Vec::new();
        let told = walk(&entry.value, scratch, &mut encoder);
        if told.is_ok() && encoder.finish(&mut out).is_ok() {
            seeds.value(to, &out, n);
            let snapshot = of_one(to, &out);
            for target in ["rdb", "json_round_trip"] {
                seeds.add(target, &[], &snapshot);
            }
            seeds.add("chunks", &[n], &snapshot);
            seeds.add("convert", &[to.number(), n], &snapshot);
        }
    }
}

/// A snapshot of one key, without a checksum.
fn of_one(rdb_type: RdbType, bytes: &[u8]) -> Vec<u8> {
    let mut out = match rdb_type {
        RdbType::HashValkey => b"VALKEY080".to_vec(),
        RdbType::Stream4 | RdbType::Stream5 | RdbType::Array => b"REDIS0014".to_vec(),
        _ => b"REDIS0012".to_vec(),
    };
    out.push(rdb_type.number());
    StringWriter::new(Compress::Never).bytes(b"k", &mut out);
    out.extend_from_slice(bytes);
    out.push(255);
    out.extend([0; 8]);
    out
}

/// What is nowhere among the others.
fn small(seeds: &mut Seeds<'_>) {
    // Many small keys, so that there are segments.
    for (n, len) in [(0, 3), (1, 30), (2, 1), (3, 9)] {
        let mut out = b"REDIS0011\xfe\x00".to_vec();
        for key in 0..1200 / (len + 8) * 3 {
            if key % 40 == 39 {
                out.extend([0xfe, (key / 40 % 3) as u8]);
            }
            out.push(0);
            StringWriter::new(Compress::Never).bytes(format!("k{key}").as_bytes(), &mut out);
            StringWriter::new(Compress::Never).bytes(&b"v".repeat(len), &mut out);
        }
        out.push(255);
        out.extend([0; 8]);
        seeds.snapshot(&out, n);
        seeds.add("segments", &[2 * n], &out);
    }
    for text in [
        "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n",
        "file \"a b\\x41.1.base.rdb\" seq 1 type b startoffset 5 endoffset 9\n",
        "#comment\nfile a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\n",
        "file a.1.incr.aof seq 1 type i other thing\nfile a.2.incr.aof seq 2 type i\n",
    ] {
        seeds.add("manifest", &[], text.as_bytes());
    }
    for (len, data) in [
        (6u16, &b"\x00ab\xa0\x00"[..]),
        (4, b"\x03abcd"),
        (300, b"\x00a\xe0\xff\x00\x40\x00"),
    ] {
        seeds.add("lzf", &len.to_le_bytes(), data);
    }
    // A zipmap of two pairs, alone and packed.
    let zipmap = b"\x02\x01a\x01\x00b\x02cd\x02\x01efg\xff";
    seeds.add("zipmap", &[], zipmap);
    seeds.add("packed", &[0, 0], zipmap);
    for which in 0..5 {
        seeds.add("module", &[which, 0], b"\x02\x05\x05\x03abc\x00");
        seeds.add(
            "module",
            &[which, 3],
            b"\x01\x01\x02\x02\x04\0\0\0\0\0\0\0\0\x05\x02{}\x00",
        );
    }
}
