//! CRC-64/REDIS, the checksum of snapshots and `DUMP` payloads.
//!
//! Width 64, polynomial `ad93d23594c935a9`, initial value 0, input and output reflected, no final
//! xor. This file is the checksum crate's only door.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of some bytes.
pub fn checksum(data: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, data)
}

/// The checksum of some bytes and more behind them, from that of the first.
pub fn continued(first: u64, more: &[u8]) -> u64 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, first);
    digest.update(more);
    digest.finalize()
}

/// The checksum of two stretches of bytes, from the checksum of each and the length of the second.
/// Takes about the logarithm of that length, so stretches can be summed on any thread.
pub fn combine(first: u64, second: u64, second_len: u64) -> u64 {
    let mut shifted = first;
    let mut bytes = second_len;
    let mut powers = POWERS.iter();
    while bytes != 0 {
        let Some(&power) = powers.next() else { break };
        if bytes & 1 == 1 {
            shifted = multiply(shifted, power);
        }
        bytes >>= 1;
    }
    shifted ^ second
}

/// The polynomial, lowest power in the highest bit as the reflected checksum has it.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// What a checksum is multiplied by when 2^k bytes follow: x to the power of 8 times 2^k.
static POWERS: [u64; 64] = {
    let mut powers = [0; 64];
    let mut power = 1 << (63 - 8);
    let mut k = 0;
    while k < powers.len() {
        powers[k] = power;
        power = multiply(power, power);
        k += 1;
    }
    powers
};

/// The product of two polynomials over the field of two elements, modulo [`POLYNOMIAL`].
const fn multiply(mut a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    while a != 0 {
        if a >> 63 == 1 {
            product ^= b;
        }
        a <<= 1;
        b = (b >> 1) ^ (POLYNOMIAL * (b & 1));
    }
    product
}

/// The checksum of bytes that come piece by piece.
#[derive(Debug)]
pub struct Crc64(Digest);

impl Crc64 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Crc64(Digest::new(CrcAlgorithm::Crc64Redis))
    }
    /// Adds a piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
    /// Of all so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value that every catalogue of checksums uses; a server's own self test agrees.
    #[test]
    fn the_check_value_is_the_servers() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn lengths_of_every_size_combine_as_the_crate_combines_them() {
        for bits in 0..50 {
            for len in [1u64 << bits, (1 << bits) + 1, (1 << bits) * 3 - 1] {
                let (a, b) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
                let theirs = crc_fast::checksum_combine(CrcAlgorithm::Crc64Redis, a, b, len);
                assert_eq!(combine(a, b, len), theirs, "{len}");
            }
        }
    }

    #[test]
    fn pieces_sum_to_the_whole_however_they_are_cut() {
        let data: Vec<u8> = (0..5000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let whole = checksum(&data);
        for cut in [0, 1, 7, 63, 64, 1000, 4999, 5000] {
            let (a, b) = data.split_at(cut);
            assert_eq!(
                combine(checksum(a), checksum(b), b.len() as u64),
                whole,
                "cut at {cut}"
            );
            assert_eq!(continued(checksum(a), b), whole, "cut at {cut}");
            let mut crc = Crc64::new();
            crc.update(a);
            crc.update(b);
            assert_eq!(crc.value(), whole);
        }
    }
}
