//! The report of `stats` for people.

use comfy_table::Table;

use crate::bytes::time;
use crate::error::printable;
use crate::report::finding::Findings;
use crate::report::stats::{Bucket, KeyFacts, LogStats, Of, Stats, StatsReport, Sum};
use crate::report::text::{
    Facts, Paint, bytes, counted, findings, format_words, grouped, indented, plain_table, shown,
    to_the_right,
};

/// Bytes of a name that a line shows.
const NAME: usize = 60;
/// Rows of databases, types and names of commands that a report for people shows.
const ROWS: usize = 30;

/// The report of `stats`; lists of prefixes as long as those of keys, which is `top`.
pub fn stats(report: &StatsReport, top: usize, paint: Paint) -> String {
    let stats = &report.stats;
    let total = &stats.total;
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    match &report.of {
        Of::Snapshot(version, size) => {
            facts.add(
                "format",
                format!("{}, {}", format_words(*version), bytes(*size)),
            );
        }
        Of::Log(log) => of_log(log, &mut facts),
    }
    let dbs = counted(stats.dbs.len() as u64, "database");
    let expires = grouped(total.expires);
    let keys = format!("{} in {dbs}, {expires} with an expiry", grouped(total.keys));
    facts.add("keys", keys);
    facts.add("elements", grouped(total.elements));
    let of_values = format!(
        "{} of records, {} of them of values",
        bytes(total.bytes),
        grouped(total.value_bytes)
    );
    facts.add("bytes", of_values);
    if let Some((at, since)) = stats.since {
        let at = time::rfc3339(at).unwrap_or_else(|| at.to_string());
        facts.add(
            "times to live",
            format!("counted from {at} ({})", since.name()),
        );
    }
    out.push_str(&facts.finish());
    out.push_str(&tables(stats, top, paint));
    if let Some(log) = report.log() {
        out.push_str(&commands(log, top, paint));
    }
    out.push_str(&findings(&report.findings, paint));
    out.push_str(&ending(&report.findings, report.complete, paint));
    out
}

fn of_log(log: &LogStats, facts: &mut Facts) {
    let check = &log.check;
    let files = counted(check.files.len() as u64, "file");
    let format = match check.set {
        Some(_) => format!("multi-part AOF, {files}, {}", bytes(log.rewrite.now)),
        None => format!("AOF, {}", bytes(log.rewrite.now)),
    };
    facts.add("format", format);
    facts.add("like", check.like.clone());
    let replayed = format!(
        "{} replayed, {} refused",
        grouped(log.replayed),
        grouped(log.refused)
    );
    facts.add("commands", replayed);
    let (then, saved) = (bytes(log.rewrite.then), grouped(log.rewrite.saved()));
    let share = percent(log.rewrite.saved(), log.rewrite.now);
    let words = format!("about {then}, which saves {saved} ({share}); by a replay");
    facts.add("a rewrite", words);
}

fn ending(found: &Findings, complete: bool, paint: Paint) -> String {
    if complete {
        return String::new();
    }
    let errors = counted(found.errors(), "error");
    format!(
        "\n{}: {errors}; what could be read is counted\n",
        paint.bad("incomplete")
    )
}

/// A part in percent of a whole.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.0%".to_owned();
    }
    format!("{:.1}%", part as f64 * 100.0 / whole as f64)
}

/// Rows under a title, with columns for what keys come to.
struct Sums {
    table: Table,
    names: usize,
    rows: usize,
    left: (usize, Sum),
    whole: u64,
}

impl Sums {
    fn new(names: &[&str], whole: &Sum) -> Sums {
        let mut table = plain_table();
        let columns = ["keys", "expires", "elements", "bytes", "of values", "share"];
        table.set_header(names.iter().chain(&columns));
        Sums {
            table,
            names: names.len(),
            rows: 0,
            left: (0, Sum::default()),
            whole: whole.bytes,
        }
    }

    /// Adds a row; from `most` rows on they are put together.
    fn add(&mut self, names: &[String], sum: &Sum, most: usize) {
        if self.rows >= most {
            self.left.0 += 1;
            self.left.1.add(sum);
            return;
        }
        self.row(names, sum);
    }

    fn row(&mut self, names: &[String], sum: &Sum) {
        self.rows += 1;
        let numbers = [
            sum.keys,
            sum.expires,
            sum.elements,
            sum.bytes,
            sum.value_bytes,
        ];
        let numbers = numbers.map(grouped);
        let share = percent(sum.bytes, self.whole);
        let cells = names.iter().chain(&numbers).chain([&share]);
        self.table.add_row(cells);
    }

