//! What the first bytes of a snapshot say: plain data.

use crate::record::types::{Family, RdbVersion};
use crate::report::finding::Findings;
use crate::report::log_info::Times;

/// Which server's software wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// KeyDB.
    KeyDb,
    /// Dragonfly.
    Dragonfly,
}

impl Software {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Software::Redis => "Redis",
            Software::Valkey => "Valkey",
            Software::KeyDb => "KeyDB",
            Software::Dragonfly => "Dragonfly",
        }
    }
}

/// What a file says about its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer<'a> {
    /// Whose software.
    pub software: Software,
    /// Its version, as the file has it.
    pub version: Option<&'a [u8]>,
}

impl<'a> Writer<'a> {
    /// Told by the magic and the AUX fields; `None` where neither says anything.
    ///
    /// KeyDB gives its own version as `redis-ver`: only its other fields, or a version that Redis
    /// never had, tell it from Redis.
    pub fn of(version: Option<RdbVersion>, aux: &'a [(Vec<u8>, Vec<u8>)]) -> Option<Writer<'a>> {
        let redis_ver = value(aux, "redis-ver");
        let valkey_ver = value(aux, "valkey-ver");
        let dragonfly_ver = value(aux, "df-ver");
        let is_keydb = aux.iter().any(|(name, _)| is_keydb_name(name))
            || redis_ver.is_some_and(|version| version.starts_with(b"6.3."));
        let (software, version) = if dragonfly_ver.is_some() || value(aux, "snapshot-id").is_some()
        {
            (Software::Dragonfly, dragonfly_ver)
        } else if valkey_ver.is_some() || version.is_some_and(|v| v.family == Family::Valkey) {
            (Software::Valkey, valkey_ver)
        } else if is_keydb {
            (Software::KeyDb, redis_ver)
        } else {
            redis_ver?;
            (Software::Redis, redis_ver)
        };
        Some(Writer { software, version })
    }
}

/// The value of an AUX field; servers compare the names without regard to case.
pub fn value<'a>(aux: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    aux.iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

fn is_keydb_name(name: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    is("mvcc-tstamp") || is("repl-masters") || name.to_ascii_lowercase().starts_with(b"keydb-")
}

/// What the header says about the first database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstDb {
    /// Its number.
    pub db: u32,
    /// Keys; a hint, as the file has it.
    pub keys: u64,
    /// Keys that expire; a hint too.
    pub expires: u64,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an end mark and a checksum, or, in a format without one, with an end mark.
    Whole,
    /// With an end mark and eight zero bytes: its writer computed no checksum.
    WithoutChecksum,
    /// With something else: it was cut, or other bytes stand behind it.
    Other,
}

impl Ending {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Whole => "end-mark",
            Ending::WithoutChecksum => "end-mark-without-checksum",
            Ending::Other => "other",
        }
    }
}

/// The report of `info`.
#[derive(Clone, Debug)]
pub struct InfoReport {
    /// The input's name as given.
    pub input: String,
    /// Bytes of the input as it lies there, compressed or not; unknown for a pipe.
    pub size: Option<u64>,
    /// How it is compressed as a whole, if it is.
    pub compressed: Option<&'static str>,
    /// Time of the last modification, Unix time in ms.
    pub modified: Option<i64>,
    /// Magic and version.
    pub version: Option<RdbVersion>,
    /// AUX fields before the first key, in the order of the file, up to a bound.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// AUX fields beyond the bound.
    pub aux_left_out: u64,
    /// Function libraries before the first key.
    pub functions: u64,
    /// Records of modules before the first key.
    pub module_aux: u64,
    /// The first database with keys.
    pub first_db: Option<FirstDb>,
    /// How the file ends, where that can be seen without reading it.
    pub ending: Option<Ending>,
    /// The times of the log behind it, where the end of the file shows that there is one.
    pub behind: Option<Times>,
    /// Damage before the first key.
    pub findings: Findings,
}

impl InfoReport {
    /// Who wrote it.
    pub fn writer(&self) -> Option<Writer<'_>> {
        Writer::of(self.version, &self.aux)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(family: Family, aux: &[(&str, &str)]) -> Option<(Software, Option<String>)> {
        let version = RdbVersion { family, number: 11 };
        let aux: Vec<_> = aux
            .iter()
            .map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()))
            .collect();
        let writer = Writer::of(Some(version), &aux)?;
        let version = writer
            .version
            .map(|v| String::from_utf8(v.to_vec()).unwrap());
        Some((writer.software, version))
    }

    #[test]
    fn each_family_is_told_by_what_only_it_writes() {
        let some = |software, version: &str| Some((software, Some(version.to_owned())));
        assert_eq!(writer(Family::Redis, &[]), None);
        assert_eq!(
            writer(Family::Redis, &[("redis-ver", "7.0.15")]),
            some(Software::Redis, "7.0.15")
        );
        assert_eq!(
            writer(Family::Redis, &[("Valkey-Ver", "8.1.8")]),
            some(Software::Valkey, "8.1.8")
        );
        assert_eq!(writer(Family::Valkey, &[]), Some((Software::Valkey, None)));
        assert_eq!(
            writer(Family::Redis, &[("redis-ver", "6.3.4")]),
            some(Software::KeyDb, "6.3.4")
        );
        assert_eq!(
            writer(
                Family::Redis,
                &[("redis-ver", "6.0.16"), ("mvcc-tstamp", "1")]
            ),
            some(Software::KeyDb, "6.0.16")
        );
        assert_eq!(
            writer(
                Family::Redis,
                &[("redis-ver", "6.2.11"), ("df-ver", "df-v1.23.0")]
            ),
            some(Software::Dragonfly, "df-v1.23.0")
        );
    }
}
