//! Damage as disks, cables and people make it, from a seed.

/// Numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is above 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Damages bytes in one way or two.
pub(crate) fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = once(bytes.to_vec(), random);
    if random.below(4) == 0 {
        bytes = once(bytes, random);
    }
    bytes
}

fn once(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let len = bytes.len();
    let at = random.below(len);
    let block = [1, 16, 128, 4096][random.below(4)];
    let end = len.min(at + block);
    match random.below(10) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => {
            // A block of a disk that was never written.
            let at = at / 4096 * 4096;
            let end = len.min(at + 4096);
            bytes[at..end].fill(0);
        }
        3 => bytes[at..].fill(0),
        4 => {
            for byte in &mut bytes[at..end] {
                *byte = random.below(256) as u8;
            }
        }
        5 => {
            let block = bytes[at..end].to_vec();
            bytes.splice(at..at, block);
        }
        6 => {
            bytes.drain(at..end);
        }
        7 => {
            let (from, size) = (random.below(len), end - at);
            let other = from.min(len - size);
            for offset in 0..size {
                bytes.swap(at + offset, other + offset);
            }
        }
        8 => {
            let junk: Vec<u8> = (0..block).map(|_| random.below(256) as u8).collect();
            bytes.extend(junk);
        }
        _ => bytes.extend(std::iter::repeat_n(0, block)),
    }
    bytes
}
