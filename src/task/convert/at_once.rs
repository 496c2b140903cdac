//! Makes commands of keys while the snapshot is still being checked: each batch once it is found to be in
//! order, by the thread that has just read it.

use super::making::{Failure, Taking};
use super::{CHECKED, Task};
use crate::error::Result;
use crate::io::ordered::Piece;
use crate::rdb::segments::INHERITED;
use crate::report::check::Verdict;
use crate::report::written::WriteReport;
use crate::task::check_rdb::{CheckOptions, check_map, check_map_beside};
use crate::task::writing::{Assembler, Destination, Lacks, Made};

/// Writes all of a snapshot and whether that is all; none where something is wrong with it, or came out
/// otherwise than was meant: then what was written is of no use, and whoever looks at it alone finds what
/// there is to say.
///
/// # Errors
/// Input that cannot be read, output that cannot be written.
pub(super) fn write(task: &Task<'_>, to: &mut Destination) -> Result<Option<(WriteReport, bool)>> {
    let mut lacks = Lacks::default();
    let Ok((head, start)) = task.head(&mut lacks) else {
        return Ok(None);
    };
    let mut report = WriteReport {
        functions: head.functions.len() as u64,
        ..WriteReport::default()
    };
    let mut making = task.making(start);
    making.looks_inside = true;
    let mut assembler = Assembler::new(task.format, task.layout, head, to)?;
    let mut taking = Taking {
        making: &making,
        assembler: &mut assembler,
        lacks: &mut lacks,
        report: &mut report,
        failed: None,
    };
    // Whoever makes its commands decodes a value.
    let options = CheckOptions {
        values_later: true,
        ..CHECKED
    };
    let take = |piece, db| taking.take(settled(piece, db));
    let check = check_map_beside(task.name, task.map, options, task.run, &making, take)?;
    match taking.failed {
        Some(Failure::Output(error)) => {
            // What is wrong with the snapshot is said before what is wrong with the disk.
            let check = check_map(task.name, task.map, CHECKED, task.run)?;
            return match check.verdict {
                Verdict::Loads => Err(error),
                _ => Ok(None),
            };
        }
        None if check.verdict == Verdict::Loads => {}
        _ => return Ok(None),
    }
    let (keys, expires, functions) = (report.keys, report.expires, report.functions);
    let mut report = WriteReport {
        keys,
        expires,
        functions,
        ..task.report(&check)
    };
    task.end(assembler, &check, lacks, &mut report)?;
    let lacks = report.findings.errors() > 0;
    Ok(Some((report, !lacks)))
}

/// The same, with the database that was not known where it was made.
fn settled(mut piece: Piece<Made>, inherited: u32) -> Piece<Made> {
    let settle = |db: &mut u32| {
        if *db == INHERITED {
            *db = inherited;
        }
    };
    match &mut piece {
        Piece::Chunk(chunk) => settle(&mut chunk.db),
        Piece::Done(made) => {
            made.runs.iter_mut().for_each(|(db, _)| settle(db));
            made.behind.iter_mut().for_each(|(db, _)| settle(db));
            made.lacking.iter_mut().for_each(|one| settle(&mut one.db));
        }
    }
    piece
}
