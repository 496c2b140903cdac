//! The server that a snapshot is written for, where the text says who wrote its source.

use crate::error::Result;
use crate::record::Family;
use crate::record::target::Target;
use crate::report::info::{Software, Writer};
use crate::write::Format;

/// What is written for where nothing says who wrote the source.
const DEFAULT: &str = "redis-8.2";

/// The newest version known of the family that wrote the source which is not newer than it.
pub(super) fn of_writer(aux: &[(Vec<u8>, Vec<u8>)]) -> Result<Format> {
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
    Format::named(told.map_or(DEFAULT, |target| target.name))
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
            of_writer(&aux).unwrap().target.name
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
