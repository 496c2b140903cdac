//! The tables of the page.

use std::fmt::Write;

use crate::bytes::time;
use crate::report::html::{escaped, share, size};
use crate::report::stats::{KeyFacts, LogStats, Stats, Sum};
use crate::report::text::{counted, grouped, key_name, shown};

/// Rows of a table of what keys come to, and of one of keys.
const ROWS: usize = 30;
const KEYS: usize = 1000;

/// A cell of a table: a name, a number, or a word.
enum Cell {
    Key(String),
    Number(u64),
    /// Stands where numbers do.
    Share(String),
    Word(String),
}

fn table(title: &str, header: &[&str], rows: Vec<Vec<Cell>>, out: &mut String) {
    let Some(first) = rows.first() else {
        return;
    };
    let _ = write!(
        out,
        "<section><h2>{}</h2><table><thead><tr>",
        escaped(title)
    );
    for (name, cell) in header.iter().zip(first) {
        let class = match cell {
            Cell::Number(_) | Cell::Share(_) => " class=\"n\"",
            _ => "",
        };
        let _ = write!(out, "<th{class}>{}</th>", escaped(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let (class, text) = match cell {
                Cell::Key(text) => (" class=\"k\"", escaped(&text)),
                Cell::Number(n) => (" class=\"n\"", grouped(n)),
                Cell::Share(text) => (" class=\"n\"", escaped(&text)),
                Cell::Word(text) => ("", escaped(&text)),
            };
            let _ = write!(out, "<td{class}>{text}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></section>\n");
}

/// What keys come to, as cells of a row.
fn figures(sum: &Sum, whole: u64) -> Vec<Cell> {
    let numbers = [
        sum.keys,
        sum.expires,
        sum.elements,
        sum.bytes,
        sum.value_bytes,
    ];
    let mut cells: Vec<Cell> = numbers.map(Cell::Number).into();
    cells.push(Cell::Share(share(sum.bytes, whole)));
    cells
}

/// A table of what keys come to, by names of these columns.
fn sums(title: &str, names: &[&str], rows: Vec<(Vec<Cell>, &Sum)>, whole: u64, out: &mut String) {
    let columns = [
        "keys",
        "with expiry",
        "elements",
        "bytes",
        "bytes of values",
        "share",
    ];
    let header: Vec<&str> = names.iter().copied().chain(columns).collect();
    let row = |(mut names, sum): (Vec<Cell>, &Sum)| {
        names.extend(figures(sum, whole));
        names
    };
    table(title, &header, rows.into_iter().map(row).collect(), out);
}

/// The tables of what keys come to.
pub(super) fn tables(stats: &Stats, out: &mut String) {
    let whole = stats.total.bytes;
    let mut rows = Vec::new();
    for ((of, rdb_type, encoding), sum) in &stats.encodings {
        let names = [of.name(), encoding, rdb_type.name()];
        rows.push((names.map(|name| Cell::Word(name.to_owned())).into(), sum));
    }
    let names = ["type", "encoding", "layout"];
    sums("By type and encoding", &names, rows, whole, out);
    if stats.dbs.len() > 1 {
        let shown = stats.dbs.iter().take(ROWS);
        let rows = shown.map(|(db, sum)| (vec![Cell::Word(db.to_string())], sum));
        let title = match stats.dbs.len() > ROWS {
            true => format!("By database: the first {ROWS} of {}", stats.dbs.len()),
            false => "By database".to_owned(),
        };
        sums(&title, &["db"], rows.collect(), whole, out);
    }
    for depth in 1..=stats.depth {
        prefixes(stats, depth, out);
    }
    let hottest = format!(
        "Hottest keys, of {} with an LFU counter",
        grouped(stats.with_freq)
    );
    for (title, list) in [
        ("Largest values", &stats.biggest),
        ("Most elements", &stats.longest),
        (hottest.as_str(), &stats.hottest),
    ] {
        keys(title, list, out);
    }
}

/// A table of the prefixes of a depth.
fn prefixes(stats: &Stats, depth: usize, out: &mut String) {
    let of_depth = stats.prefixes.iter().filter(|prefix| prefix.depth == depth);
    let count = of_depth.clone().count();
    let mut rows = Vec::new();
    for prefix in of_depth.take(ROWS) {
        let name = key_name(&prefix.name, prefix.name.len() as u64);
        rows.push((vec![Cell::Key(name)], &prefix.sum));
    }
    let mut more = |name: &str, sum| rows.push((vec![Cell::Word(name.to_owned())], sum));
    if depth == 1 && stats.without_prefix.keys > 0 {
        more("(none)", &stats.without_prefix);
    }
    let others = stats.other_prefixes.get(depth - 1);
    if let Some(others) = others.filter(|sum| sum.keys > 0) {
        more("(others, not told apart)", others);
    }
    let mut title = match depth {
        1 => "By prefix".to_owned(),
        _ => format!("By prefix of {depth} parts"),
    };
    if count > ROWS {
        title.push_str(&format!(": the first {ROWS} of {}", grouped(count as u64)));
    }
    sums(&title, &["prefix"], rows, stats.total.bytes, out);
}

fn keys(title: &str, list: &[KeyFacts], out: &mut String) {
    let has_freq = list.iter().any(|key| key.freq.is_some());
    let has_expiry = list.iter().any(|key| key.expires_at.is_some());
    let columns = ["key", "db", "type", "encoding", "elements", "bytes"];
    let mut header = columns.to_vec();
    header.push("bytes of value");
    header.extend(has_expiry.then_some("expires"));
    header.extend(has_freq.then_some("LFU counter"));
    let row = |key: &KeyFacts| {
        let mut row = vec![
            Cell::Key(key_name(&key.key, key.key_len)),
            Cell::Word(key.db.to_string()),
            Cell::Word(key.data_type.name().to_owned()),
            Cell::Word(key.encoding.to_owned()),
            Cell::Number(key.elements),
            Cell::Number(key.bytes),
            Cell::Number(key.value_bytes),
        ];
        let expires = key
            .expires_at
            .map(|at| time::rfc3339(at).unwrap_or_else(|| at.to_string()));
        row.extend(has_expiry.then(|| Cell::Word(expires.unwrap_or_default())));
        let freq = key.freq.map(|freq| freq.to_string());
        row.extend(has_freq.then(|| Cell::Share(freq.unwrap_or_default())));
        row
    };
    let rows = list.iter().take(KEYS).map(row).collect();
    table(title, &header, rows, out);
}

/// What is known of a log beyond its keys.
pub(super) fn of_log(log: &LogStats, out: &mut String) {
    let rewrite = &log.rewrite;
    let text = format!(
        "Its files take {} now. A replay comes to a snapshot of about {}: a rewrite would save {} \
         ({}). {} replayed, {} refused.",
        size(rewrite.now),
        size(rewrite.then),
        size(rewrite.saved()),
        share(rewrite.saved(), rewrite.now),
        counted(log.replayed, "command"),
        grouped(log.refused)
    );
    let text = escaped(&text);
    let _ = writeln!(out, "<section><h2>The log</h2><p>{text}</p></section>");
    let mut rows = Vec::new();
    for command in log.commands.iter().take(ROWS) {
        rows.push(vec![
            Cell::Key(shown(&command.name)),
            Cell::Number(command.count),
            Cell::Number(command.bytes),
        ]);
    }
    let mut left = log.other_commands.clone();
    for command in log.commands.iter().skip(ROWS) {
        left.count += command.count;
        left.bytes += command.bytes;
    }
    if left.count > 0 {
        let name = Cell::Key("(others)".to_owned());
        rows.push(vec![
            name,
            Cell::Number(left.count),
            Cell::Number(left.bytes),
        ]);
    }
    table("Commands", &["command", "count", "bytes"], rows, out);
    let mut rows = Vec::new();
    for busy in log.busiest.iter().take(KEYS) {
        rows.push(vec![
            Cell::Key(key_name(&busy.key, busy.key_len)),
            Cell::Word(busy.db.to_string()),
            Cell::Number(busy.commands),
            Cell::Number(busy.at_most),
            Cell::Number(busy.bytes),
        ]);
    }
    let header = ["key", "db", "commands", "at most", "bytes"];
    table("Busiest keys of the log", &header, rows, out);
}
