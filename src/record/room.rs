//! Room for a string that the file holds compressed.

use crate::bytes::Element;
use crate::bytes::limits::STRING_IN_MEMORY;
use crate::encoding::lzf;
use crate::error::{Encoding, Error, Place, Result, What};
use crate::io::spool::Spool;
use crate::record::Stored;

/// Room for one decompressed string: memory up to a bound, beyond it an unlinked mapped file.
#[derive(Debug, Default)]
pub struct Room {
    small: Vec<u8>,
    large: Option<Spool>,
}

impl Room {
    /// A string of a value, decompressed if need be; it stands at `at` in the file.
    ///
    /// # Errors
    /// A string that does not decompress to its stated length; no room for a large one.
    #[inline]
    pub fn resolve<'a>(&'a mut self, stored: Stored<'a>, at: u64) -> Result<Element<'a>> {
        self.resolve_what(stored, at, What::Value)
    }

    /// The same for the name of a key.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    #[inline]
    pub fn resolve_key<'a>(&'a mut self, stored: Stored<'a>, at: u64) -> Result<Element<'a>> {
        self.resolve_what(stored, at, What::Key)
    }

    #[inline]
    fn resolve_what<'a>(
        &'a mut self,
        stored: Stored<'a>,
        at: u64,
        what: What,
    ) -> Result<Element<'a>> {
        match stored {
            Stored::Plain(element) => Ok(element),
            Stored::Lzf { data, len } => Ok(Element::Bytes(self.decompress(data, len, at, what)?)),
        }
    }

    fn decompress(&mut self, data: &[u8], len: u64, at: u64, what: What) -> Result<&[u8]> {
        let fail = |problem| {
            let place = Place {
                offset: at,
                inside: Some((Encoding::Lzf, 0)),
            };
            Error::bytes(problem, place, what)
        };
        if len <= STRING_IN_MEMORY as u64 {
            lzf::decompress_into(data, len, &mut self.small).map_err(fail)?;
            return Ok(&self.small);
        }
        // Before room is taken for what the length claims.
        lzf::verify(data, len).map_err(fail)?;
        let spool = self.large.insert(Spool::zeroed(len + lzf::SLACK as u64)?);
        lzf::decompress(data, spool).map_err(fail)?;
        let end = spool.len() - lzf::SLACK;
        Ok(spool.get(..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_compressed_string_takes_no_memory_of_its_length() {
        let long = vec![b'x'; STRING_IN_MEMORY + 1];
        let mut data = Vec::new();
        assert!(lzf::compress_into(&long, &mut data));
        let mut room = Room::default();
        let stored = Stored::Lzf {
            data: &data,
            len: long.len() as u64,
        };
        assert_eq!(
            room.resolve_key(stored, 0).unwrap(),
            Element::Bytes(&long),
            "the string itself"
        );
        assert_eq!(room.small.capacity(), 0);
    }

    #[test]
    fn what_does_not_decompress_says_what_it_is_and_where() {
        let stored = Stored::Lzf {
            data: &[0xe0, 1, 2],
            len: 4,
        };
        let mut room = Room::default();
        let error = room.resolve_key(stored, 77).unwrap_err();
        assert_eq!(error.what(), Some(What::Key));
        assert_eq!(error.place().map(|place| place.offset), Some(77));
        let error = room.resolve(stored, 77).unwrap_err();
        assert_eq!(error.what(), Some(What::Value));
    }
}
