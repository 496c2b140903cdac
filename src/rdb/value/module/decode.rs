//! What the decoders of module values share: a cursor over typed items, the strings in them, and
//! whom to tell.
//!
//! A decoder runs twice over the same items. The first run tells nobody; where it finds an item
//! that its layout does not have there, it gives up with [`Miss::Layout`] and the value is told
//! raw. Only when it came to the end of the items does it run again and tell.

use crate::bytes::Element;
use crate::encoding::lzf;
use crate::error::{Encoding, Error, Place, Result, What};
use crate::rdb::value::{Reader, Room, Scratch};
use crate::record::Stored;
use crate::record::value::{ModuleItem, Node};

/// Why a decoder stopped.
pub(super) enum Miss {
    /// The items are not those of the module's layout.
    Layout,
    /// A string is damaged, or whoever is told does not want to go on.
    Error(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Miss::Error(error)
    }
}

pub(super) type Decoded<T> = std::result::Result<T, Miss>;

/// Everything that a decoder works with.
pub(super) struct Decoding<'a, 'd> {
    pub(super) items: Cursor<'d>,
    pub(super) strings: Strings<'a>,
    /// For a string that is needed while others are resolved.
    pub(super) beside: Strings<'a>,
    pub(super) tell: Teller<'a>,
}

impl<'a, 'd> Decoding<'a, 'd> {
    pub(super) fn new(reader: &Reader<'d>, scratch: &'a mut Scratch, tell: Teller<'a>) -> Self {
        Decoding {
            items: Cursor::new(reader),
            strings: Strings::new(&mut scratch.first),
            beside: Strings::new(&mut scratch.second),
            tell,
        }
    }

    /// Reads an unsigned number that becomes the member `name`.
    pub(super) fn uint(&mut self, name: &str) -> Decoded<u64> {
        let n = self.items.uint()?;
        self.tell.member(name, Node::Uint(n))?;
        Ok(n)
    }

    /// Reads a signed number that becomes the member `name`.
    pub(super) fn sint(&mut self, name: &str) -> Decoded<i64> {
        let n = self.items.sint()?;
        self.tell.member(name, Node::Int(n))?;
        Ok(n)
    }

    /// Reads a double that becomes the member `name`.
    pub(super) fn double(&mut self, name: &str) -> Decoded<()> {
        let n = self.items.double()?;
        Ok(self.tell.member(name, Node::Double(n))?)
    }

    /// Reads a string that becomes the member `name`.
    pub(super) fn bytes(&mut self, name: &str) -> Decoded<Text<'d>> {
        let text = self.items.string()?;
        self.tell.name(name)?;
        self.string(text)?;
        Ok(text)
    }

    /// An unsigned number that only some versions have; null in the others.
    pub(super) fn uint_if(&mut self, present: bool, name: &str) -> Decoded<()> {
        if present {
            self.uint(name)?;
        } else {
            self.tell.member(name, Node::Null)?;
        }
        Ok(())
    }

    /// A double that only some versions have; null in the others.
    pub(super) fn double_if(&mut self, present: bool, name: &str) -> Decoded<()> {
        if present {
            self.double(name)?;
        } else {
            self.tell.member(name, Node::Null)?;
        }
        Ok(())
    }

    /// Tells a string that was read.
    pub(super) fn string(&mut self, text: Text<'_>) -> Result<()> {
        if self.tell.is_silent() {
            return text.verify();
        }
        self.tell.node(Node::Bytes(self.strings.resolve(text)?))
    }

    /// Passes over a string that is not told.
    pub(super) fn leave_out(&self, text: Text<'_>) -> Result<()> {
        if self.tell.is_silent() {
            text.verify()?;
        }
        Ok(())
    }
}

/// Reads items one after the other, each of the type that is due.
#[derive(Debug)]
pub(super) struct Cursor<'d> {
    reader: Reader<'d>,
}

impl<'d> Cursor<'d> {
    pub(super) fn new(reader: &Reader<'d>) -> Self {
        Cursor {
            reader: reader.fork(),
        }
    }

