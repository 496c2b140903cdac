//! The snapshot in front of a log: where it ends, found without looking into its values.

use crate::aof::resync::{Names, Resync};
use crate::bytes::{Problem, Step};
use crate::error::{Error, Result};
use crate::rdb::parser::RdbParser;
use crate::report::Finding;
use crate::task::check_aof::{LogStart, begins_with_snapshot};

/// Bytes between two words on how far a snapshot is read.
const TELL_EVERY: u64 = 1 << 20;

/// Where the commands of a file begin, and what is wrong with the snapshot in front of them.
#[derive(Debug)]
pub(crate) struct Front {
    /// Where the commands begin.
    pub(crate) start: LogStart,
    /// Damage that the framing met: of values only their lengths were looked at.
    pub(crate) damage: Option<Finding>,
}

impl Front {
    /// Finds the end of the snapshot that a file begins with, if it does. Behind a damaged one,
    /// `names` decides which commands are believed.
    ///
    /// # Errors
    /// A snapshot of a version or with a type that is not known: nobody can say where it ends.
    pub(crate) fn of<N: Names>(
        data: &[u8],
        names: &N,
        mut reached: impl FnMut(u64),
    ) -> Result<Front> {
        if !begins_with_snapshot(data) {
            let start = LogStart::Known(0);
            return Ok(Front {
                start,
                damage: None,
            });
        }
        let mut parser = RdbParser::new();
        let read = to_the_end(&mut parser, data, &mut reached);
        let end = parser.offset();
        let Err(error) = read else {
            let start = LogStart::Known(end);
            return Ok(Front {
                start,
                damage: None,
            });
        };
        if let None | Some(Problem::FutureVersion { .. } | Problem::UnreadableType { .. }) =
            error.problem()
        {
            return Err(error);
        }
        let from = usize::try_from(end).unwrap_or(data.len());
        let start = match Resync::new(data.len()).next_chain(data, from, names) {
            Some(resumed) => LogStart::Found(end, resumed.at as u64),
            None => LogStart::Unknown,
        };
        Ok(Front {
            damage: damage(&error, start, data),
            start,
        })
    }

    /// Bytes of the file before its first command: all of it where that is not known.
    pub(crate) fn len(&self, data: &[u8]) -> usize {
        let at = self.start.offset().and_then(|at| usize::try_from(at).ok());
        at.map_or(data.len(), |at| at.min(data.len()))
    }
}

fn damage(error: &Error, start: LogStart, data: &[u8]) -> Option<Finding> {
    let end = start.offset().unwrap_or(data.len() as u64);
    Finding::from_error(error, end)
}

fn to_the_end(parser: &mut RdbParser, data: &[u8], reached: &mut impl FnMut(u64)) -> Result<()> {
    let mut rest = data;
    let mut told = 0;
    while !parser.state().ended() {
        if parser.offset() >= told + TELL_EVERY {
            told = parser.offset();
            reached(told);
        }
        if let Some((_, after)) = parser.next_key(rest) {
            rest = after;
            continue;
        }
        match parser.parse(rest, true)? {
            Step::Parsed { consumed, .. } => rest = rest.get(consumed..).unwrap_or_default(),
            Step::NeedMore { .. } => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::check_aof::AnyServer;

    const PREAMBLE: &[u8] = include_bytes!("../../testdata/aof/redis-6.2.5-preamble.aof");

    fn front(data: &[u8]) -> Front {
        Front::of(data, &AnyServer::default(), |_| ()).unwrap()
    }

    #[test]
    fn the_log_begins_behind_the_checksum() {
        let found = front(PREAMBLE);
        let LogStart::Known(at) = found.start else {
            panic!("{found:?}");
        };
        let at = usize::try_from(at).unwrap();
        assert_eq!(PREAMBLE[at], b'*');
        assert_eq!(PREAMBLE[at - 9], 0xff);
        assert!(found.damage.is_none());
        assert_eq!(front(b"*1\r\n").start, LogStart::Known(0));
        assert_eq!(front(b"").start, LogStart::Known(0));
    }

    #[test]
    fn every_truncation_of_a_snapshot_is_damage_without_a_log() {
        let LogStart::Known(end) = front(PREAMBLE).start else {
            panic!("no log");
        };
        for cut in 6..usize::try_from(end).unwrap() {
            let found = front(&PREAMBLE[..cut]);
            assert_eq!(found.start, LogStart::Unknown, "{cut}");
            let damage = found.damage.unwrap();
            assert!(damage.start <= cut as u64 && damage.end == cut as u64);
        }
    }

    #[test]
    fn the_log_behind_a_damaged_snapshot_is_found() {
        let LogStart::Known(end) = front(PREAMBLE).start else {
            panic!("no log");
        };
        let cut = usize::try_from(end).unwrap() - 20;
        let log = b"*1\r\n$4\r\nPING\r\n".repeat(3);
        let data = [&PREAMBLE[..cut], &log].concat();
        let found = front(&data);
        // What is left of the snapshot takes some of the log for its own.
        let LogStart::Found(_, at) = found.start else {
            panic!("{found:?}");
        };
        let passed = usize::try_from(at).unwrap() - cut;
        assert!(passed < 30 && passed.is_multiple_of(14), "{found:?}");
        assert_eq!(found.len(&data), cut + passed);
    }

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        let error = Front::of(b"REDIS0016\xff", &AnyServer::default(), |_| ()).unwrap_err();
        assert!(matches!(
            error.problem(),
            Some(Problem::FutureVersion { .. })
        ));
    }
}
