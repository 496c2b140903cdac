//! The hot parts, one at a time: `cargo bench`.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use redkit::bytes::Element;
use redkit::command::{self, Like, ServerLine};
use redkit::encoding::listpack::{Listpack, ListpackWriter};
use redkit::encoding::{crc64, lzf};
use redkit::error::Result;
use redkit::rdb::batch::Batches;
use redkit::rdb::string::{Compress, StringWriter};
use redkit::rdb::{Scratch, value};
use redkit::record::{Flow, Record, ValueVisitor};
use redkit::report::json::{JsonText, StringStyle};

fn main() {
    divan::main();
}

/// Text such as a web application stores.
fn document(n: usize) -> Vec<u8> {
    (0..n)
        .flat_map(|i| {
            format!(
                "{{\"id\":{i},\"name\":\"user {}\",\"tags\":[\"a\",\"b\"]}},",
                i * 7919
            )
            .into_bytes()
        })
        .collect()
}

fn listpack() -> Vec<u8> {
    let mut writer = ListpackWriter::new();
    for i in 0..100i64 {
        writer.push(Element::Bytes(format!("field:{i}").as_bytes()));
        writer.push(Element::Int(i * 1000));
    }
    let mut blob = Vec::new();
    writer.finish(&mut blob).expect("it is small");
    blob
}

/// A snapshot of small strings and small hashes.
fn snapshot(keys: usize) -> Vec<u8> {
    let mut out = b"REDIS0011\xfe\x00".to_vec();
    let mut strings = StringWriter::new(Compress::AsServer);
    let blob = listpack();
    for i in 0..keys {
        out.push(if i % 4 == 0 { 16 } else { 0 });
        strings.write(
            Element::Bytes(format!("user:{i}:name").as_bytes()),
            &mut out,
        );
        if i % 4 == 0 {
            strings.bytes(&blob, &mut out);
        } else {
            strings.write(
                Element::Bytes(format!("value {}", i * 31).as_bytes()),
                &mut out,
            );
        }
    }
    out.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    out
}

#[divan::bench]
fn checksum(bencher: Bencher<'_, '_>) {
    let data = document(20_000);
    bencher
        .counter(BytesCount::of_slice(&data))
        .bench_local(|| crc64::checksum(black_box(&data)));
}

#[divan::bench]
fn lzf_decompress(bencher: Bencher<'_, '_>) {
    let (text, mut packed, mut out) = (document(50), Vec::new(), Vec::new());
    assert!(lzf::compress_into(&text, &mut packed));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| lzf::decompress_into(black_box(&packed), text.len() as u64, &mut out));
}

#[divan::bench]
fn lzf_verify(bencher: Bencher<'_, '_>) {
    let (text, mut packed) = (document(50), Vec::new());
    assert!(lzf::compress_into(&text, &mut packed));
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| lzf::verify(black_box(&packed), text.len() as u64));
}

#[divan::bench]
fn lzf_decompress_by_the_crate(bencher: Bencher<'_, '_>) {
    let (text, mut packed) = (document(50), Vec::new());
    assert!(lzf::compress_into(&text, &mut packed));
    let mut out = vec![0; text.len()];
    bencher
        .counter(BytesCount::of_slice(&text))
        .bench_local(|| lzf_rust::decompress(black_box(&packed), &mut out).is_ok());
}

#[divan::bench]
fn listpack_entries(bencher: Bencher<'_, '_>) {
    let blob = listpack();
    bencher
        .counter(BytesCount::of_slice(&blob))
        .bench_local(|| {
            let mut entries = Listpack::open(black_box(&blob))
                .expect("it is sound")
                .entries();
            let mut integers = 0;
            while let Ok(Some(entry)) = entries.next() {
                integers += u64::from(matches!(entry, Element::Int(_)));
            }
            integers
        });
}

#[divan::bench]
fn framing(bencher: Bencher<'_, '_>) {
    let data = snapshot(20_000);
    bencher
        .counter(BytesCount::of_slice(&data))
        .bench_local(|| {
            let mut batches = Batches::of_map(black_box(&data));
            while let Ok(Some(batch)) = batches.next_batch() {
                black_box(&batch);
            }
        });
}

struct Nobody;
impl ValueVisitor for Nobody {}

#[divan::bench]
fn framing_and_walking(bencher: Bencher<'_, '_>) {
    let data = snapshot(20_000);
    let mut scratch = Scratch::default();
    bencher
        .counter(BytesCount::of_slice(&data))
        .bench_local(|| {
            let mut batches = Batches::of_map(black_box(&data));
            while let Ok(Some(batch)) = batches.next_batch() {
                let walked: Result<Flow> = batch.for_each(|record| {
                    if let Record::Entry(entry) = record {
                        value::walk(&entry.value, &mut scratch, &mut Nobody)?;
                    }
                    Ok(Flow::Continue)
                });
                black_box(walked).expect("it is sound");
            }
        });
}

#[divan::bench]
fn json_string(bencher: Bencher<'_, '_>) {
    let document = document(50);
    let mut text = JsonText::new(StringStyle::Auto);
    bencher
        .counter(BytesCount::of_slice(&document))
        .bench_local(|| {
            text.truncate(0);
            text.string_bytes(black_box(&document));
        });
}

/// Names as they stand in logs, in an order that a processor does not learn, and such as are none.
fn names() -> Vec<&'static [u8]> {
    let names = [
        "SET",
        "set",
        "DEL",
        "HSET",
        "hset",
        "RPUSH",
        "SADD",
        "ZADD",
        "PEXPIREAT",
        "SELECT",
        "INCR",
        "XADD",
        "LPOP",
        "UNLINK",
        "HINCRBY",
        "zremrangebyscore",
        "MULTI",
        "EXEC",
        "Expire",
        "LPUSH",
        "JSON.SET",
        "user:1",
        "GEOSEARCHSTORE",
        "hpexpireat",
        "GEORADIUSBYMEMBER_RO",
    ];
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits")
    };
    (0..4096)
        .map(|_| names[next() % names.len()].as_bytes())
        .collect()
}

#[divan::bench]
fn command_lookup(bencher: Bencher<'_, '_>) {
    let names = names();
    let like = Like::from(ServerLine::Redis82);
    bencher
        .counter(ItemsCount::new(names.len()))
        .bench_local(|| {
            let found = black_box(&names).iter().filter(|name| {
                let signature = command::lookup(name).and_then(|spec| spec.on(like));
                signature.is_some_and(|signature| signature.accepts(black_box(3)))
            });
            found.count()
        });
}

#[divan::bench]
fn command_lookup_of_one_name(bencher: Bencher<'_, '_>) {
    let names = vec![&b"SET"[..]; 4096];
    bencher
        .counter(ItemsCount::new(names.len()))
        .bench_local(|| {
            let names = black_box(&names).iter();
            names.filter(|name| command::lookup(name).is_some()).count()
        });
}
