//! TSDB-TYPE, the series of RedisTimeSeries, versions 0 to 9.
//!
//! ```text
//!        STRING key, UINT retention ms, UINT chunk bytes (below 2: samples of 16 bytes)
//! [>= 1] UINT options
//! [>= 2] UINT last timestamp, DOUBLE last value, UINT samples
//! [>= 3] UINT duplicate policy
//! [>= 2] UINT has a source key, STRING source key if so
//! [>= 8] UINT ignore up to ms, DOUBLE ignore up to difference
//!        UINT labels, each: STRING name, STRING value
//!        UINT rules, each: STRING destination, UINT bucket ms, [>= 6] UINT alignment,
//!                          UINT aggregation, UINT bucket start, [>= 9] UINT valid samples,
//!                          the aggregation's state, see `state`
//! [<  2] UINT samples, each: UINT timestamp, DOUBLE value
//! [>= 2] UINT chunks, each
//!          as it is:   UINT first timestamp, UINT samples, UINT size,
//!                      STRING samples of i64 LE timestamp, f64 LE value, then unused room
//!          compressed: UINT size, UINT samples, UINT bit index, UINT first value,
//!                      UINT first timestamp, UINT last timestamp, UINT last delta,
//!                      UINT last value, UINT leading, UINT trailing, STRING data
//! ```
//!
//! Defined by `series_rdb_save` and `series_rdb_load` of RedisTimeSeries. Told is
//!
//! ```json
//! {"key":"t","retention_ms":0,"chunk_bytes":4096,"options":1,"last_timestamp":2,"last_value":1.5,
//!  "total_samples":2,"duplicate_policy":"block","source_key":null,"ignore_max_time_diff":0,
//!  "ignore_max_value_diff":0.0,"labels":[["sensor","7"]],
//!  "rules":[{"destination":"u","bucket_ms":60000,"alignment":0,"aggregation":"avg",
//!            "bucket_start":0,"valid_samples":1,"state":[3.0,2.0,0]}],
//!  "chunks":[{"compressed":false,"first_timestamp":1,"samples":[[1,1.0],[2,1.5]]}]}
//! ```
//!
//! * `options` is a sum, 1 says that chunks are not compressed, 2 that they are.
//! * `state` is what the aggregation keeps of the bucket under way, in the order of the file.
//! * A compressed chunk (an XOR bit stream in 64-bit words, whose samples are not unpacked) is
//!   `{"compressed":true,"count":9,"first_timestamp":1,"first_value":1.0,"last_timestamp":9,`
//!   `"last_delta":1,"last_value":1.5,"bit_index":70,"leading":12,"trailing":40,"data":"…"}`.
//! * The samples of versions 0 and 1 are told as one chunk.

use crate::record::value::{ModuleItem, Node};

use super::decode::{Decoded, Decoding, Miss, Text};

const SAMPLE: usize = 16;

/// The words of `DUPLICATE_POLICY`, by number.
const POLICIES: [&str; 7] = ["none", "block", "last", "first", "min", "max", "sum"];

/// The words of `AGGREGATION`, by number, from 1 on.
const AGGREGATIONS: [&str; 15] = [
    "min", "max", "sum", "avg", "count", "first", "last", "range", "std.p", "std.s", "var.p",
    "var.s", "twa", "countnan", "countall",
];

/// Versions 0 to 9.
pub(super) fn decode(cx: &mut Decoding<'_, '_>, version: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    cx.bytes("key")?;
    cx.uint("retention_ms")?;
    let mut size = cx.items.uint()?;
    if version < 2 {
        size = size.checked_mul(SAMPLE as u64).ok_or(Miss::Layout)?;
    }
    cx.tell.member("chunk_bytes", Node::Uint(size))?;
    cx.uint_if(version >= 1, "options")?;
    cx.uint_if(version >= 2, "last_timestamp")?;
    cx.double_if(version >= 2, "last_value")?;
    cx.uint_if(version >= 2, "total_samples")?;
    if version >= 3 {
        word(cx, "duplicate_policy", &POLICIES, 0)?;
    } else {
        cx.tell.member("duplicate_policy", Node::Null)?;
    }
    if version >= 2 && cx.items.uint()? != 0 {
        cx.bytes("source_key")?;
    } else {
        cx.tell.member("source_key", Node::Null)?;
    }
    cx.uint_if(version >= 8, "ignore_max_time_diff")?;
    cx.double_if(version >= 8, "ignore_max_value_diff")?;
    cx.tell.member("labels", Node::Array)?;
    for _ in 0..cx.items.uint()? {
        cx.tell.node(Node::Array)?;
        for _ in 0..2 {
            let text = cx.items.string()?;
            cx.string(text)?;
        }
        cx.tell.node(Node::End)?;
    }
    cx.tell.node(Node::End)?;
    cx.tell.member("rules", Node::Array)?;
    for _ in 0..cx.items.uint()? {
        rule(cx, version)?;
    }
    cx.tell.node(Node::End)?;
    cx.tell.member("chunks", Node::Array)?;
    if version < 2 {
        samples(cx)?;
    } else {
        for _ in 0..cx.items.uint()? {
            chunk(cx)?;
        }
    }
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    cx.items.end()
}

