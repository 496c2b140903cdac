//! A string held in memory: short ones in place, long ones on the heap.

use std::fmt;

/// Bytes that are held in place.
pub(super) const SHORT: usize = 22;
/// From this length on, a string that was appended to keeps room for more.
const ROOMY: usize = 4096;

/// A string of the keyspace: 24 bytes, and a heap block only beyond 22 bytes of content. Most keys,
/// fields and members are shorter than that, and most of what a server holds is keys, fields and
/// members.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Short {
        len: u8,
        bytes: [u8; SHORT],
    },
    Long(Box<[u8]>),
    /// With room behind it, because it grows. Boxed, so that it does not make every string larger.
    #[allow(clippy::box_collection)]
    Roomy(Box<Vec<u8>>),
}

impl Text {
    /// A copy of these bytes.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        match short.get_mut(..bytes.len()) {
            Some(to) => {
                to.copy_from_slice(bytes);
                Text(Repr::Short {
                    len: bytes.len() as u8,
                    bytes: short,
                })
            }
            None => Text(Repr::Long(bytes.into())),
        }
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Long(bytes) => bytes,
            Repr::Roomy(bytes) => bytes,
        }
    }

    /// The bytes, to be changed in place.
    #[inline]
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Repr::Short { len, bytes } => bytes.get_mut(..usize::from(*len)).unwrap_or_default(),
            Repr::Long(bytes) => bytes,
            Repr::Roomy(bytes) => bytes,
        }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Short { len, .. } => usize::from(*len),
            Repr::Long(bytes) => bytes.len(),
            Repr::Roomy(bytes) => bytes.len(),
        }
    }

    /// True for the empty string.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts bytes behind those that are there.
    pub fn append(&mut self, more: &[u8]) {
        let len = self.len() + more.len();
        match &mut self.0 {
            Repr::Roomy(bytes) => bytes.extend_from_slice(more),
            Repr::Short { len: short, bytes } if len <= SHORT => {
                if let Some(to) = bytes.get_mut(usize::from(*short)..len) {
                    to.copy_from_slice(more);
                    *short = len as u8;
                }
            }
            _ => {
                let mut bytes = std::mem::take(self).into_vec();
                if len < ROOMY {
                    bytes.reserve_exact(more.len());
                }
                bytes.extend_from_slice(more);
                self.0 = if len < ROOMY {
                    Repr::Long(bytes.into_boxed_slice())
                } else {
                    Repr::Roomy(Box::new(bytes))
                };
            }
        }
    }

    /// Makes it at least `len` bytes long, with zeros behind.
    pub fn pad_to(&mut self, len: usize) {
        if len <= self.len() {
            return;
        }
        match &mut self.0 {
            Repr::Roomy(bytes) => bytes.resize(len, 0),
            Repr::Short { len: short, .. } if len <= SHORT => *short = len as u8,
            _ => {
                let mut bytes = std::mem::take(self).into_vec();
                bytes.reserve_exact(len - bytes.len());
                bytes.resize(len, 0);
                self.0 = if len < ROOMY {
                    Repr::Long(bytes.into_boxed_slice())
                } else {
                    Repr::Roomy(Box::new(bytes))
                };
            }
        }
    }

    /// The bytes, taken out.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Repr::Short { .. } => self.as_bytes().to_vec(),
            Repr::Long(bytes) => bytes.into_vec(),
            Repr::Roomy(bytes) => *bytes,
        }
    }

    /// Bytes on the heap, about.
    #[inline]
    pub fn heap(&self) -> usize {
        match &self.0 {
            Repr::Short { .. } => 0,
            Repr::Long(bytes) => bytes.len(),
            Repr::Roomy(bytes) => bytes.capacity() + size_of::<Vec<u8>>(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Text(Repr::Short {
            len: 0,
            bytes: [0; SHORT],
        })
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= SHORT {
            Text::new(&bytes)
        } else {
            Text(Repr::Long(bytes.into_boxed_slice()))
        }
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text::new(bytes)
    }
}

impl std::ops::Deref for Text {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_three_words_and_so_is_one_that_may_be_missing() {
        assert_eq!(size_of::<Text>(), 24);
        assert_eq!(size_of::<Option<Text>>(), 24);
    }

    #[test]
    fn appended_padded_and_changed_it_is_what_a_vec_would_be() {
        for start in [0, 1, 21, 22, 23, 100, 4095, 5000] {
            for more in [0, 1, 2, 22, 23, 4096] {
                let mut expected = vec![b'a'; start];
                let mut text = Text::new(&expected);
                for _ in 0..3 {
                    expected.extend(std::iter::repeat_n(b'b', more));
                    text.append(&vec![b'b'; more]);
                    assert_eq!(text.as_bytes(), expected);
                }
                expected.resize(expected.len() + more, 0);
                text.pad_to(expected.len());
                text.pad_to(expected.len().min(1));
                if let Some(last) = text.as_mut_bytes().last_mut() {
                    *last = 7;
                    *expected.last_mut().unwrap() = 7;
                }
                assert_eq!(text.len(), expected.len());
                assert_eq!(text.clone(), Text::from(expected.clone()));
                assert_eq!(text.into_vec(), expected);
            }
        }
    }
}
