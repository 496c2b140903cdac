//! Values in file form: framing against decoding, the count against what is told, every type that can
//! hold the same against the first, and the value in memory against the file.

use redkit::command::Like;
use redkit::keyspace::{Rules, load};
use redkit::rdb::Scratch;
use redkit::rdb::string::{Compress, StringWriter, write_number};
use redkit::rdb::value::count::{CountElements, elements};
use redkit::rdb::value::{Encoder, extent, walk};
use redkit::record::{DataType, RawValue, RdbType, Walk};

use super::common::Told;
use super::replay::LIKES;

/// Types whose value is one packed blob.
pub(crate) const PACKED: [RdbType; 10] = [
    RdbType::HashZipmap,
    RdbType::ListZiplist,
    RdbType::SetIntset,
    RdbType::ZsetZiplist,
    RdbType::HashZiplist,
    RdbType::HashListpack,
    RdbType::ZsetListpack,
    RdbType::SetListpack,
    RdbType::HashListpackExpiryRc,
    RdbType::HashListpackExpiry,
];

pub(crate) const STREAMS: [RdbType; 5] = [
    RdbType::Stream1,
    RdbType::Stream2,
    RdbType::Stream3,
    RdbType::Stream4,
    RdbType::Stream5,
];

/// Modules whose values are decoded, by the nine characters of their type.
const MODULES: [&[u8; 9]; 5] = [
    b"ReJSON-RL",
    b"MBbloom--",
    b"TSDB-TYPE",
    b"vectorset",
    b"unknown-x",
];

fn pick<T: Copy>(from: &[T], by: u8) -> T {
    from[usize::from(by) % from.len()]
}

/// One string of a file, as it is.
fn string(bytes: &[u8], out: &mut Vec<u8>) {
    StringWriter::new(Compress::Never).bytes(bytes, out);
}

/// A type and the bytes of a value.
pub(super) fn any(data: &[u8]) {
    if let Some((&[which, like], bytes)) = data.split_first_chunk() {
        value(pick(RdbType::ALL, which), bytes, pick(&LIKES, like));
    }
}

/// A type and a blob, which becomes the value's only string.
pub(super) fn packed(data: &[u8]) {
    if let Some((&[which, like], blob)) = data.split_first_chunk() {
        let rdb_type = pick(&PACKED, which);
        let mut bytes = Vec::new();
        if rdb_type == RdbType::HashListpackExpiry {
            bytes.extend_from_slice(&u64::from(like).to_le_bytes());
        }
        string(blob, &mut bytes);
        value(rdb_type, &bytes, pick(&LIKES, like));
    }
}

/// Nodes of a list, each with its length before it.
pub(super) fn quicklist(data: &[u8]) {
    let Some((&[which, like], mut rest)) = data.split_first_chunk() else {
        return;
    };
    let is_new = which % 2 == 0;
    let (mut nodes, mut bytes) = (0, Vec::new());
    while let Some((&[form, len], after)) = rest.split_first_chunk() {
        let (blob, after) = after.split_at(usize::from(len).min(after.len()));
        if is_new {
            write_number(u64::from(form), &mut bytes);
        }
        string(blob, &mut bytes);
        nodes += 1;
        rest = after;
    }
    let mut all = Vec::new();
    write_number(nodes, &mut all);
    all.extend(bytes);
    let rdb_type = match is_new {
        true => RdbType::Quicklist2,
        false => RdbType::Quicklist,
    };
    value(rdb_type, &all, pick(&LIKES, like));
}

/// Nodes of a stream, each an ID and a listpack with its length before it; then the rest as it is.
pub(super) fn stream(data: &[u8]) {
    let Some((&[which, like, nodes], mut rest)) = data.split_first_chunk() else {
        return;
    };
    let mut bytes = Vec::new();
    let nodes = nodes % 4;
    write_number(u64::from(nodes), &mut bytes);
    for _ in 0..nodes {
        let Some((&[ms, seq, len], after)) = rest.split_first_chunk() else {
            return;
        };
        let mut id = [0; 16];
        (id[7], id[15]) = (ms, seq);
        string(&id, &mut bytes);
        let (blob, after) = after.split_at(usize::from(len).min(after.len()));
        string(blob, &mut bytes);
        rest = after;
    }
    bytes.extend_from_slice(rest);
    value(pick(&STREAMS, which), &bytes, pick(&LIKES, like));
}