/// Reads a number that stands for a word, the first word for `first`; returns the number.
fn word(cx: &mut Decoding<'_, '_>, name: &str, words: &[&str], first: u64) -> Decoded<u64> {
    let number = cx.items.uint()?;
    let word = number
        .checked_sub(first)
        .and_then(|n| usize::try_from(n).ok())
        .and_then(|n| words.get(n))
        .ok_or(Miss::Layout)?;
    cx.tell.member(name, Node::Bytes(word.as_bytes()))?;
    Ok(number)
}

fn rule(cx: &mut Decoding<'_, '_>, version: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    cx.bytes("destination")?;
    cx.uint("bucket_ms")?;
    cx.uint_if(version >= 6, "alignment")?;
    let aggregation = word(cx, "aggregation", &AGGREGATIONS, 1)?;
    cx.uint("bucket_start")?;
    cx.uint_if(version >= 9, "valid_samples")?;
    cx.tell.member("state", Node::Array)?;
    for kind in state(aggregation, version) {
        match kind {
            'd' => {
                let n = cx.items.double()?;
                cx.tell.node(Node::Double(n))?;
            }
            'u' => {
                let n = cx.items.uint()?;
                cx.tell.node(Node::Uint(n))?;
            }
            _ => {
                let text = cx.items.string()?;
                cx.string(text)?;
            }
        }
    }
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    Ok(())
}

/// The items of an aggregation's state: `d` a double, `u` an unsigned number, `s` a string.
fn state(aggregation: u64, version: u16) -> std::str::Chars<'static> {
    match aggregation {
        // Lowest and highest value; and once a flag as a string of one byte.
        1 | 2 | 8 if version < 6 => "dds",
        1 | 2 | 8 => "dd",
        // Sum and count; since version 4 whether the sum is kept as a mean.
        4 if version < 4 => "dd",
        4 => "ddu",
        // The value, and whether there is one yet.
        6 if version < 3 => "d",
        6 => "du",
        // Sum, sum of squares, count.
        9..=12 => "ddu",
        13 => "duduuuuuuu",
        // The value; and in between whether there is one yet.
        _ if (3..7).contains(&version) => "du",
        _ => "d",
    }
    .chars()
}

fn samples(cx: &mut Decoding<'_, '_>) -> Decoded<()> {
    begin_chunk(cx, false)?;
    cx.tell.member("first_timestamp", Node::Null)?;
    cx.tell.member("samples", Node::Array)?;
    for _ in 0..cx.items.uint()? {
        cx.tell.node(Node::Array)?;
        let timestamp = cx.items.uint()?;
        cx.tell.node(Node::Uint(timestamp))?;
        let value = cx.items.double()?;
        cx.tell.node(Node::Double(value))?;
        cx.tell.node(Node::End)?;
    }
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    Ok(())
}

fn begin_chunk(cx: &mut Decoding<'_, '_>, compressed: bool) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    Ok(cx.tell.member("compressed", Node::Bool(compressed))?)
}

/// A chunk is of the form that the numbers before its string say, three or ten of them.
fn chunk(cx: &mut Decoding<'_, '_>) -> Decoded<()> {
    let mut numbers = [0; 10];
    let mut free = numbers.iter_mut();
    let data = loop {
        match cx.items.next()? {
            Some(ModuleItem::Uint(n)) => *free.next().ok_or(Miss::Layout)? = n,
            Some(ModuleItem::String(stored)) => break Text::new(stored, &cx.items),
            _ => return Err(Miss::Layout),
        }
    };
    match (free.len(), numbers) {
        (7, [first, count, ..]) => plain_chunk(cx, first, count, data),
        (0, numbers) => compressed_chunk(cx, numbers, data),
        _ => Err(Miss::Layout),
    }
}

fn plain_chunk(cx: &mut Decoding<'_, '_>, first: u64, count: u64, data: Text<'_>) -> Decoded<()> {
    if count
        .checked_mul(SAMPLE as u64)
        .is_none_or(|size| size > data.len())
    {
        return Err(Miss::Layout);
    }
    begin_chunk(cx, false)?;
    cx.tell.member("first_timestamp", Node::Uint(first))?;
    cx.tell.member("samples", Node::Array)?;
    if cx.tell.is_silent() {
        data.verify()?;
    } else {
        let data = cx.strings.resolve(data)?;
        for (sample, _) in data.as_chunks::<SAMPLE>().0.iter().zip(0..count) {
            let [a, b, c, d, e, f, g, h, value @ ..] = *sample;
            let timestamp = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            cx.tell.node(Node::Array)?;
            cx.tell.node(Node::Int(timestamp))?;
            cx.tell.node(Node::Double(f64::from_le_bytes(value)))?;
            cx.tell.node(Node::End)?;
        }
    }
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    Ok(())
}