    /// A second cursor at the same place.
    pub(super) fn fork(&self) -> Self {
        Cursor::new(&self.reader)
    }

    /// The next item; `None` is the end mark.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<ModuleItem<'d>>> {
        self.reader.run(super::item)
    }

    pub(super) fn uint(&mut self) -> Decoded<u64> {
        match self.next()? {
            Some(ModuleItem::Uint(n)) => Ok(n),
            _ => Err(Miss::Layout),
        }
    }

    pub(super) fn sint(&mut self) -> Decoded<i64> {
        match self.next()? {
            Some(ModuleItem::Sint(n)) => Ok(n),
            _ => Err(Miss::Layout),
        }
    }

    pub(super) fn double(&mut self) -> Decoded<f64> {
        match self.next()? {
            Some(ModuleItem::Double(n)) => Ok(n),
            _ => Err(Miss::Layout),
        }
    }

    pub(super) fn string(&mut self) -> Decoded<Text<'d>> {
        match self.next()? {
            Some(ModuleItem::String(stored)) => Ok(Text::new(stored, self)),
            _ => Err(Miss::Layout),
        }
    }

    /// The end mark.
    pub(super) fn end(&mut self) -> Decoded<()> {
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(Miss::Layout),
        }
    }
}

/// A string of the module and, if it is compressed, where its data lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'d> {
    stored: Stored<'d>,
    at: u64,
}

impl<'d> Text<'d> {
    /// The string that the cursor has just read.
    pub(super) fn new(stored: Stored<'d>, items: &Cursor<'d>) -> Self {
        let behind = items.reader.offset();
        let at = match stored {
            Stored::Plain(_) => behind,
            Stored::Lzf { data, .. } => behind.saturating_sub(data.len() as u64),
        };
        Text { stored, at }
    }

    /// Length in bytes, as stated where compressed.
    pub(super) fn len(&self) -> u64 {
        self.stored.len()
    }

    /// Tries the compressed data, without room for the string.
    pub(super) fn verify(&self) -> Result<()> {
        match self.stored {
            Stored::Plain(_) => Ok(()),
            Stored::Lzf { data, len } => lzf::verify(data, len).map_err(|problem| {
                let place = Place {
                    offset: self.at,
                    inside: Some((Encoding::Lzf, 0)),
                };
                Error::bytes(problem, place, What::Value)
            }),
        }
    }
}

/// Turns stored strings into bytes, one at a time.
pub(super) struct Strings<'a> {
    room: &'a mut Room,
    digits: itoa::Buffer,
}

impl<'a> Strings<'a> {
    pub(super) fn new(room: &'a mut Room) -> Self {
        Strings {
            room,
            digits: itoa::Buffer::new(),
        }
    }

    /// The bytes of the string. Servers store one of at most eleven digits as an integer.
    pub(super) fn resolve<'s>(&'s mut self, text: Text<'s>) -> Result<&'s [u8]> {
        match self.room.resolve(text.stored, text.at)? {
            Element::Bytes(bytes) => Ok(bytes),
            Element::Int(n) => Ok(self.digits.format(n).as_bytes()),
        }
    }
}

type Told<'a> = dyn FnMut(Node<'_>) -> Result<()> + 'a;

/// Hands nodes on, or nothing to nobody in the run that only looks.
pub(super) struct Teller<'a> {
    to: Option<&'a mut Told<'a>>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(to: &'a mut Told<'a>) -> Self {
        Teller { to: Some(to) }
    }

    pub(super) fn silent() -> Self {
        Teller { to: None }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.to.is_none()
    }

    #[inline]
    pub(super) fn node(&mut self, node: Node<'_>) -> Result<()> {
        match &mut self.to {
            Some(to) => to(node),
            None => Ok(()),
        }
    }

    pub(super) fn name(&mut self, name: &str) -> Result<()> {
        self.node(Node::Name(name.as_bytes()))
    }

    /// A name and what stands under it: a plain value, or what begins an array or object.
    pub(super) fn member(&mut self, name: &str, value: Node<'_>) -> Result<()> {
        self.name(name)?;
        self.node(value)
    }
}
