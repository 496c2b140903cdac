//! One string of the dataset, as it stands in the file: bytes, or the integer they spell.

use std::borrow::Cow;

/// A string as the file holds it. Servers store canonical decimal text as an integer to save room;
/// both forms mean the same bytes, so an integer is only turned into text where text is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Element<'d> {
    /// The bytes themselves.
    Bytes(&'d [u8]),
    /// The decimal text of this number.
    Int(i64),
}

impl<'d> Element<'d> {
    /// The bytes of the string; `text` lends the room for an integer's digits.
    #[inline]
    pub fn bytes<'a>(&self, text: &'a mut itoa::Buffer) -> &'a [u8]
    where
        'd: 'a,
    {
        match *self {
            Element::Bytes(bytes) => bytes,
            Element::Int(n) => text.format(n).as_bytes(),
        }
    }

    /// The bytes of the string, owned only where it is an integer.
    pub fn to_bytes(&self) -> Cow<'d, [u8]> {
        match *self {
            Element::Bytes(bytes) => Cow::Borrowed(bytes),
            Element::Int(n) => Cow::Owned(itoa::Buffer::new().format(n).as_bytes().to_vec()),
        }
    }

    /// Length of the string in bytes.
    pub fn len(&self) -> usize {
        match *self {
            Element::Bytes(bytes) => bytes.len(),
            Element::Int(n) => itoa::Buffer::new().format(n).len(),
        }
    }

    /// True for the empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self, Element::Bytes([]))
    }
}

/// Two elements are equal when their bytes are, whatever the form.
impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Element::Int(a), Element::Int(b)) => a == b,
            (Element::Bytes(a), Element::Bytes(b)) => a == b,
            _ => self.to_bytes() == other.to_bytes(),
        }
    }
}

impl Eq for Element<'_> {}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn an_integer_equals_its_text_and_nothing_else() {
        assert_eq!(Element::Int(-5), Element::Bytes(b"-5"));
        assert_ne!(Element::Int(5), Element::Bytes(b"05"));
        assert_eq!(Element::Int(i64::MIN).len(), 20);
        assert_eq!(Element::Int(7).bytes(&mut itoa::Buffer::new()), b"7");
        assert!(Element::Bytes(b"").is_empty());
        assert!(!Element::Int(0).is_empty());
    }
}