fn compressed_chunk(cx: &mut Decoding<'_, '_>, numbers: [u64; 10], data: Text<'_>) -> Decoded<()> {
    let [
        _,
        count,
        bit_index,
        first_value,
        first_timestamp,
        last_timestamp,
        last_delta,
        last_value,
        leading,
        trailing,
    ] = numbers;
    begin_chunk(cx, true)?;
    for (name, value) in [
        ("count", Node::Uint(count)),
        ("first_timestamp", Node::Uint(first_timestamp)),
        ("first_value", Node::Double(f64::from_bits(first_value))),
        ("last_timestamp", Node::Uint(last_timestamp)),
        ("last_delta", Node::Int(last_delta.cast_signed())),
        ("last_value", Node::Double(f64::from_bits(last_value))),
        ("bit_index", Node::Uint(bit_index)),
        ("leading", Node::Uint(leading)),
        ("trailing", Node::Uint(trailing)),
    ] {
        cx.tell.member(name, value)?;
    }
    cx.tell.name("data")?;
    cx.string(data)?;
    cx.tell.node(Node::End)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{shows, string};
    use super::*;
    use ModuleItem::{Double, Uint};

    const NAME: &[u8; 9] = b"TSDB-TYPE";

    /// Everything before the rules, and what is told of it.
    fn head(version: u16) -> (Vec<ModuleItem<'static>>, String) {
        let mut items = vec![string(b"t"), Uint(60), Uint(256)];
        items.extend((version >= 1).then_some(Uint(1)));
        if version >= 2 {
            items.extend([Uint(20), Double(1.5), Uint(2)]);
        }
        items.extend((version >= 3).then_some(Uint(2)));
        if version >= 2 {
            items.extend([Uint(1), string(b"src")]);
        }
        if version >= 8 {
            items.extend([Uint(7), Double(0.5)]);
        }
        items.extend([
            Uint(2),
            string(b"a"),
            string(b"1"),
            string(b"b"),
            string(b"x"),
        ]);
        let from = |first, text: &'static str| if version >= first { text } else { "null" };
        let text = format!(
            "{{key:'t',retention_ms:60,chunk_bytes:{},options:{},last_timestamp:{},last_value:{},\
             total_samples:{},duplicate_policy:{},source_key:{},ignore_max_time_diff:{},\
             ignore_max_value_diff:{},labels:[['a','1'],['b','x']],",
            if version >= 2 { 256 } else { 4096 },
            from(1, "1"),
            from(2, "20"),
            from(2, "1.5"),
            from(2, "2"),
            from(3, "'last'"),
            from(2, "'src'"),
            from(8, "7"),
            from(8, "0.5"),
        );
        (items, text)
    }

    fn data(samples: &[(i64, f64)], unused: usize) -> Vec<u8> {
        let mut data = Vec::new();
        for (timestamp, value) in samples {
            data.extend(timestamp.to_le_bytes());
            data.extend(value.to_le_bytes());
        }
        data.resize(data.len() + unused, 0xee);
        data
    }

    #[test]
    fn plain_samples_are_read_in_every_version() {
        let samples = data(&[(10, -1.0), (20, 1.5)], 8);
        for version in 0..=9 {
            let (mut items, mut text) = head(version);
            items.push(Uint(0));
            text += "rules:[],chunks:[{compressed:false,first_timestamp:";
            if version < 2 {
                items.extend([Uint(2), Uint(10), Double(-1.0), Uint(20), Double(1.5)]);
                text += "null";
            } else {
                items.extend([Uint(1), Uint(10), Uint(2), Uint(40), string(&samples)]);
                text += "10";
            }
            text += ",samples:[[10,-1.0],[20,1.5]]}]}";
            assert_eq!(shows(NAME, version, &items), text);
            let short = items.get(..items.len() - 1).unwrap();
            assert_eq!(shows(NAME, version, short), "raw");
            items.push(Uint(0));
            assert_eq!(shows(NAME, version, &items), "raw");
        }
    }

    #[test]
    fn a_chunk_with_more_samples_than_bytes_is_told_raw() {
        let samples = data(&[(10, -1.0)], 15);
        for count in [2, u64::MAX, u64::MAX / 16 + 1] {
            let (mut items, _) = head(9);
            items.extend([
                Uint(0),
                Uint(1),
                Uint(10),
                Uint(count),
                Uint(31),
                string(&samples),
            ]);
            assert_eq!(shows(NAME, 9, &items), "raw");
        }
    }

    #[test]
    fn a_compressed_chunk_is_its_counters_and_its_bytes() {
        let (mut items, text) = head(9);
        items.extend([Uint(0), Uint(1), Uint(16), Uint(3), Uint(70)]);
        items.extend([
            Uint(1.5f64.to_bits()),
            Uint(10),
            Uint(30),
            Uint((-1i64).cast_unsigned()),
        ]);
        items.extend([
            Uint(2.5f64.to_bits()),
            Uint(12),
            Uint(40),
            string(b"\xff\x01"),
        ]);
        assert_eq!(
            shows(NAME, 9, &items),
            text.clone()
                + "rules:[],chunks:[{compressed:true,count:3,first_timestamp:10,first_value:1.5,\
                   last_timestamp:30,last_delta:-1,last_value:2.5,bit_index:70,leading:12,\
                   trailing:40,data:'\\xff\\x01'}]}"
        );
        for wrong in [2, 4, 9, 11] {
            let (mut items, _) = head(9);
            items.extend([Uint(0), Uint(1)]);
            items.extend(std::iter::repeat_n(Uint(0), wrong));
            items.push(string(b"0123456789abcdef"));
            assert_eq!(shows(NAME, 9, &items), "raw", "{wrong} numbers");
        }
    }

    #[test]
    fn every_aggregation_has_its_state_in_every_version() {
        let kinds = |aggregation, version: u16| -> &str {
            match aggregation {
                "min" | "max" | "range" if version < 6 => "dds",
                "min" | "max" | "range" => "dd",
                "avg" if version < 4 => "dd",
                "avg" | "std.p" | "std.s" | "var.p" | "var.s" => "ddu",
                "twa" => "duduuuuuuu",
                "first" if version >= 3 => "du",
                "first" => "d",
                _ if (3..=6).contains(&version) => "du",
                _ => "d",
            }
        };
        for version in 0..=9 {
            for (number, aggregation) in (1..).zip(AGGREGATIONS) {
                let (mut items, mut text) = head(version);
                items.extend([Uint(1), string(b"to"), Uint(1000)]);
                items.extend((version >= 6).then_some(Uint(3)));
                items.extend([Uint(number), Uint(4000)]);
                items.extend((version >= 9).then_some(Uint(5)));
                let mut state = Vec::new();
                for kind in kinds(aggregation, version).chars() {
                    let (item, text) = match kind {
                        'd' => (Double(0.25), "0.25"),
                        'u' => (Uint(6), "6"),
                        _ => (string(b"\0"), "'\\x00'"),
                    };
                    items.push(item);
                    state.push(text);
                }
                items.push(Uint(0));
                text += &format!(
                    "rules:[{{destination:'to',bucket_ms:1000,alignment:{},\
                     aggregation:'{aggregation}',bucket_start:4000,valid_samples:{},state:[{}]}}],",
                    if version >= 6 { "3" } else { "null" },
                    if version >= 9 { "5" } else { "null" },
                    state.join(",")
                );
                text += match version {
                    0 | 1 => "chunks:[{compressed:false,first_timestamp:null,samples:[]}]}",
                    _ => "chunks:[]}",
                };
                assert_eq!(shows(NAME, version, &items), text);
            }
        }
    }

    #[test]
    fn words_and_counts_beyond_what_there_is_are_told_raw() {
        let (items, _) = head(9);
        let with = |rest: &[ModuleItem<'static>]| {
            let mut all = items.clone();
            all.extend(rest);
            shows(NAME, 9, &all)
        };
        assert_ne!(with(&[Uint(0), Uint(0)]), "raw");
        assert_eq!(with(&[Uint(u64::MAX)]), "raw");
        assert_eq!(with(&[Uint(0), Uint(u64::MAX)]), "raw");
        for aggregation in [0, 16, u64::MAX] {
            let rule = [Uint(1), string(b"to"), Uint(1), Uint(0), Uint(aggregation)];
            let state = [Uint(0), Uint(0), Double(0.0), Uint(0)];
            assert_eq!(with(&[rule.as_slice(), &state].concat()), "raw");
        }
        let mut policy = items;
        *policy.get_mut(7).unwrap() = Uint(7);
        policy.extend([Uint(0), Uint(0)]);
        assert_eq!(shows(NAME, 9, &policy), "raw");
        let huge = [
            string(b"t"),
            Uint(0),
            Uint(u64::MAX),
            Uint(0),
            Uint(0),
            Uint(0),
        ];
        assert_eq!(shows(NAME, 0, &huge), "raw");
    }
}