    /// Ends those that can be put together.
    fn put_together(&mut self) {
        let (left, sum) = std::mem::take(&mut self.left);
        if left > 0 {
            let mut names = vec![String::new(); self.names];
            if let Some(first) = names.first_mut() {
                *first = format!("{} more", grouped(left as u64));
            }
            self.row(&names, &sum);
        }
    }

    fn finish(mut self, paint: Paint, title: &str) -> String {
        self.put_together();
        if self.rows == 0 {
            return String::new();
        }
        let columns: Vec<usize> = (self.names..self.names + 6).collect();
        to_the_right(&mut self.table, &columns);
        titled(paint, title, &mut self.table)
    }
}

fn titled(paint: Paint, title: &str, table: &mut Table) -> String {
    format!("\n{}\n{}", paint.strong(title), indented(table))
}

fn tables(stats: &Stats, top: usize, paint: Paint) -> String {
    let total = &stats.total;
    if total.keys == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut table = Sums::new(&["type", "encoding", "layout"], total);
    for ((of, rdb_type, encoding), sum) in &stats.encodings {
        let names = [of.name(), encoding, rdb_type.name()];
        table.row(&names.map(str::to_owned), sum);
    }
    out.push_str(&table.finish(paint, "by type and encoding"));
    let mut table = Sums::new(&["db"], total);
    for (db, sum) in &stats.dbs {
        table.add(&[db.to_string()], sum, ROWS);
    }
    table.put_together();
    if stats.other_dbs.keys > 0 {
        table.row(&["others".to_owned()], &stats.other_dbs);
    }
    out.push_str(&table.finish(paint, "by database"));
    let mut table = Sums::new(&["expiry"], total);
    for (class, sum) in stats.ttl.iter().filter(|(_, sum)| sum.keys > 0) {
        table.row(&[(*class).to_owned()], sum);
    }
    out.push_str(&table.finish(paint, "by expiry"));
    for (title, name, buckets, words) in [
        (
            "by time to live",
            "time",
            &stats.ttls,
            ttl_words as fn(&Bucket) -> String,
        ),
        ("by size of the value", "size", &stats.sizes, size_words),
    ] {
        let mut table = Sums::new(&[name], total);
        for bucket in buckets.iter().filter(|bucket| bucket.sum.keys > 0) {
            table.row(&[words(bucket)], &bucket.sum);
        }
        out.push_str(&table.finish(paint, title));
    }
    out.push_str(&prefixes(stats, top, paint));
    let with_freq = format!(
        "hottest keys, of {} with an LFU counter",
        grouped(stats.with_freq)
    );
    for (title, list) in [
        ("largest values", &stats.biggest),
        ("most elements", &stats.longest),
        (with_freq.as_str(), &stats.hottest),
    ] {
        out.push_str(&keys(title, list, paint));
    }
    out
}

fn prefixes(stats: &Stats, top: usize, paint: Paint) -> String {
    let mut out = String::new();
    for depth in 1..=stats.depth {
        let of_depth = stats.prefixes.iter().filter(|prefix| prefix.depth == depth);
        let mut table = Sums::new(&["prefix"], &stats.total);
        for prefix in of_depth {
            table.add(
                &[name(&prefix.name, prefix.name.len() as u64)],
                &prefix.sum,
                top,
            );
        }
        table.put_together();
        if depth == 1 && stats.without_prefix.keys > 0 {
            table.row(&["(none)".to_owned()], &stats.without_prefix);
        }
        if let Some(others) = stats
            .other_prefixes
            .get(depth - 1)
            .filter(|sum| sum.keys > 0)
        {
            table.row(&["(others, not told apart)".to_owned()], others);
        }
        let title = match depth {
            1 => "by prefix".to_owned(),
            _ => format!("by prefix of {depth} parts"),
        };
        out.push_str(&table.finish(paint, &title));
    }
    out
}

fn keys(title: &str, list: &[KeyFacts], paint: Paint) -> String {
    if list.is_empty() {
        return String::new();
    }
    let has_freq = list.iter().any(|key| key.freq.is_some());
    let mut table = plain_table();
    let mut header = vec![
        "db", "key", "type", "encoding", "elements", "bytes", "of value",
    ];
    header.extend(has_freq.then_some("freq"));
    table.set_header(header);
    for key in list {
        let mut row = vec![
            key.db.to_string(),
            name(&key.key, key.key_len),
            key.data_type.name().to_owned(),
            key.encoding.to_owned(),
            grouped(key.elements),
            grouped(key.bytes),
            grouped(key.value_bytes),
        ];
        row.extend(has_freq.then(|| key.freq.map_or(String::new(), |f| f.to_string())));
        table.add_row(row);
    }
    to_the_right(&mut table, &[0, 4, 5, 6, 7]);
    titled(paint, title, &mut table)
}

