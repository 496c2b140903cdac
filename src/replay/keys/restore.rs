//! RESTORE: a key from the form that `DUMP` gives.
//!
//! ```text
//! type, value    as in a snapshot
//! u16 LE         version of the format
//! u64 LE         CRC-64 of all before it; 0 does not mean unchecked here
//! ```

use crate::encoding::crc64;
use crate::keyspace::{self, Rules, Value};
use crate::rdb::string;
use crate::rdb::value::{Scratch, extent};
use crate::record::target::Target;
use crate::record::types::{Dialect, Family, RdbVersion};
use crate::record::{RawValue, RdbType};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

/// Bytes of version and checksum.
const FOOTER: usize = 10;
/// The first version of Valkey's own.
const FIRST_OF_VALKEY: u16 = 80;

pub(super) fn restore(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, ttl, payload], rest) = args.first()?;
    let options = options(rest)?;
    if !options.replace && cx.exists(key) {
        return Err(Rejection::error("BUSYKEY Target key name already exists."));
    }
    let ttl = integer(ttl)?;
    if ttl < 0 {
        return Err(Rejection::error("ERR Invalid TTL value, must be >= 0"));
    }
    let (version, _) = opened(payload, cx.rules)
        .ok_or_else(|| Rejection::error("ERR DUMP payload version or checksum are wrong"))?;
    cx.claim(payload.len() as u64 * 8)?;
    let value =
        value(version, payload, cx.rules).ok_or_else(|| Rejection::error("ERR Bad data format"))?;
    let expires_at = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        ttl => match cx.from_now(0) {
            // A time that is too late wraps round in a server.
            Some(now) => Some(now.wrapping_add(ttl)),
            None => return Ok(Reply::OK),
        },
    };
    cx.put(key, value, expires_at);
    Ok(Reply::OK)
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
}

fn options(mut rest: Args<'_>) -> Result<Options, Rejection> {
    let mut options = Options::default();
    let (mut idle, mut frequency) = (false, false);
    while let Some(word) = rest.slice().first() {
        if is(word, "replace") {
            options.replace = true;
            rest = rest.from(1);
        } else if is(word, "absttl") {
            options.absolute = true;
            rest = rest.from(1);
        } else if is(word, "idletime") && !frequency {
            if integer(rest.at(1)?)? < 0 {
                return Err(Rejection::error("ERR Invalid IDLETIME value, must be >= 0"));
            }
            idle = true;
            rest = rest.from(2);
        } else if is(word, "freq") && !idle {
            if !(0..=255).contains(&integer(rest.at(1)?)?) {
                return Err(Rejection::error(
                    "ERR Invalid FREQ value, must be >= 0 and <= 255",
                ));
            }
            frequency = true;
            rest = rest.from(2);
        } else {
            return Err(Rejection::syntax());
        }
    }
    Ok(options)
}

/// Version and content of a payload whose footer the server accepts.
pub(in crate::replay) fn opened<'a>(payload: &'a [u8], rules: &Rules) -> Option<(u16, &'a [u8])> {
    let body = payload.len().checked_sub(FOOTER)?;
    let (body, footer) = payload.split_at_checked(body)?;
    let (&version, checksum) = footer.split_first_chunk::<2>()?;
    let version = u16::from_le_bytes(version);
    let target = target(rules)?;
    let newest = match target.valkey {
        Some(newest) if version >= FIRST_OF_VALKEY => newest,
        _ => target.redis,
    };
    let checked = payload.get(..payload.len() - checksum.len())?;
    (u32::from(version) <= newest && crc64::checksum(checked).to_le_bytes() == checksum)
        .then_some((version, body))
}

/// The server among those whose reading is known, or the one before it.
fn target(rules: &Rules) -> Option<&'static Target> {
    let family = match rules.is_valkey() {
        true => Family::Valkey,
        false => Family::Redis,
    };
    let own = |target: &&Target| {
        target.family == family && (target.major, target.minor) <= rules.like.version()
    };
    Target::ALL.iter().rfind(own).or_else(|| {
        let first = |target: &&Target| target.family == family;
        Target::ALL.iter().find(first)
    })
}

/// The value of a payload; none where the server calls it bad. `bytes` may run into the footer, as
/// nothing keeps a server from that.
fn value(version: u16, bytes: &[u8], rules: &Rules) -> Option<Value> {
    let (&number, bytes) = bytes.split_first()?;
    let target = target(rules)?;
    // Types have the server's own numbers, whatever the version.
    let dialect = match target.valkey {
        Some(_) => Dialect::Valkey,
        None => Dialect::of(RdbVersion {
            family: Family::Redis,
            number: u32::from(version),
        }),
    };
    let rdb_type = RdbType::from_number(number, dialect).ok()?;
    if !target.knows_type(rdb_type) {
        return None;
    }
    // What stands behind the value is nobody's business.
    let rest = extent(rdb_type, bytes).ok()?.0;
    let bytes = bytes.get(..bytes.len() - rest.len())?;
    let raw = RawValue {
        rdb_type,
        bytes,
        at: 0,
    };
    let value = keyspace::load(&raw, &mut Scratch::default(), rules).ok()??;
    // A member that stands twice is bad.
    let len = match &value {
        Value::Set(set) => set.len(),
        Value::ZSet(zset) => zset.len(),
        _ => return Some(value),
    };
    match rdb_type {
        RdbType::SetTable | RdbType::ZsetBinary | RdbType::ZsetText => {
            let count = string::number(bytes).ok()?.1;
            (count == len as u64).then_some(value)
        }
        _ => Some(value),
    }
}
