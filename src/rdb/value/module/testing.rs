//! For the tests of the decoders: values built by hand, and what was told of them as a tree.

use std::fmt;

use crate::error::{Result, printable};
use crate::rdb::string::Compress;
use crate::rdb::value::{self, Scratch};
use crate::record::value::{ModuleEvent, ModuleItem, Node};
use crate::record::{DataType, RawValue, RdbType, Stored, ValueVisitor};

use super::{ItemsWriter, join_id};
use crate::bytes::Element;

/// A value of these items, written by a server that does not compress.
pub(super) fn build(name: &[u8; 9], version: u16, items: &[ModuleItem<'_>]) -> Vec<u8> {
    build_as(Compress::Never, name, version, items)
}

/// A value of these items.
pub(super) fn build_as(
    compress: Compress,
    name: &[u8; 9],
    version: u16,
    items: &[ModuleItem<'_>],
) -> Vec<u8> {
    let mut out = Vec::new();
    let id = join_id(name, version).unwrap();
    let mut writer = ItemsWriter::value(id, compress, &mut out);
    for &item in items {
        writer.push(item);
    }
    writer.finish();
    out
}

pub(super) fn string(bytes: &[u8]) -> ModuleItem<'_> {
    ModuleItem::String(Stored::Plain(Element::Bytes(bytes)))
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|n| n as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// What a walk told.
pub(super) struct Told {
    pub(super) name: [u8; 9],
    pub(super) version: u16,
    pub(super) meaning: Meaning,
}

#[derive(PartialEq)]
pub(super) enum Meaning {
    Tree(Tree),
    Raw(Vec<u8>),
}

#[derive(Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Bytes(Vec<u8>),
    Json(Vec<u8>),
    Array(Vec<Tree>),
    Object(Vec<(Vec<u8>, Tree)>),
}

impl Told {
    pub(super) fn tree(&self) -> &Tree {
        match &self.meaning {
            Meaning::Tree(tree) => tree,
            Meaning::Raw(bytes) => panic!("told raw: {} bytes", bytes.len()),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        matches!(self.meaning, Meaning::Raw(_))
    }
}

impl Tree {
    pub(super) fn get(&self, name: &str) -> &Tree {
        match self {
            Tree::Object(members) => {
                let found = members.iter().find(|(n, _)| n == name.as_bytes());
                &found.unwrap_or_else(|| panic!("no member {name}")).1
            }
            _ => panic!("{name} of what is no object"),
        }
    }

    pub(super) fn items(&self) -> &[Tree] {
        match self {
            Tree::Array(items) => items,
            other => panic!("{other} is no array"),
        }
    }

    pub(super) fn number(&self) -> f64 {
        match *self {
            Tree::Int(n) => n as f64,
            Tree::Uint(n) => n as f64,
            Tree::Double(n) => n,
            _ => panic!("{self} is no number"),
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Null => f.write_str("null"),
            Tree::Bool(truth) => write!(f, "{truth}"),
            Tree::Int(n) => write!(f, "{n}"),
            Tree::Uint(n) => write!(f, "{n}"),
            Tree::Double(n) => write!(f, "{n:?}"),
            Tree::Bytes(bytes) => write!(f, "'{}'", printable(bytes)),
            Tree::Json(text) => write!(f, "<{}>", printable(text)),
            Tree::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Tree::Object(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", printable(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Builds the tree, and insists on every rule of the events' order.
#[derive(Default)]
struct Builder {
    begun: bool,
    start: Option<([u8; 9], u16, bool)>,
    open: Vec<(Tree, Option<Vec<u8>>)>,
    root: Option<Tree>,
    raw: Option<Vec<u8>>,
    ended: bool,
}

impl Builder {
    fn put(&mut self, tree: Tree) {
        match self.open.last_mut() {
            None => {
                assert!(self.root.is_none(), "a second value");
                self.root = Some(tree);
            }
            Some((Tree::Array(items), _)) => items.push(tree),
            Some((Tree::Object(members), name)) => {
                members.push((name.take().expect("a member without a name"), tree));
            }
            Some(_) => unreachable!(),
        }
    }
}

impl ValueVisitor for Builder {
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        assert_eq!((of, count, self.begun), (DataType::Module, None, false));
        self.begun = true;
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        assert!(self.begun && !self.ended);
        let node = match event {
            ModuleEvent::Start {
                name,
                version,
                decoded,
            } => {
                assert!(self.start.is_none());
                self.start = Some((name, version, decoded));
                return Ok(());
            }
            ModuleEvent::Raw(bytes) => {
                assert!(self.start.is_some_and(|s| !s.2) && self.raw.is_none());
                self.raw = Some(bytes.to_vec());
                return Ok(());
            }
            ModuleEvent::Node(node) => node,
        };
        assert!(self.start.is_some_and(|s| s.2), "a node of a raw value");
        match node {
            Node::Object => self.open.push((Tree::Object(Vec::new()), None)),
            Node::Array => self.open.push((Tree::Array(Vec::new()), None)),
            Node::End => {
                let (tree, name) = self.open.pop().expect("an end of nothing");
                assert!(name.is_none(), "a name without a value");
                self.put(tree);
            }
            Node::Name(name) => match self.open.last_mut() {
                Some((Tree::Object(_), due)) => {
                    assert!(due.replace(name.to_vec()).is_none(), "two names");
                }
                _ => panic!("a name outside an object"),
            },
            Node::Null => self.put(Tree::Null),
            Node::Bool(truth) => self.put(Tree::Bool(truth)),
            Node::Int(n) => self.put(Tree::Int(n)),
            Node::Uint(n) => self.put(Tree::Uint(n)),
            Node::Double(n) => self.put(Tree::Double(n)),
            Node::Bytes(bytes) => self.put(Tree::Bytes(bytes.to_vec())),
            Node::Json(text) => self.put(Tree::Json(text.to_vec())),
        }
        Ok(())
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        assert_eq!((of, self.ended), (DataType::Module, false));
        self.ended = true;
        Ok(())
    }
}

/// Walks a value, as anybody would.
pub(super) fn try_told(bytes: &[u8]) -> Result<Told> {
    let value = RawValue {
        rdb_type: RdbType::Module,
        bytes,
        at: 1000,
    };
    let mut builder = Builder::default();
    value::walk(&value, &mut Scratch::default(), &mut builder)?;
    assert!(builder.ended && builder.open.is_empty());
    let (name, version, decoded) = builder.start.unwrap();
    let meaning = match builder.raw {
        Some(raw) => Meaning::Raw(raw),
        None => Meaning::Tree(builder.root.expect("neither tree nor raw")),
    };
    assert_eq!(decoded, matches!(meaning, Meaning::Tree(_)));
    Ok(Told {
        name,
        version,
        meaning,
    })
}

pub(super) fn told(bytes: &[u8]) -> Told {
    try_told(bytes).unwrap()
}

/// The text of the tree that is told of these items, written plain and compressed alike; the
/// value is put through [`is_total`] besides.
pub(super) fn shows(name: &[u8; 9], version: u16, items: &[ModuleItem<'_>]) -> String {
    let plain = build(name, version, items);
    is_total(&plain);
    let packed = build_as(Compress::AsServer, name, version, items);
    let (plain, packed) = (told(&plain), told(&packed));
    assert_eq!((plain.name, plain.version), (*name, version));
    match (&plain.meaning, &packed.meaning) {
        (Meaning::Raw(_), Meaning::Raw(_)) => "raw".into(),
        _ => {
            assert_eq!(plain.tree().to_string(), packed.tree().to_string());
            plain.tree().to_string()
        }
    }
}

/// Every prefix is an error, to framing as to walking, and no flipped bit makes either panic.
pub(super) fn is_total(value: &[u8]) {
    for cut in 0..value.len() {
        let prefix = value.get(..cut).unwrap();
        assert!(
            matches!(super::extent(prefix), Err(nom::Err::Incomplete(_))),
            "framed though cut at {cut}"
        );
        assert!(try_told(prefix).is_err(), "walked though cut at {cut}");
    }
    assert_eq!(super::extent(value).unwrap().0.len(), 0);
    let mut flipped = value.to_vec();
    for bit in 0..value.len() * 8 {
        *flipped.get_mut(bit / 8).unwrap() ^= 1 << (bit % 8);
        if let Ok((rest, ())) = super::extent(&flipped) {
            let framed = flipped.get(..flipped.len() - rest.len()).unwrap();
            if let Err(error) = try_told(framed) {
                let place = error.place().unwrap();
                let range = 1000..=1000 + framed.len() as u64;
                assert!(range.contains(&place.offset), "bit {bit}: {error}");
            }
        }
        *flipped.get_mut(bit / 8).unwrap() ^= 1 << (bit % 8);
    }
}
