//! The cluster slot of a key.
//!
//! CRC-16/XMODEM (polynomial `1021`, initial value 0, nothing reflected) of the key, or of its hash
//! tag, modulo 16384. The tag is what stands between the first `{` and the first `}` behind it,
//! unless that is nothing: keys with the same tag share a slot. Defined by the cluster
//! specification that both families publish.

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

const POLYNOMIAL: u16 = 0x1021;

const TABLE: [u16; 256] = table();

/// The slot of a key, 0 to 16383.
pub fn of_key(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What stands between the first `{` and the first `}` behind it, if it is anything.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let behind = key.get(open + 1..)?;
    let close = memchr::memchr(b'}', behind)?;
    behind.get(..close).filter(|tag| !tag.is_empty())
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let [high, low] = crc.to_be_bytes();
        let row = TABLE.get(usize::from(high ^ byte)).copied();
        // The table has a row for every byte.
        u16::from_be_bytes([low, 0]) ^ row.unwrap_or_default()
    })
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ POLYNOMIAL
            };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_that_of_crc_16_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    /// As `CLUSTER KEYSLOT` answers.
    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(of_key(b"123456789"), 0x31c3);
        assert_eq!(of_key(b"foo"), 12_182);
        assert_eq!(of_key(b"bar"), 5_061);
        assert_eq!(of_key(b""), 0);
        assert_eq!(of_key(b"\xff\x00"), of_key(b"x{\xff\x00}y"));
    }

    #[test]
    fn a_hash_tag_alone_decides_unless_it_is_empty_or_open() {
        assert_eq!(hash_tag(b"foo{bar}"), Some(&b"bar"[..]));
        assert_eq!(hash_tag(b"{user1000}.following"), Some(&b"user1000"[..]));
        assert_eq!(hash_tag(b"foo{}{bar}"), None);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), Some(&b"{bar"[..]));
        assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
        assert_eq!(hash_tag(b"}foo{bar}"), Some(&b"bar"[..]));
        assert_eq!(hash_tag(b"foo{bar"), None);
        assert_eq!(hash_tag(b"foo}bar{"), None);
        assert_eq!(of_key(b"foo{bar}"), of_key(b"bar"));
        assert_ne!(of_key(b"foo{}"), of_key(b""));
    }
}
