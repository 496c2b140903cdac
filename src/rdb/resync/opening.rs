//! Whether a record may begin at some place, for all that few bytes tell.

use crate::rdb::parser::opcode;
use crate::rdb::string;
use crate::record::types::{Dialect, RdbType};

/// Whether a record may begin with this byte.
#[inline]
pub(super) fn is_opening(byte: u8, dialect: Dialect) -> bool {
    match byte {
        0..=5 | 7 | 9..=21 => true,
        22..=33 | 64 => RdbType::from_number(byte, dialect).is_ok(),
        opcode::DRAGONFLY_FLAGS | opcode::DRAGONFLY_ZSTD | opcode::DRAGONFLY_LZ4 => {
            dialect == Dialect::Dragonfly
        }
        opcode::HASH_TEMPLATE_OR_UPDATE => dialect == Dialect::Redis13,
        opcode::KEY_META_OR_SLOT_IMPORT => matches!(dialect, Dialect::Redis13 | Dialect::Valkey),
        opcode::SLOT_INFO..=opcode::EOF => byte != opcode::FUNCTION_PRE_GA,
        _ => false,
    }
}

/// Whether a record may be what it says for all that types and lengths of names and values tell.
/// Nearly no bytes of a value pass this.
#[inline]
pub(super) fn may_be(record: &[u8], only_keys: bool) -> bool {
    let mut rest = record;
    loop {
        rest = match rest {
            [opcode::EXPIRETIME_MS, _, _, _, _, _, _, _, _, rest @ ..]
            | [opcode::EXPIRETIME, _, _, _, _, rest @ ..]
            | [opcode::FREQ, _, rest @ ..]
            | [opcode::IDLE, 0..=0x3f, rest @ ..] => rest,
            // What else may stand in front of a key, or in its place.
            [opcode::IDLE, ..] => return true,
            [rdb_type @ 0..=64, name @ ..] => {
                return behind_string(name).is_some_and(|value| may_be_value(*rdb_type, value));
            }
            [] => return false,
            _ => return !only_keys,
        };
    }
}

/// Whether a value of this type may begin like that.
#[inline]
pub(super) fn may_be_value(rdb_type: u8, value: &[u8]) -> bool {
    match rdb_type {
        0 | 9..=13 | 16 | 17 | 20 => behind_string(value).is_some(),
        1..=5 | 14 | 18 => matches!(value, [0..=0x81, ..]),
        _ => !value.is_empty(),
    }
}

/// What stands behind a string that looks like one by its length.
#[inline]
pub(super) fn behind_string(bytes: &[u8]) -> Option<&[u8]> {
    match *bytes {
        [len @ 0..=0x3f, ref rest @ ..] => rest.get(usize::from(len)..),
        [high @ 0x40..=0x7f, low, ref rest @ ..] => {
            rest.get(usize::from(high & 0x3f) << 8 | usize::from(low)..)
        }
        [0x80, a, b, c, d, ref rest @ ..] => {
            rest.get(usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?..)
        }
        [form @ 0xc0..=0xc2, ref rest @ ..] => rest.get(1 << (form - 0xc0)..),
        [0xc3, ref rest @ ..] => {
            // The lengths of a compressed string: the shorter one stands first.
            let (rest, packed) = string::number(rest).ok()?;
            let (rest, len) = string::number(rest).ok()?;
            let packed = usize::try_from(packed).ok().filter(|_| packed < len)?;
            rest.get(packed..)
        }
        [0x81, ..] => string::stored(bytes).ok().map(|(rest, _)| rest),
        _ => None,
    }
}

/// Whether framing the record takes time for each element.
pub(super) fn takes_time(record: &[u8]) -> bool {
    let mut rest = record;
    loop {
        rest = match rest {
            [opcode::EXPIRETIME_MS, _, _, _, _, _, _, _, _, rest @ ..]
            | [opcode::EXPIRETIME, _, _, _, _, rest @ ..]
            | [opcode::FREQ | opcode::IDLE, _, rest @ ..] => rest,
            [0 | 9..=13 | 16 | 17 | 20, ..] => return false,
            [byte, ..] => return *byte < 100 || *byte == opcode::MODULE_AUX,
            [] => return false,
        };
    }
}
