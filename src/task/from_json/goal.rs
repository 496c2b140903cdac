//! The server that a snapshot is written for.

use crate::command::Like;
use crate::error::{Error, Result};
use crate::keyspace::{NEVER, Rules};
use crate::record::target::Target;
use crate::record::{Family, RdbType, RdbVersion};
use crate::report::info::{Software, Writer};

/// What is written for where nothing says who wrote the source.
const DEFAULT: &str = "redis-8.2";
/// The opcode of function libraries.
const FUNCTION: u8 = 0xf5;
/// The module type of vector sets, part of Redis since 8.0.
const VECTORSET: &[u8; 9] = b"vectorset";

/// A server that a snapshot is written for.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) target: &'static Target,
    pub(super) rules: Rules,
}

impl Goal {
    pub(super) fn new(target: &'static Target) -> Result<Goal> {
        let like: Like = target
            .name
            .parse()
            .map_err(|_| Error::usage(format!("{} is no server's name", target.name)))?;
        Ok(Goal {
            target,
            rules: Rules::new(like, None),
        })
    }

    /// The newest version known of the family that wrote the source which is not newer than it.
    pub(super) fn of_writer(aux: &[(Vec<u8>, Vec<u8>)]) -> Result<Goal> {
        let told = Writer::of(None, aux).and_then(|writer| {
            let family = match writer.software {
                Software::Redis => Family::Redis,
                Software::Valkey => Family::Valkey,
                _ => return None,
            };
            let version = numbers(writer.version?)?;
            let mut all = Target::ALL.iter().filter(|target| target.family == family);
            let first = all.clone().next();
            all.rfind(|target| (target.major, target.minor) <= version)
                .or(first)
        });
        let default = || Target::from_name(DEFAULT);
        match told.or_else(default) {
            Some(target) => Goal::new(target),
            None => Err(Error::usage(format!("{DEFAULT} is not known"))),
        }
    }

    /// The version of the format that it writes.
    pub(super) fn version(&self) -> RdbVersion {
        match self.target.valkey {
            Some(number) => RdbVersion {
                family: Family::Valkey,
                number,
            },
            None => RdbVersion {
                family: Family::Redis,
                number: self.target.redis,
            },
        }
    }

    pub(super) fn has_functions(&self) -> bool {
        self.target.knows_opcode(FUNCTION, self.version().family)
    }

    pub(super) fn has_field_expiry(&self) -> bool {
        self.rules.since((7, 4), (9, 0))
    }

    pub(super) fn has_producers(&self) -> bool {
        self.target.knows_type(RdbType::Stream4)
    }

    pub(super) fn has_arrays(&self) -> bool {
        self.target.knows_type(RdbType::Array)
    }

    /// Whether it can have values of this module: of vector sets that is known.
    pub(super) fn has_module(&self, name: &[u8; 9]) -> bool {
        name != VECTORSET || self.rules.since((8, 0), NEVER)
    }
}

/// The first two numbers of a version.
fn numbers(version: &[u8]) -> Option<(u8, u8)> {
    let mut parts = std::str::from_utf8(version).ok()?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_says_what_is_written_for() {
        let of = |name: &str, version: &str| {
            let aux = [(name.as_bytes().to_vec(), version.as_bytes().to_vec())];
            Goal::of_writer(&aux).unwrap().target.name
        };
        assert_eq!(of("redis-ver", "6.2.5"), "redis-6.2");
        assert_eq!(of("redis-ver", "3.2.12"), "redis-5.0");
        assert_eq!(of("redis-ver", "8.3.1"), "redis-8.2");
        assert_eq!(of("valkey-ver", "9.1.2"), "valkey-9.1");
        assert_eq!(of("redis-ver", "255.255.255"), "redis-8.10");
        assert_eq!(of("redis-ver", "x"), DEFAULT);
        assert_eq!(of("ctime", "1"), DEFAULT);
    }
}
