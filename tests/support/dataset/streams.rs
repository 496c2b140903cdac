//! Streams with all that can happen to one.

use super::{Batch, LENGTHS, NEARLY_NUMBERS, ODD_STRINGS, edges, noise};
use crate::support::resp::Client;
use crate::support::server::ServerKind;

pub(super) fn fill(client: &mut Client, kind: ServerKind) {
    entries(client);
    counters(client);
    groups(client, kind);
}

fn entries(client: &mut Client) {
    let mut batch = Batch::new();
    // The same fields, other fields, the same again; names that repeat, and the empty one.
    for fields in [
        "1-1 a 1 b 2",
        "1-2 a 3 b 4",
        "2-0 c 5",
        "2-1 f 1 f 2 f 1",
        "3-0 a 6 b 7",
        "3-1 f ",
    ] {
        batch.line(&format!("XADD x:fields {fields}"));
    }
    batch.line("XDEL x:fields 1-2");
    // IDs that differ by every width, the sequence falling and rising.
    for (i, n) in edges().iter().filter(|n| **n > 0).enumerate() {
        let seq = match i % 2 {
            0 => u64::MAX - i as u64,
            _ => i as u64,
        };
        batch.line(&format!("XADD x:ids {n}-{seq} n {n}"));
    }
    let largest = format!("{0}-{0}", u64::MAX);
    batch.line(&format!("XADD x:largest {largest} f v"));
    for (i, n) in edges().iter().enumerate() {
        batch.line(&format!("XADD x:ints {}-1 n {n}", i + 1));
    }
    for (i, &len) in LENGTHS.iter().enumerate() {
        let id = format!("{}-1", i + 1);
        let noise = noise(i as u64, len);
        put!(
            batch,
            "XADD",
            "x:lengths",
            id,
            "f",
            noise,
            vec![b'n'; len],
            ""
        );
    }
    for (i, text) in ODD_STRINGS.iter().chain(NEARLY_NUMBERS).enumerate() {
        put!(batch, "XADD", "x:odd", format!("{}-1", i + 1), text, text);
    }
    batch.many(
        &[b"XADD", b"x:wide", b"1-1"],
        (0..200).map(|i| format!("f{i}")),
    );
    batch.send(client);
}

/// Lengths, deleted entries, trimmed ones.
fn counters(client: &mut Client) {
    let mut batch = Batch::new();
    // A node is full at 100 entries or 4096 bytes.
    let id = |i: usize| format!("{}-{}", 1000 + i / 3, i % 3);
    for i in 0..1_050 {
        let text = format!("text {i}");
        put!(
            batch,
            "XADD",
            "x:nodes",
            id(i),
            "n",
            i.to_string(),
            "t",
            text
        );
    }
    for i in (0..1_050).step_by(7) {
        batch.line(&format!("XDEL x:nodes {}", id(i)));
    }
    batch.line("XTRIM x:nodes MAXLEN 700");
    for i in 0..300 {
        batch.line(&format!("XADD x:trimmed {i}-1 f {i}"));
    }
    batch.line("XTRIM x:trimmed MAXLEN 150");
    batch.line("XTRIM x:trimmed MINID 250");
    batch.line("XDEL x:trimmed 299-1 297-1");
    for i in 0..10 {
        batch.line(&format!("XADD x:emptied {i}-5 f v"));
    }
    batch.line("XTRIM x:emptied MAXLEN 0");
    batch.line("XGROUP CREATE x:unused g $ MKSTREAM");
    batch.line("XADD x:id 5-5 f v");
    batch.line("XSETID x:id 77-7");
    batch.send(client);
}

/// Consumers that read, claim, acknowledge and idle.
fn groups(client: &mut Client, kind: ServerKind) {
    let mut batch = Batch::new();
    for i in 1..=250 {
        batch.line(&format!("XADD x:groups {i}-0 f {i}"));
    }
    for group in ["all 0", "new $", "middle 100-0", " 0"] {
        batch.line(&format!("XGROUP CREATE x:groups {group}"));
    }
    let binary = b"\xff\x00g";
    put!(batch, "XGROUP", "CREATE", "x:groups", binary, "7-3");
    for read in [
        "all c1 COUNT 100",
        "all c2 COUNT 30",
        "all c3 COUNT 1",
        "all nothing-kept COUNT 4 NOACK",
        "middle c1 COUNT 200",
        "  COUNT 3",
        "new in-vain COUNT 1",
    ] {
        batch.line(&format!("XREADGROUP GROUP {read} STREAMS x:groups >"));
    }
    let binary = b"\xfe\x01";
    put!(
        batch,
        "XREADGROUP",
        "GROUP",
        "all",
        binary,
        "COUNT",
        "2",
        "STREAMS",
        "x:groups",
        ">"
    );
    for line in [
        "XGROUP CREATECONSUMER x:groups all idle",
        "XGROUP CREATECONSUMER x:groups new alone",
        "XACK x:groups all 1-0 2-0 3-0 50-0",
        // Pending and gone.
        "XDEL x:groups 10-0 11-0 120-0",
        "XCLAIM x:groups all c2 0 5-0 6-0 TIME 1234567890123 RETRYCOUNT 77",
        "XCLAIM x:groups all c3 0 7-0 IDLE 500000",
        "XCLAIM x:groups all c1 0 8-0 JUSTID",
        "XREADGROUP GROUP all c1 COUNT 10 STREAMS x:groups 0",
        "XAUTOCLAIM x:groups all c3 0 20-0 COUNT 5",
        "XGROUP SETID x:groups middle 60-0",
    ] {
        batch.line(line);
    }
    if kind.has_stream_counters() {
        batch.line("XGROUP CREATE x:groups counted 30-0 ENTRIESREAD 30");
        batch.line("XSETID x:groups 300-0 ENTRIESADDED 1000 MAXDELETEDID 260-0");
    }
    batch.line("XTRIM x:groups MAXLEN 200");
    batch.send(client);
}