fn commands(log: &LogStats, top: usize, paint: Paint) -> String {
    let mut out = String::new();
    let mut table = plain_table();
    table.set_header(["command", "count", "bytes"]);
    let mut left = log.other_commands.clone();
    let mut names = 0;
    for (place, command) in log.commands.iter().enumerate() {
        if place >= ROWS {
            names += 1;
            left.count += command.count;
            left.bytes += command.bytes;
            continue;
        }
        let numbers = [command.count, command.bytes].map(grouped);
        table.add_row([&shown(&command.name), &numbers[0], &numbers[1]]);
    }
    if left.count > 0 {
        let words = match names {
            0 => "others".to_owned(),
            _ => format!("{names} more"),
        };
        table.add_row([words, grouped(left.count), grouped(left.bytes)]);
    }
    if !table.is_empty() {
        to_the_right(&mut table, &[1, 2]);
        out.push_str(&titled(paint, "commands", &mut table));
    }
    let mut table = plain_table();
    table.set_header(["db", "key", "commands", "bytes"]);
    for busy in log.busiest.iter().take(top) {
        let commands = match busy.at_most > busy.commands {
            true => format!("{} to {}", grouped(busy.commands), grouped(busy.at_most)),
            false => grouped(busy.commands),
        };
        let name = name(&busy.key, busy.key_len);
        table.add_row([busy.db.to_string(), name, commands, grouped(busy.bytes)]);
    }
    if !table.is_empty() {
        to_the_right(&mut table, &[0, 2, 3]);
        out.push_str(&titled(paint, "busiest keys of the log", &mut table));
    }
    out
}

/// A name of a length, which may be longer than what is known of it.
pub(in crate::report) fn name(bytes: &[u8], len: u64) -> String {
    let short = bytes.get(..NAME).unwrap_or(bytes);
    let cut = short.len() as u64;
    // A cut inside a character would show as bytes that are no text.
    let short = match std::str::from_utf8(short) {
        Err(error) if error.error_len().is_none() && cut < len => {
            short.get(..error.valid_up_to()).unwrap_or(short)
        }
        _ => short,
    };
    let mut text = visible(&printable(short));
    if cut < len {
        text.push_str(&format!("… ({})", self::bytes(len)));
    }
    text
}

/// Escapes what has no width or turns the direction of text, as control characters are already.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{61c}'
            | '\u{feff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// What a range of sizes is called.
pub(in crate::report) fn size_words(bucket: &Bucket) -> String {
    let size = |n: i64| match n {
        n if n >= 1 << 20 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    };
    match (bucket.from, bucket.below) {
        (None | Some(0), Some(below)) => format!("under {}", size(below)),
        (Some(from), Some(below)) => format!("{} to {}", size(from), size(below)),
        (Some(from), None) => format!("{} and more", size(from)),
        (None, None) => "any".to_owned(),
    }
}

/// What a range of times to live is called.
pub(in crate::report) fn ttl_words(bucket: &Bucket) -> String {
    let time = |seconds: i64| match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..31_536_000 => format!("{} d", seconds / 86_400),
        _ => format!("{} y", seconds / 31_536_000),
    };
    match (bucket.from, bucket.below) {
        (None, _) => "passed".to_owned(),
        (Some(0), Some(below)) => format!("under {}", time(below)),
        (Some(from), Some(below)) => format!("{} to {}", time(from), time(below)),
        (Some(from), None) => format!("{} and more", time(from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_at_a_character_and_cannot_turn_a_line() {
        assert_eq!(name(b"a\x1b\xff", 3), "a\\x1b\\xff");
        assert_eq!(name("a\u{202e}b".as_bytes(), 5), "a\\u{202e}b");
        let long = "ü".repeat(40);
        let odd = format!("x{long}");
        assert_eq!(
            name(odd.as_bytes(), 81),
            format!("x{}… (81 bytes)", "ü".repeat(29))
        );
        assert_eq!(name(b"", 0), "");
    }

    #[test]
    fn ranges_have_names() {
        let bucket = |from, below| Bucket {
            from,
            below,
            sum: Sum::default(),
        };
        assert_eq!(size_words(&bucket(Some(0), Some(64))), "under 64 B");
        assert_eq!(size_words(&bucket(Some(256), Some(1024))), "256 B to 1 KiB");
        assert_eq!(size_words(&bucket(Some(64 << 20), None)), "64 MiB and more");
        assert_eq!(ttl_words(&bucket(None, Some(0))), "passed");
        assert_eq!(ttl_words(&bucket(Some(0), Some(60))), "under 1 min");
        assert_eq!(
            ttl_words(&bucket(Some(604_800), Some(2_592_000))),
            "7 d to 30 d"
        );
        assert_eq!(ttl_words(&bucket(Some(31_536_000), None)), "1 y and more");
    }
}
