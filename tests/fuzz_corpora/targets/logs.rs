//! Logs and manifests: what is read is written and read again; what is mended is sound, and nothing is
//! left to mend.

use redkit::aof::log::{Event, LogReader};
use redkit::aof::manifest::{Dialect, Manifest};
use redkit::aof::resp::{self, Item};
use redkit::command::Like;
use redkit::report::aof::Fate;
use redkit::report::fix::Strategy;
use redkit::task::InputPath;
use redkit::task::check_aof::{AnyServer, AofOptions, check_aof, check_bytes};
use redkit::task::fix_aof::{FixOptions, apply, plan};
use redkit::task::mend::Keep;

use super::common::{Folder, inside, not_ours, run};
use super::replay::LIKES;

fn like(by: u8) -> Option<Like> {
    let choice = usize::from(by) % (LIKES.len() + 1);
    LIKES
        .get(choice)
        .map(|name| name.parse().expect("a server"))
}

pub(super) fn resp(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let names = AnyServer::default();
    let mut reader = LogReader::new(data, &names);
    let mut at = 0;
    let mut args = Vec::new();
    while let Some((start, event)) = reader.next() {
        let end = reader.offset();
        match event {
            Event::Command(command) => {
                assert!(start == at && start < end, "{start} {end} {at}");
                let bytes = command.bytes();
                assert_eq!(bytes, &data[start..end]);
                let all: Vec<&[u8]> = command.args().collect();
                assert_eq!(all.len(), command.argc());
                assert_eq!(all.first(), Some(&command.name()));
                if let Some(rest) = resp::collect(bytes, &mut args) {
                    assert_eq!((rest, &args), (&b""[..], &all));
                }
                let mut out = Vec::new();
                resp::write_command(all.iter().copied(), &mut out);
                match resp::item(&out) {
                    Ok(([], Item::Command(again))) => {
                        assert!(again.args().eq(all.iter().copied()));
                    }
                    other => panic!("{other:?}"),
                }
            }
            Event::Annotation(text) => {
                assert!(start == at && start < end, "{start} {end} {at}");
                resp::timestamp(text);
            }
            Event::Damage(damage) => {
                // It may take back the command before it.
                let first = damage.swallowed.map_or(at, |(first, _)| first);
                assert_eq!(damage.start, first, "{damage:?} {at}");
                assert!(damage.start <= damage.at && damage.at <= data.len());
                assert!(damage.start < damage.end && damage.end == end);
                for (from, until, _) in reader.runs_in(&damage) {
                    assert!(damage.start < from && from < until && until <= damage.end);
                }
            }
        }
        at = end;
    }
    assert_eq!(at, data.len());
    resp::is_cut(data);
    resp::at_end(data);
    resp::is_bad_format_to_old(data);
    let options = AofOptions {
        like: like(first),
        allowed: Vec::new(),
    };
    match check_bytes("x", data, &options, &run(1)) {
        Ok(report) => {
            for findings in report.lists() {
                inside(findings, data.len() as u64);
            }
            if let Some(offset) = report.fate.offset() {
                assert!(offset <= data.len() as u64);
            }
        }
        Err(error) => not_ours(&error),
    }
}

pub(super) fn manifest(data: &[u8]) {
    Manifest::names_in(data);
    for dialect in [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9] {
        let manifest = match Manifest::parse_as(data, dialect) {
            Ok(manifest) => manifest,
            Err(fault) => {
                assert!(fault.offset <= data.len() as u64);
                continue;
            }
        };
        let mut out = Vec::new();
        if manifest.write(&mut out).is_err() || out.is_empty() {
            continue;
        }
        let again = Manifest::parse_as(&out, dialect);
        assert_eq!(again.as_ref(), Ok(&manifest), "{}", out.escape_ascii());
    }
}

pub(super) fn fix(data: &[u8]) {
    let Some((&[flags, first], data)) = data.split_first_chunk() else {
        return;
    };
    let folder = Folder::new();
    let path = folder.with("log.aof", data);
    let options = FixOptions {
        check: AofOptions {
            like: like(first),
            allowed: Vec::new(),
        },
        strategy: match flags & 3 {
            0 => None,
            1 => Some(Strategy::Truncate),
            _ => Some(Strategy::Skip),
        },
        drop_unknown: flags & 4 != 0,
        keep_uncertain: flags & 8 != 0,
        assume_db: (flags & 16 != 0).then_some(3),
        ..FixOptions::default()
    };
    let input = InputPath::File(path.clone());
    let mending = match plan(&input, &options, &run(1)) {
        Ok(mending) => mending,
        Err(error) => return not_ours(&error),
    };
    let keep = Keep {
        quarantine: None,
        discard_removed: true,
    };
    // What is not damaged but refused all the same (by an old server) is said and left alone.
    if mending.refused.is_some() || mending.fix.is_none() {
        return;
    }
    if let Err(error) = apply(&mending, &keep, false, &run(1)) {
        panic!("{error}");
    }
    drop(mending);
    let mended = std::fs::read(&path).expect("the log");
    let report = check_aof(&input, &options.check, &run(1)).expect("a log");
    let second = plan(&input, &options, &run(1)).expect("a log");
    // The same may be left, which only Redis 6.2 refuses.
    let is_left = report.like.starts_with("redis-6.2") && second.fix.is_none();
    assert!(
        report.fate == Fate::Loads || is_left,
        "{} {report:#?}",
        mended.escape_ascii()
    );
    let unchanged = second.plan.as_ref().is_none_or(|plan| plan.is_unchanged());
    assert!(
        unchanged && second.refused.is_none(),
        "{} {second:#?}",
        mended.escape_ascii()
    );
    apply(&second, &keep, false, &run(1)).expect("nothing to do");
    assert_eq!(std::fs::read(&path).expect("the log"), mended);
}
