//! The table of targets for people.

use crate::report::formats::ServerFormat;
use crate::report::text::{Paint, indented, plain_table};

/// A line a server, and what came with it.
pub fn formats(all: &[ServerFormat], paint: Paint) -> String {
    let mut table = plain_table();
    table.add_row([
        "server",
        "writes",
        "reads",
        "functions",
        "field expiry",
        "AOF",
    ]);
    for one in all {
        let mut reads = format!("REDIS to {}", one.reads_redis);
        if let Some(valkey) = one.reads_valkey {
            reads.push_str(&format!(", VALKEY to {valkey}"));
        }
        let yes = |is: bool| if is { "yes" } else { "-" };
        let aof = if one.multi_part {
            "set of files"
        } else {
            "one file"
        };
        table.add_row([
            one.target.name,
            &one.writes,
            &reads,
            yes(one.functions),
            yes(one.field_expiry),
            aof,
        ]);
    }
    let mut out = format!("{}\n{}", paint.strong("Servers"), indented(&mut table));
    out.push_str(&format!(
        "\n{}\n",
        paint.strong("Types of values, by the server that brought them")
    ));
    let mut table = plain_table();
    for one in all {
        let types = one.new_types.iter();
        let types: Vec<_> = types
            .map(|of| format!("{} {}", of.number(), of.name()))
            .collect();
        let first = one.family() == "valkey" && one.target.minor == 2;
        if !types.is_empty() && !first {
            table.add_row([one.target.name.to_owned(), types.join(", ")]);
        }
    }
    out.push_str(&indented(&mut table));
    out
}
