//! Counts as lines of CSV: one table for all inputs and sections, a column for each kind of figure.
//!
//! Names are text as in messages: bytes that are no text stand as `\xHH`, and so does a first character
//! that spreadsheets would take for the beginning of a formula.

use csv::WriterBuilder;

use crate::error::printable;
use crate::report::stats::{Bucket, KeyFacts, StatsReport, Sum};
use crate::report::text::{size_words, ttl_words};

/// The columns.
const COLUMNS: [&str; 14] = [
    "input",
    "section",
    "name",
    "db",
    "type",
    "encoding",
    "keys",
    "expires",
    "elements",
    "bytes",
    "value_bytes",
    "count",
    "at_most",
    "freq",
];

/// What a row says, in the order of the columns but for the first.
#[derive(Default)]
struct Row<'r> {
    section: &'r str,
    name: String,
    db: Option<u32>,
    data_type: &'r str,
    encoding: &'r str,
    sum: [Option<u64>; 5],
    count: Option<u64>,
    at_most: Option<u64>,
    freq: Option<u8>,
}

/// The reports of `stats` as one table.
pub fn stats<'r>(reports: impl IntoIterator<Item = &'r StatsReport>) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    for report in reports {
        let input = cell(&report.input);
        each_row(report, &mut |row| {
            let number = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
            let [keys, expires, elements, bytes, value_bytes] = row.sum.map(number);
            rows.push([
                input.clone(),
                row.section.to_owned(),
                row.name,
                number(row.db.map(u64::from)),
                row.data_type.to_owned(),
                row.encoding.to_owned(),
                keys,
                expires,
                elements,
                bytes,
                value_bytes,
                number(row.count),
                number(row.at_most),
                number(row.freq.map(u64::from)),
            ]);
        });
    }
    let mut out = WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory does not fail.
    let written = rows.iter().try_for_each(|row| out.write_record(row));
    match (written, out.into_inner()) {
        (Ok(()), Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

fn each_row(report: &StatsReport, each: &mut dyn FnMut(Row<'_>)) {
    let stats = &report.stats;
    each(of("total", "", &stats.total));
    for (data_type, sum) in &stats.types {
        each(Row {
            data_type: data_type.name(),
            ..of("type", data_type.name(), sum)
        });
    }
    for ((data_type, rdb_type, encoding), sum) in &stats.encodings {
        each(Row {
            data_type: data_type.name(),
            encoding,
            ..of("encoding", rdb_type.name(), sum)
        });
    }
    for (db, sum) in &stats.dbs {
        each(Row {
            db: Some(*db),
            ..of("db", &db.to_string(), sum)
        });
    }
    if stats.other_dbs.keys > 0 {
        each(of("other-dbs", "", &stats.other_dbs));
    }
    for (class, sum) in &stats.ttl {
        each(of("expiry", class, sum));
    }
    let histograms = [
        (
            "time-to-live",
            &stats.ttls,
            ttl_words as fn(&Bucket) -> String,
        ),
        ("value-size", &stats.sizes, size_words),
    ];
    for (section, buckets, words) in histograms {
        for bucket in buckets {
            each(of(section, &words(bucket), &bucket.sum));
        }
    }
    for prefix in &stats.prefixes {
        let section = format!("prefix-{}", prefix.depth);
        each(Row {
            section: &section,
            ..of("", &key_cell(&prefix.name), &prefix.sum)
        });
    }
    each(of("without-prefix", "", &stats.without_prefix));
    for (place, sum) in stats.other_prefixes.iter().enumerate() {
        let section = format!("other-prefixes-{}", place + 1);
        each(Row {
            section: &section,
            ..of("", "", sum)
        });
    }
    for (section, list) in [
        ("biggest", &stats.biggest),
        ("most-elements", &stats.longest),
        ("hottest", &stats.hottest),
    ] {
        for key in list {
            each(of_key(section, key));
        }
    }
    if let Some(log) = report.log() {
        let count = |section, name: String, count, bytes| Row {
            section,
            name,
            sum: [None, None, None, Some(bytes), None],
            count,
            ..Row::default()
        };
        for command in &log.commands {
            each(count(
                "command",
                cell(&command.name),
                Some(command.count),
                command.bytes,
            ));
        }
        if log.other_commands.count > 0 {
            let other = &log.other_commands;
            each(count(
                "other-commands",
                String::new(),
                Some(other.count),
                other.bytes,
            ));
        }
        for busy in &log.busiest {
            each(Row {
                db: Some(busy.db),
                at_most: Some(busy.at_most),
                ..count(
                    "busiest",
                    key_cell(&busy.key),
                    Some(busy.commands),
                    busy.bytes,
                )
            });
        }
        let rewrite = &log.rewrite;
        each(count("rewrite", "now".to_owned(), None, rewrite.now));
        each(count("rewrite", "then".to_owned(), None, rewrite.then));
        each(count("rewrite", "saved".to_owned(), None, rewrite.saved()));
    }
}

fn of<'r>(section: &'r str, name: &str, sum: &Sum) -> Row<'r> {
    Row {
        section,
        name: name.to_owned(),
        sum: [
            sum.keys,
            sum.expires,
            sum.elements,
            sum.bytes,
            sum.value_bytes,
        ]
        .map(Some),
        ..Row::default()
    }
}

fn of_key<'r>(section: &'r str, key: &KeyFacts) -> Row<'r> {
    Row {
        section,
        name: key_cell(&key.key),
        db: Some(key.db),
        data_type: key.data_type.name(),
        encoding: key.encoding,
        sum: [
            Some(1),
            Some(u64::from(key.expires_at.is_some())),
            Some(key.elements),
            Some(key.bytes),
            Some(key.value_bytes),
        ],
        freq: key.freq,
        ..Row::default()
    }
}

/// Bytes of a name as text.
fn key_cell(bytes: &[u8]) -> String {
    cell(&printable(bytes).replace("\\\"", "\""))
}

/// Text that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    match text.as_bytes().first() {
        Some(first @ (b'=' | b'+' | b'-' | b'@')) => {
            let rest = text.get(1..).unwrap_or_default();
            format!("\\x{first:02x}{rest}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas_and_lose_nothing() {
        assert_eq!(key_cell(b"=1+1"), "\\x3d1+1");
        assert_eq!(key_cell(b"-1"), "\\x2d1");
        assert_eq!(key_cell(b"a=\"b\",\n\xff"), "a=\"b\",\\x0a\\xff");
        assert_eq!(key_cell(b"\t=1"), "\\x09=1");
        assert_eq!(key_cell("ü\\".as_bytes()), "ü\\\\");
    }
}
