//! The plan of a fix, and what came of it, as part of a report.

use crate::report::fix::{Ambiguous, Done, FileFix, FixReport, Loss, Outcome, Run};
use crate::report::json_report::Json;

/// The object `fix`; `exit_of` says why nothing was written, if so.
pub(super) fn fix(fix: &FixReport, refused: Option<&'static str>, dry_run: bool) -> Json {
    Json::Object(vec![
        ("strategy", Json::from(fix.strategy.name())),
        ("dry_run", Json::Bool(dry_run)),
        ("refused", Json::from(refused)),
        ("outcome", outcome(&fix.outcome)),
        ("other", Json::from(fix.other.as_ref().map(outcome))),
        ("rebuilt_manifest", Json::Bool(fix.rebuilt_manifest)),
        ("files", Json::list(&fix.files, file)),
        (
            "keys_in_doubt",
            Json::Object(vec![
                ("count", Json::from(fix.keys.count)),
                ("more", Json::Bool(fix.keys.more)),
                (
                    "listed",
                    Json::list(&fix.keys.listed, |key| {
                        Json::Object(vec![
                            ("db", Json::from(key.db)),
                            ("key", Json::bytes(&key.key)),
                            ("commands", Json::from(key.commands)),
                            ("seen", Json::Bool(key.seen)),
                        ])
                    }),
                ),
            ]),
        ),
        ("done", Json::from(fix.done.as_ref().map(done))),
    ])
}

fn outcome(outcome: &Outcome) -> Json {
    Json::Object(vec![
        ("kept_commands", Json::from(outcome.kept_commands)),
        ("lost_commands", Json::from(outcome.lost_commands)),
        ("kept_bytes", Json::from(outcome.kept_bytes)),
        ("lost_bytes", Json::from(outcome.lost_bytes)),
        ("keys", Json::from(outcome.keys)),
    ])
}

fn file(file: &FileFix) -> Json {
    Json::Object(vec![
        ("name", Json::from(file.name.as_str())),
        ("left_out", Json::Bool(file.left_out)),
        ("removed", Json::list(&file.losses, loss)),
        ("uncertain", Json::list(&file.uncertain, run)),
        ("singles", Json::list(&file.singles, run)),
        (
            "ambiguous",
            Json::list(&file.ambiguous, |Ambiguous { start, end }| {
                Json::Object(vec![
                    ("start", Json::from(*start)),
                    ("end", Json::from(*end)),
                ])
            }),
        ),
        (
            "selects_in_doubt",
            Json::list(&file.selects, |select| {
                Json::Object(vec![
                    ("at", Json::from(select.at)),
                    ("db", Json::from(select.db)),
                    ("commands", Json::from(select.commands)),
                ])
            }),
        ),
        (
            "unknown",
            Json::list(&file.unknown, |(name, unknown)| {
                Json::Object(vec![
                    ("name", Json::from(name.as_str())),
                    ("first", Json::from(unknown.first)),
                    ("count", Json::from(unknown.count)),
                ])
            }),
        ),
    ])
}

fn loss(loss: &Loss) -> Json {
    Json::Object(vec![
        ("start", Json::from(loss.start)),
        ("end", Json::from(loss.end)),
        ("why", Json::from(loss.why.name())),
        ("commands", Json::from(loss.commands)),
        ("damaged_bytes", Json::from(loss.damaged)),
        ("in_transaction", Json::Bool(loss.in_transaction)),
    ])
}

fn run(run: &Run) -> Json {
    Json::Object(vec![
        ("start", Json::from(run.start)),
        ("end", Json::from(run.end)),
        ("commands", Json::from(run.commands)),
    ])
}

pub(super) fn done(done: &Done) -> Json {
    Json::Object(vec![
        (
            "written",
            Json::list(&done.written, |(name, size)| {
                Json::Object(vec![
                    ("name", Json::from(name.as_str())),
                    ("size", Json::from(*size)),
                ])
            }),
        ),
        (
            "removed",
            Json::list(&done.removed, |name| Json::from(name.as_str())),
        ),
        ("manifest", Json::from(done.manifest.as_deref())),
        ("old_manifest", Json::from(done.old_manifest.as_deref())),
        (
            "warnings",
            Json::list(&done.warnings, |text| Json::from(text.as_str())),
        ),
    ])
}