/// A module by its name, the version of its encoding, and its items.
pub(super) fn module(data: &[u8]) {
    let Some((&[which, version], items)) = data.split_first_chunk() else {
        return;
    };
    let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = |c: &u8| characters.iter().position(|known| known == c);
    let id = pick(&MODULES, which).iter().fold(0, |id, c| {
        id << 6 | number(c).expect("a known character") as u64
    });
    let mut bytes = Vec::new();
    write_number(id << 10 | u64::from(version), &mut bytes);
    bytes.extend_from_slice(items);
    value(RdbType::Module, &bytes, LIKES[2]);
}

/// Holds everything that reads or writes a value against each other.
pub(super) fn value(rdb_type: RdbType, bytes: &[u8], like: &str) {
    let raw = RawValue {
        rdb_type,
        bytes,
        at: 0,
    };
    let mut scratch = Scratch::default();
    let mut told = Told::default();
    let walked = walk(&raw, &mut scratch, &mut told);
    match extent(rdb_type, bytes) {
        Ok((rest, ())) => assert!(rest.is_empty() || walked.is_err(), "{rdb_type:?}: a rest"),
        Err(error) => assert!(walked.is_err(), "{rdb_type:?}: {error:?}"),
    }
    let counted = elements(&raw, &mut scratch);
    let like: Like = like.parse().expect("a server");
    let rules = Rules::new(like, None);
    let loaded = load(&raw, &mut scratch, &rules);
    if let Err(error) = &walked {
        let place = error.place().expect("a place");
        assert!(place.offset <= bytes.len() as u64, "{error}");
        return;
    }
    if !told.flaws.is_empty() {
        return;
    }
    let mut count = CountElements::default();
    walk(&raw, &mut scratch, &mut count).expect("it was walked before");
    assert_eq!(counted.ok(), Some(count.total()), "{rdb_type:?}");
    encoded(&raw, &told, &mut scratch);
    let in_memory = loaded.expect("a value that can be walked");
    let of = rdb_type.data_type();
    let is_plain = matches!(
        of,
        DataType::String | DataType::List | DataType::Set | DataType::ZSet | DataType::Hash
    );
    // Redis does not load the types of others, in which alone a field may expire at 0.
    let is_theirs = matches!(rdb_type, RdbType::HashValkey | RdbType::DragonflyHash);
    let is_foreign = is_theirs && !rules.is_valkey();
    if !is_plain || is_foreign || told.has_twice() {
        return;
    }
    match in_memory {
        None => assert!(told.lines.is_empty(), "{told:?}"),
        Some(value) => {
            let mut again = Told::default();
            value.walk(&mut again).expect("a value in memory");
            assert_eq!(again.settled(), told.settled(), "{rdb_type:?} in memory");
        }
    }
}

/// Writes the value in every type of its kind, and reads that.
fn encoded(raw: &RawValue<'_>, told: &Told, scratch: &mut Scratch) {
    let of = raw.rdb_type.data_type();
    for &to in RdbType::ALL {
        let is_lossy = of == DataType::Stream && to != raw.rdb_type;
        if to.data_type() != of || is_lossy {
            continue;
        }
        let Ok(mut encoder) = Encoder::new(to, Compress::AsServer) else {
            continue;
        };
        let mut out = Vec::new();
        if walk(raw, scratch, &mut encoder).is_err() || encoder.finish(&mut out).is_err() {
            continue;
        }
        let written = RawValue {
            rdb_type: to,
            bytes: &out,
            at: 0,
        };
        let has_expiry = matches!(
            to,
            RdbType::HashExpiry | RdbType::HashListpackExpiry | RdbType::HashValkey
        );
        let mut first = Told {
            no_field_expiry: !has_expiry,
            ..Told::default()
        };
        walk(raw, scratch, &mut first).expect("it was walked before");
        let mut second = Told {
            no_field_expiry: !has_expiry,
            ..Told::default()
        };
        let read = walk(&written, scratch, &mut second);
        assert!(read.is_ok(), "{:?} as {to:?}: {read:?}", raw.rdb_type);
        assert_eq!(second.flaws, [], "{:?} as {to:?}", raw.rdb_type);
        let (mut first, mut second) = (first.settled(), second.settled());
        if of == DataType::Set || told.has_twice() {
            first.dedup();
            second.dedup();
        }
        assert_eq!(first, second, "{:?} as {to:?}", raw.rdb_type);
    }
}
