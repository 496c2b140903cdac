//! Magic and version of a snapshot that may have lost them.

use crate::bytes::{Problem, Step};
use crate::error::{Error, Hint, Result};
use crate::rdb::parser::{RdbParser, State, opcode};
use crate::rdb::string;
use crate::record::target::Target;
use crate::record::types::{Family, RdbVersion};
use crate::report::salvage::VersionFrom;

/// Bytes of magic and version.
const HEADER: usize = 9;
/// Where AUX fields about the writer stand.
const NEAR: usize = 4096;
/// Bytes of a header that may be damaged, if the others are to tell what it was.
const REMAINS: usize = 2;

/// How to read a snapshot from where on, and why so.
pub(super) struct Start {
    pub(super) version: RdbVersion,
    pub(super) from: VersionFrom,
    pub(super) state: State,
    pub(super) at: usize,
}

impl Start {
    fn behind_header(version: RdbVersion, from: VersionFrom, data: &[u8]) -> Start {
        Start {
            version,
            from,
            state: State::of_version(version),
            at: HEADER.min(data.len()),
        }
    }
}

/// Finds out how to read a snapshot.
///
/// # Errors
/// A version that is newer than this program, and nothing that says otherwise.
pub(super) fn start(data: &[u8], assumed: Option<RdbVersion>) -> Result<Start> {
    if let Some(version) = assumed {
        return Ok(Start::behind_header(version, VersionFrom::Assumed, data));
    }
    let mut parser = RdbParser::new();
    let error = match parser.parse(data, true) {
        Ok(Step::Parsed { .. } | Step::NeedMore { .. }) => {
            if let Some(version) = parser.state().version() {
                return Ok(Start {
                    version,
                    from: VersionFrom::Header,
                    state: State::default(),
                    at: 0,
                });
            }
            Error::usage("there is no header")
        }
        Err(error) => error,
    };
    if error.problem() == Some(Problem::Empty) {
        return Err(error);
    }
    if let Some(version) = of_writer(data) {
        return Ok(Start::behind_header(version, VersionFrom::Writer, data));
    }
    if let Some(Problem::FutureVersion { .. }) = error.problem() {
        return Err(error.with_hint(Hint::Other(
            "where the header is damaged, `--assume-version` says what it was",
        )));
    }
    let (version, from) = match of_remains(data) {
        Some(version) => (version, VersionFrom::Remains),
        None => {
            let number = 12;
            let family = Family::Redis;
            (RdbVersion { family, number }, VersionFrom::Guess)
        }
    };
    Ok(Start::behind_header(version, from, data))
}

/// The same by what the writer says, where a header that can be read says a newer version than that
/// writer has.
pub(super) fn against_writer(data: &[u8], start: &Start) -> Option<Start> {
    let version = of_writer(data)?;
    let wrong = start.from == VersionFrom::Header
        && (version.family != start.version.family || version.number < start.version.number);
    wrong.then(|| Start::behind_header(version, VersionFrom::Writer, data))
}

/// The version that the server writes which an AUX field names.
fn of_writer(data: &[u8]) -> Option<RdbVersion> {
    let near = data.get(..data.len().min(NEAR))?;
    [&b"\x0avalkey-ver"[..], b"\x09redis-ver"]
        .into_iter()
        .find_map(|name| {
            let at = near.windows(name.len()).position(|bytes| bytes == name)?;
            let opens = near.get(at.checked_sub(1)?) == Some(&opcode::AUX);
            let (_, value) = string::stored(near.get(at + name.len()..)?).ok()?;
            let value = value.to_bytes().ok().filter(|_| opens)?;
            version_of(
                name.ends_with(b"valkey-ver"),
                std::str::from_utf8(&value).ok()?,
            )
        })
}

fn version_of(valkey: bool, text: &str) -> Option<RdbVersion> {
    let mut numbers = text.split('.').map(|part| part.parse::<u8>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    let redis = |number| RdbVersion {
        family: Family::Redis,
        number,
    };
    match (valkey, major, minor) {
        (false, 3, 2) => return Some(redis(7)),
        (false, 4, 0) => return Some(redis(8)),
        _ => {}
    }
    let family = match valkey {
        true => Family::Valkey,
        false => Family::Redis,
    };
    let target = Target::ALL
        .iter()
        .find(|target| (target.family, target.major, target.minor) == (family, major, minor))?;
    Some(match target.valkey {
        Some(number) => RdbVersion { family, number },
        None => redis(target.redis),
    })
}

/// The one version whose header is nearest to what stands there, if it is near.
fn of_remains(data: &[u8]) -> Option<RdbVersion> {
    let found = data.get(..HEADER)?;
    let all = (1..=RdbVersion::NEWEST_REDIS).map(|number| (Family::Redis, number));
    let all = all.chain(RdbVersion::VALKEY.map(|number| (Family::Valkey, number)));
    let mut best: Vec<(usize, RdbVersion)> = all
        .map(|(family, number)| {
            let version = RdbVersion { family, number };
            let magic = version.magic();
            let differ = magic.iter().zip(found).filter(|(a, b)| a != b).count();
            (differ, version)
        })
        .filter(|(differ, _)| *differ <= REMAINS)
        .collect();
    best.sort_by_key(|(differ, _)| *differ);
    match best.as_slice() {
        [(_, version)] => Some(*version),
        [(first, version), (second, _), ..] if first < second => Some(*version),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(data: &[u8]) -> (String, VersionFrom) {
        let start = start(data, None).unwrap();
        let magic = start.version.magic();
        (String::from_utf8_lossy(&magic).into_owned(), start.from)
    }

    #[test]
    fn the_version_comes_from_the_header_the_writer_or_what_is_left() {
        let of = |text: &str, from| (text.to_owned(), from);
        assert_eq!(
            version(b"REDIS0011\xff"),
            of("REDIS0011", VersionFrom::Header)
        );
        let writer = b"REDXX0099\xfa\x09redis-ver\x057.2.4\xff";
        assert_eq!(version(writer), of("REDIS0011", VersionFrom::Writer));
        let writer = b"VALKEY\xff\xff\xff\xfa\x0avalkey-ver\x059.0.1\xff";
        assert_eq!(version(writer), of("VALKEY080", VersionFrom::Writer));
        assert_eq!(
            version(b"REDI\x130006\xff"),
            of("REDIS0006", VersionFrom::Remains)
        );
        assert_eq!(
            version(b"\0\0\0\0\0\0\0\0\0\0"),
            of("REDIS0012", VersionFrom::Guess)
        );
        assert!(start(b"REDIS0016\xff", None).is_err());
        let assumed = Some(RdbVersion {
            family: Family::Redis,
            number: 12,
        });
        assert!(start(b"REDIS0016\xff", assumed).is_ok());
    }

    #[test]
    fn a_header_newer_than_its_writer_is_damaged() {
        let data = b"REDIS0013\xfa\x09redis-ver\x058.2.3\xff";
        let first = start(data, None).unwrap();
        assert_eq!(first.version.number, 13);
        let second = against_writer(data, &first).unwrap();
        assert_eq!(second.version.number, 12);
        assert!(against_writer(data, &second).is_none());
    }
}
