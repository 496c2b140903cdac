//! The plan of a fix for people, and what came of it.

use crate::error::printable;
use crate::report::fix::{Done, FileFix, FixReport, KeysReport, Loss, Outcome, Strategy, Why};
use crate::report::text::{Facts, Paint, bytes, counted, grouped, offset, shown};

/// What would go and what would stay.
pub fn plan(fix: &FixReport, several_files: bool, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong("plan"));
    let mut facts = Facts::default();
    if fix.outcome.lost_bytes > 0 {
        facts.add("strategy", fix.strategy.name());
    }
    facts.add("keeps", kept(fix.outcome));
    facts.add("removes", lost(fix.outcome));
    if let Some(other) = fix.other {
        let name = match fix.strategy {
            Strategy::Skip => "truncate",
            Strategy::Truncate => "skip",
        };
        facts.add(
            "else",
            format!("{name} keeps {} and removes {}", kept(other), lost(other)),
        );
    }
    if fix.rebuilt_manifest {
        facts.add(
            "manifest",
            "made anew from the names of the files".to_owned(),
        );
    }
    out.push_str(&facts.finish());
    for file in &fix.files {
        let name = several_files.then_some(file.name.as_str());
        out.push_str(&of_file(file, name, fix.has_transactions, paint));
    }
    out.push_str(&keys(&fix.keys));
    out
}

fn kept(outcome: Outcome) -> String {
    let commands = counted(outcome.kept_commands, "command");
    let keys = outcome
        .keys
        .map(|keys| format!("{}, ", counted(keys, "key")));
    let keys = keys.unwrap_or_default();
    format!("{commands}, {keys}{}", bytes(outcome.kept_bytes))
}

fn lost(outcome: Outcome) -> String {
    let commands = counted(outcome.lost_commands, "command");
    format!("{commands}, {}", bytes(outcome.lost_bytes))
}

fn of_file(file: &FileFix, name: Option<&str>, transactions: bool, paint: Paint) -> String {
    let mut out = String::new();
    let at = |from: u64, to: u64| format!("{} to {}", offset(from), offset(to));
    let mut line = |text: String| out.push_str(&format!("  {text}\n"));
    let of = name
        .map(|name| format!(" of {}", shown(name)))
        .unwrap_or_default();
    if file.left_out {
        line(format!("removes all{of} from the set"));
        return out;
    }
    for loss in file.losses.iter().take(SHOWN) {
        line(removed(loss, &of, paint));
    }
    if file.losses.len() > SHOWN {
        let more = counted((file.losses.len() - SHOWN) as u64, "more place");
        line(format!("and {more}"));
    }
    for run in file.uncertain.iter().take(SHOWN) {
        let commands = counted(run.commands, "whole command");
        line(format!(
            "uncertain: {commands} in bytes {}{of}, between two damages; `--keep-uncertain` keeps them",
            at(run.start, run.end)
        ));
    }
    for run in file.singles.iter().filter(|_| transactions).take(SHOWN) {
        let commands = counted(run.commands, "command");
        line(format!(
            "kept by themselves: {commands} in bytes {}{of}, which may have been in a transaction",
            at(run.start, run.end)
        ));
    }
    for region in file.ambiguous.iter().take(SHOWN) {
        line(format!(
            "ambiguous: the damage in bytes {}{of} can be read in two ways; the one that keeps fewer \
             commands is taken",
            at(region.start, region.end)
        ));
    }
    for doubt in file
        .selects
        .iter()
        .filter(|doubt| doubt.commands > 0)
        .take(SHOWN)
    {
        let commands = counted(doubt.commands, "command");
        line(format!(
            "database in doubt: the damage before {}{of} could hide a SELECT; {commands} up to the \
             next one would go to db {}; `--assume-db N` decides",
            offset(doubt.at),
            doubt.db
        ));
    }
    for (name, unknown) in file.unknown.iter().take(SHOWN) {
        let commands = counted(unknown.count, "time");
        line(format!(
            "unknown command {} ({commands}), first at {}{of}: `--drop-unknown` removes it, \
             `--allow-command` takes it for a module's",
            shown(name),
            offset(unknown.first)
        ));
    }
    out
}

fn removed(loss: &Loss, of: &str, paint: Paint) -> String {
    let mut text = format!(
        "{} {}: bytes {} to {}{of}",
        paint.strong("remove"),
        loss.why.name(),
        offset(loss.start),
        offset(loss.end)
    );
    if loss.commands > 0 {
        text.push_str(&format!(", {}", counted(loss.commands, "whole command")));
    }
    if loss.why == Why::Snapshot {
        text.push_str(", with all keys of the snapshot: `dump-to-json --keep-going` reads them");
    }
    if loss.in_transaction {
        text.push_str(", with the transaction");
    }
    text
}

fn keys(keys: &KeysReport) -> String {
    let mut out = String::new();
    if keys.count == 0 {
        return out;
    }
    let more = if keys.more { "more than " } else { "" };
    let count = counted(keys.count, "key");
    out.push_str(&format!(
        "  in doubt: {more}{count} that later commands build on (INCR, APPEND, LPUSH, …)\n"
    ));
    for key in keys.listed.iter().take(SHOWN) {
        let seen = match key.seen {
            true => "; its name stands among what goes",
            false => "",
        };
        let commands = counted(key.commands, "command");
        let name = printable(&key.key);
        out.push_str(&format!(
            "    \"{name}\" in db {}, {commands}{seen}\n",
            key.db
        ));
    }
    if keys.count > SHOWN as u64 {
        let more = grouped(keys.count - SHOWN as u64);
        out.push_str(&format!("    and {more} more\n"));
    }
    out
}

/// What was done.
pub fn done(done: &Done, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong("done"));
    for (name, size) in &done.written {
        out.push_str(&format!("  wrote {}, {}\n", shown(name), bytes(*size)));
    }
    for name in done.removed.iter().take(SHOWN) {
        out.push_str(&format!("  what was removed is in {}\n", shown(name)));
    }
    if done.removed.len() > SHOWN {
        let more = counted((done.removed.len() - SHOWN) as u64, "more file");
        out.push_str(&format!("  and in {more}\n"));
    }
    if let Some(name) = &done.manifest {
        out.push_str(&format!("  wrote {}\n", shown(name)));
    }
    if let Some(name) = &done.old_manifest {
        out.push_str(&format!("  the old manifest is {}\n", shown(name)));
    }
    out
}

/// Rows of a kind that are shown.
const SHOWN: usize = 20;
