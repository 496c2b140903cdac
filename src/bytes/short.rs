//! Short strings, without calls: most keys, members and fields are of a few bytes, and there copying or
//! comparing them by the library takes longer than the work itself.

/// Appends bytes.
#[inline(always)]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    let end = out.len() + bytes.len();
    match bytes.len() {
        // What is written twice is the same both times.
        8..=16 => {
            if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
                out.extend_from_slice(first);
                out.truncate(end - 8);
                out.extend_from_slice(last);
            }
        }
        4..8 => {
            if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                out.extend_from_slice(first);
                out.truncate(end - 4);
                out.extend_from_slice(last);
            }
        }
        1..4 => {
            for byte in bytes {
                out.push(*byte);
            }
        }
        _ => out.extend_from_slice(bytes),
    }
}

/// Whether bytes are the same.
#[inline(always)]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk::<8>()
                && one.last_chunk::<8>() == other.last_chunk::<8>()
        }
        4..8 => {
            one.first_chunk::<4>() == other.first_chunk::<4>()
                && one.last_chunk::<4>() == other.last_chunk::<4>()
        }
        1..4 => one.iter().zip(other).all(|(a, b)| a == b),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_are_appended_and_told_from_others() {
        let all: Vec<u8> = (1..=40).collect();
        for len in 0..all.len() {
            let bytes = &all[..len];
            let mut out = b"before".to_vec();
            append(&mut out, bytes);
            assert_eq!(out, [b"before", bytes].concat());
            assert!(same(bytes, &out[6..]));
            assert!(!same(bytes, &all[..len + 1]) && !same(&all[..len + 1], bytes));
            for at in 0..len {
                let mut other = bytes.to_vec();
                other[at] ^= 0x80;
                assert!(!same(bytes, &other), "{len} {at}");
            }
        }
    }
}
