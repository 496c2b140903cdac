//! Values of snapshots put together by hand: nothing of the library's writers is used, so that the
//! bytes come from neither reader nor writer.

/// A string of a value, or an integer stored as such.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Int(i64),
    Str(&'a [u8]),
}

/// A length in its shortest form.
pub(crate) fn length(n: usize) -> Vec<u8> {
    match n {
        0..=63 => vec![n as u8],
        64..=16_383 => (n as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => [&[0x80], &(n as u32).to_be_bytes()[..]].concat(),
    }
}

/// A string with its length in front.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes.len()), bytes].concat()
}

/// The same string in LZF, which here is stretches of literal bytes only.
pub(crate) fn lzf_string(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for run in bytes.chunks(32) {
        packed.push((run.len() - 1) as u8);
        packed.extend(run);
    }
    let lengths = [length(packed.len()), length(bytes.len())].concat();
    [&[0xc3], &lengths[..], &packed].concat()
}

/// A count and strings.
pub(crate) fn strings(items: &[&[u8]], group: usize) -> Vec<u8> {
    let mut out = length(items.len() / group);
    for item in items {
        out.extend(string(item));
    }
    out
}

/// A listpack. Integers take the shortest of their forms, as servers write them.
pub(crate) fn listpack(items: &[Item<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for item in items {
        let mut entry = Vec::new();
        match *item {
            Item::Int(n) => match n {
                0..=127 => entry.push(n as u8),
                -4096..=4095 => {
                    entry.push(0xc0 | (n >> 8 & 0x1f) as u8);
                    entry.push(n as u8);
                }
                -32_768..=32_767 => little_endian(&mut entry, 0xf1, n, 2),
                -8_388_608..=8_388_607 => little_endian(&mut entry, 0xf2, n, 3),
                -2_147_483_648..=2_147_483_647 => little_endian(&mut entry, 0xf3, n, 4),
                _ => little_endian(&mut entry, 0xf4, n, 8),
            },
            Item::Str(bytes) => {
                match bytes.len() {
                    len @ 0..=63 => entry.push(0x80 | len as u8),
                    len @ 64..=4095 => {
                        entry.push(0xe0 | (len >> 8) as u8);
                        entry.push(len as u8);
                    }
                    len => {
                        entry.push(0xf0);
                        entry.extend((len as u32).to_le_bytes());
                    }
                }
                entry.extend(bytes);
            }
        }
        let size = entry.len();
        body.extend(entry);
        let groups = match size {
            0..=127 => 1,
            128..=16_382 => 2,
            16_383..=2_097_150 => 3,
            2_097_151..=268_435_454 => 4,
            _ => 5,
        };
        for group in (0..groups).rev() {
            let more = if group + 1 == groups { 0 } else { 0x80 };
            body.push(more | (size >> (7 * group) & 0x7f) as u8);
        }
    }
    let mut out = ((body.len() + 7) as u32).to_le_bytes().to_vec();
    out.extend((items.len().min(65_535) as u16).to_le_bytes());
    out.extend(body);
    out.push(0xff);
    out
}

/// A ziplist. Integers take the shortest of their forms, as servers write them.
pub(crate) fn ziplist(items: &[Item<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut previous = 0;
    let mut tail = 10;
    for item in items {
        let mut entry = Vec::new();
        match previous {
            0..=253 => entry.push(previous as u8),
            _ => {
                entry.push(0xfe);
                entry.extend((previous as u32).to_le_bytes());
            }
        }
        match *item {
            Item::Int(n) => match n {
                0..=12 => entry.push(0xf1 + n as u8),
                -128..=127 => little_endian(&mut entry, 0xfe, n, 1),
                -32_768..=32_767 => little_endian(&mut entry, 0xc0, n, 2),
                -8_388_608..=8_388_607 => little_endian(&mut entry, 0xf0, n, 3),
                -2_147_483_648..=2_147_483_647 => little_endian(&mut entry, 0xd0, n, 4),
                _ => little_endian(&mut entry, 0xe0, n, 8),
            },
            Item::Str(bytes) => {
                match bytes.len() {
                    len @ 0..=63 => entry.push(len as u8),
                    len @ 64..=16_383 => entry.extend((len as u16 | 0x4000).to_be_bytes()),
                    len => {
                        entry.push(0x80);
                        entry.extend((len as u32).to_be_bytes());
                    }
                }
                entry.extend(bytes);
            }
        }
        tail = 10 + body.len();
        previous = entry.len();
        body.extend(entry);
    }
    let mut out = ((body.len() + 11) as u32).to_le_bytes().to_vec();
    out.extend((tail as u32).to_le_bytes());
    out.extend((items.len().min(65_535) as u16).to_le_bytes());
    out.extend(body);
    out.push(0xff);
    out
}

/// A zipmap; every value has this many unused bytes behind it.
pub(crate) fn zipmap(pairs: &[(&[u8], &[u8])], free: u8) -> Vec<u8> {
    let size = |len: usize| match len {
        0..=253 => vec![len as u8],
        _ => [&[0xfe], &(len as u32).to_le_bytes()[..]].concat(),
    };
    let mut out = vec![pairs.len().min(254) as u8];
    for (field, value) in pairs {
        out.extend(size(field.len()));
        out.extend(*field);
        out.extend(size(value.len()));
        out.push(free);
        out.extend(*value);
        out.extend(vec![b'?'; usize::from(free)]);
    }
    out.push(0xff);
    out
}

/// An intset of this width, whose members must ascend.
pub(crate) fn intset(width: usize, members: &[i64]) -> Vec<u8> {
    let mut out = (width as u32).to_le_bytes().to_vec();
    out.extend((members.len() as u32).to_le_bytes());
    for member in members {
        out.extend(&member.to_le_bytes()[..width]);
    }
    out
}

/// A score as text with its length, as type 3 has it.
pub(crate) fn score_text(score: f64) -> Vec<u8> {
    if score == f64::INFINITY {
        return vec![254];
    }
    if score == f64::NEG_INFINITY {
        return vec![255];
    }
    let text = match score.abs() {
        0.0 | 1e-5..1e17 => format!("{score}"),
        _ => format!("{score:e}"),
    };
    [&[text.len() as u8], text.as_bytes()].concat()
}

/// The argument of RESTORE: type, value, version, checksum.
pub(crate) fn restore(rdb_type: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut out = [&[rdb_type], value, &version.to_le_bytes()].concat();
    let checksum = redkit::encoding::crc64::checksum(&out);
    out.extend(checksum.to_le_bytes());
    out
}

/// A file of these records.
pub(crate) fn file(magic: &[u8; 9], records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = magic.to_vec();
    for record in records {
        out.extend(record);
    }
    out.push(0xff);
    if magic > b"REDIS0004" {
        let checksum = redkit::encoding::crc64::checksum(&out);
        out.extend(checksum.to_le_bytes());
    }
    out
}

/// The record of a key without expiry.
pub(crate) fn record(rdb_type: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    [&[rdb_type], &string(key)[..], value].concat()
}

fn little_endian(out: &mut Vec<u8>, encoding: u8, n: i64, bytes: usize) {
    out.push(encoding);
    out.extend(&n.to_le_bytes()[..bytes]);
}
