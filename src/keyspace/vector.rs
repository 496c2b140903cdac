//! A vector set (Redis 8): elements with their vectors as the server stores them, and attributes.
//!
//! The graph by which a server finds neighbours is not kept: it is random, and it can be made from
//! the vectors.

use std::collections::BTreeMap;

use crate::bytes::Element as Text;
use crate::error::Result;
use crate::rdb::string::number;
use crate::rdb::value::Scratch;
use crate::rdb::value::module::{Items, split_id};
use crate::record::value::{ModuleEvent, ModuleItem, Node};
use crate::record::{DataType, RawValue, RdbType, ValueVisitor};

/// The name of the module's type.
pub const NAME: [u8; 9] = *b"vectorset";

/// Flags of the saved form.
const PROJECTED: u64 = 1;
const ATTRIBUTES: u64 = 2;
/// Links of a node where the saved form says nothing.
const DEFAULT_M: u32 = 16;

/// In what form vectors are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantization {
    /// 32-bit floats.
    F32,
    /// Bytes, which the range scales.
    Int8,
    /// A bit for each component: whether it is above 0.
    Bin,
}

impl Quantization {
    /// Its name, as `VINFO` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Quantization::F32 => "f32",
            Quantization::Int8 => "int8",
            Quantization::Bin => "bin",
        }
    }

    /// Bytes that a vector takes.
    fn bytes(self, dimension: usize) -> usize {
        match self {
            Quantization::F32 => dimension * 4,
            Quantization::Int8 => dimension,
            Quantization::Bin => dimension.div_ceil(64) * 8,
        }
    }
}

/// How vectors are made shorter before they are stored.
#[derive(Clone, Debug)]
pub struct Projection {
    /// Components of the vectors that come.
    pub input: usize,
    /// A row of factors for each component that is stored.
    pub(super) matrix: Box<[f32]>,
}

impl Projection {
    /// The one that servers make: plus and minus 1, scaled by the root of the dimension.
    pub fn new(input: usize, output: usize) -> Self {
        let scale = (1.0 / (input as f64).sqrt()) as f32;
        let sign = |row: usize, column: usize| match (row & column).count_ones() % 2 {
            0 => scale,
            _ => -scale,
        };
        let rows = 0..output;
        let matrix = rows.flat_map(|row| (0..input).map(move |column| sign(row, column)));
        Projection {
            input,
            matrix: matrix.collect(),
        }
    }

    /// Makes a vector shorter.
    pub fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let rows = self.matrix.chunks_exact(self.input.max(1));
        let row = |row: &[f32]| {
            let products = row.iter().zip(vector).map(|(a, b)| a * b);
            products.fold(0.0f32, |sum, product| sum + product)
        };
        rows.map(row).collect()
    }
}

/// An element.
#[derive(Clone, Debug)]
pub struct Element {
    /// Its attributes, JSON as a rule; an empty text can only be there until it is saved.
    pub attributes: Option<Box<[u8]>>,
    /// Its vector in the form of the set, of length 1 as a rule.
    pub vector: Box<[u8]>,
    /// The length that the vector had.
    pub norm: f32,
    /// What the greatest byte stands for, where vectors are bytes.
    pub range: f32,
    /// Its level in the graph that was saved.
    pub(super) level: u64,
}

/// Elements by name.
#[derive(Clone, Debug)]
pub struct VectorSet {
    /// Components of a stored vector.
    pub dimension: usize,
    /// The form of the vectors.
    pub quantization: Quantization,
    /// Links of a node.
    pub m: u32,
    /// How vectors are made shorter.
    pub projection: Option<Projection>,
    elements: BTreeMap<Box<[u8]>, Element>,
}

impl VectorSet {
    /// An empty one.
    pub fn new(
        dimension: usize,
        quantization: Quantization,
        m: u32,
        projection: Option<Projection>,
    ) -> Self {
        VectorSet {
            dimension,
            quantization,
            m,
            projection,
            elements: BTreeMap::new(),
        }
    }

    /// The one that a value in file form holds, if it is one that this server's version writes.
    pub fn load(raw: &RawValue<'_>, scratch: &mut Scratch) -> Option<Self> {
        if raw.rdb_type != RdbType::Module {
            return None;
        }
        let (items, id) = number(raw.bytes).ok()?;
        if split_id(id) != (NAME, 0) {
            return None;
        }
        let mut items = Reader {
            items: Items::new(items),
            scratch,
        };
        let set = items.set()?;
        items.items.next().ok()?.is_none().then_some(set)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// An element.
    pub fn get(&self, name: &[u8]) -> Option<&Element> {
        self.elements.get(name)
    }

    /// An element, to be changed.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut Element> {
        self.elements.get_mut(name)
    }

    /// Removes an element; false where there is none.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.elements.remove(name).is_some()
    }

    /// Adds an element, or gives it another vector; true where it is new.
    ///
    /// Attributes that are not given stay.
    pub fn insert(&mut self, name: &[u8], vector: Vec<f32>, attributes: Option<&[u8]>) -> bool {
        let (vector, norm, range) = self.stored(vector);
        if let Some(element) = self.elements.get_mut(name) {
            element.vector = vector;
            element.norm = norm;
            element.range = range;
            if let Some(text) = attributes {
                element.attributes = (!text.is_empty()).then(|| text.into());
            }
            return false;
        }
        let element = Element {
            attributes: attributes.map(Into::into),
            vector,
            norm,
            range,
            level: 0,
        };
        self.elements.insert(name.into(), element);
        true
    }

    /// A vector as it is stored, with its length and range.
    fn stored(&self, mut vector: Vec<f32>) -> (Box<[u8]>, f32, f32) {
        let norm = normalize(&mut vector);
        match self.quantization {
            Quantization::F32 => {
                let bytes = vector.iter().flat_map(|component| component.to_le_bytes());
                (bytes.collect(), norm, 0.0)
            }
            Quantization::Int8 => {
                let (bytes, range) = quantize(&vector);
                (bytes, norm, range)
            }
            Quantization::Bin => {
                let mut bytes = vec![0u8; self.quantization.bytes(vector.len())];
                for (at, component) in vector.iter().enumerate() {
                    if let Some(byte) = bytes.get_mut(at / 8)
                        && *component > 0.0
                    {
                        *byte |= 1 << (at % 8);
                    }
                }
                (bytes.into(), norm, 0.0)
            }
        }
    }

    /// The components of an element's vector, as they are stored.
    pub fn components(&self, element: &Element) -> Vec<f32> {
        match self.quantization {
            Quantization::F32 => {
                let chunks = element.vector.as_chunks().0.iter();
                chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            // In this order the roundings are the server's.
            Quantization::Int8 => {
                let bytes = element.vector.iter();
                let component = |byte: &u8| f32::from(byte.cast_signed()) * element.range / 127.0;
                bytes.map(component).collect()
            }
            Quantization::Bin => {
                let bits = element.vector.iter();
                let bits = bits.flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
                let component = |bit| if bit == 1 { 1.0 } else { -1.0 };
                bits.take(self.dimension).map(component).collect()
            }
        }
    }

    /// Tells a visitor the whole value, as one in file form is told.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Module, None)?;
        to.module(ModuleEvent::Start {
            name: NAME,
            version: 0,
            decoded: true,
        })?;
        let mut tell = |node: Node<'_>| to.module(ModuleEvent::Node(node));
        self.tell(&mut tell)?;
        to.end(DataType::Module)
    }

    fn tell(&self, tell: &mut dyn FnMut(Node<'_>) -> Result<()>) -> Result<()> {
        tell(Node::Object)?;
        tell(Node::Name(b"dimension"))?;
        tell(Node::Uint(self.dimension as u64))?;
        tell(Node::Name(b"quantization"))?;
        tell(Node::Bytes(self.quantization.name().as_bytes()))?;
        tell(Node::Name(b"m"))?;
        tell(Node::Uint(self.m.into()))?;
        tell(Node::Name(b"input_dimension"))?;
        tell(match &self.projection {
            Some(projection) => Node::Uint(projection.input as u64),
            None => Node::Null,
        })?;
        tell(Node::Name(b"elements"))?;
        tell(Node::Array)?;
        for (name, element) in &self.elements {
            self.tell_element(name, element, tell)?;
        }
        tell(Node::End)?;
        tell(Node::End)
    }

    fn tell_element(
        &self,
        name: &[u8],
        element: &Element,
        tell: &mut dyn FnMut(Node<'_>) -> Result<()>,
    ) -> Result<()> {
        tell(Node::Object)?;
        tell(Node::Name(b"name"))?;
        tell(Node::Bytes(name))?;
        tell(Node::Name(b"attributes"))?;
        tell(match &element.attributes {
            Some(text) => Node::Bytes(text),
            None => Node::Null,
        })?;
        tell(Node::Name(b"level"))?;
        tell(Node::Uint(element.level))?;
        tell(Node::Name(b"norm"))?;
        tell(Node::Double(element.norm.into()))?;
        tell(Node::Name(b"range"))?;
        tell(match self.quantization {
            Quantization::Int8 => Node::Double(element.range.into()),
            _ => Node::Null,
        })?;
        tell(Node::Name(b"vector"))?;
        tell(Node::Array)?;
        for component in self.components(element) {
            tell(match self.quantization {
                Quantization::Bin => Node::Int(component as i64),
                _ => Node::Double(component.into()),
            })?;
        }
        tell(Node::End)?;
        tell(Node::End)
    }

    /// Elements in an order that means nothing to a server.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Element)> {
        let elements = self.elements.iter();
        elements.map(|(name, element)| (name.as_ref(), element))
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        let vector = self.quantization.bytes(self.dimension);
        let texts = self.iter().map(|(name, element)| {
            name.len() + element.attributes.as_ref().map_or(0, |text| text.len())
        });
        let texts: usize = texts.sum();
        let matrix = self.projection.as_ref().map_or(0, |it| it.matrix.len());
        self.elements.len() * (vector + size_of::<(Box<[u8]>, Element)>() * 3 / 2)
            + texts
            + matrix * size_of::<f32>()
    }
}

/// Scales a vector to length 1 and gives the length that it had; one of zeros stays, and is said to
/// have had length 1.
fn normalize(vector: &mut [f32]) -> f32 {
    let mut sum = 0.0f32;
    let (chunks, rest) = vector.as_chunks::<4>();
    for [a, b, c, d] in chunks {
        sum += a * a + b * b + c * c + d * d;
    }
    for component in rest {
        sum += component * component;
    }
    if sum == 0.0 {
        return 1.0;
    }
    let norm = sum.sqrt();
    vector.iter_mut().for_each(|component| *component /= norm);
    norm
}

/// Bytes for a vector, and what the greatest of them stands for.
fn quantize(vector: &[f32]) -> (Box<[u8]>, f32) {
    let mut range = 0.0f32;
    for &component in vector {
        if component > range {
            range = component;
        }
        if -component > range {
            range = -component;
        }
    }
    if range == 0.0 {
        return (vec![0; vector.len()].into(), 0.0);
    }
    let scale = 127.0 / range;
    let byte = |component: &f32| {
        let scaled = (component * scale).round();
        // What is no number of 32 bits becomes the lowest of them, whose low byte is 0.
        match scaled.is_finite() && scaled.abs() < 2_147_483_648.0 {
            true => (scaled as i32 & 0xff) as u8,
            false => 0,
        }
    };
    (vector.iter().map(byte).collect(), range)
}

/// Reads the items of a saved vector set.
struct Reader<'a, 'd> {
    items: Items<'d>,
    scratch: &'a mut Scratch,
}

impl Reader<'_, '_> {
    fn uint(&mut self) -> Option<u64> {
        match self.items.next() {
            Ok(Some(ModuleItem::Uint(n))) => Some(n),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Box<[u8]>> {
        let Ok(Some(ModuleItem::String(stored))) = self.items.next() else {
            return None;
        };
        let text = self.scratch.key(stored, 0).ok()?;
        Some(match text {
            Text::Bytes(bytes) => bytes.into(),
            Text::Int(_) => text.bytes(&mut itoa::Buffer::new()).into(),
        })
    }

    fn set(&mut self) -> Option<VectorSet> {
        let dimension = usize::try_from(self.uint()?).ok()?;
        let (count, config, flags) = (self.uint()?, self.uint()?, self.uint()?);
        if dimension == 0 || config >> 24 != 0 || flags & !(PROJECTED | ATTRIBUTES) != 0 {
            return None;
        }
        let quantization = match config & 0xff {
            0 => Quantization::F32,
            1 => Quantization::Int8,
            2 => Quantization::Bin,
            _ => return None,
        };
        let m = match u32::try_from(config >> 8).ok()? {
            0 => DEFAULT_M,
            m => m,
        };
        let mut projection = None;
        if flags & PROJECTED != 0 {
            let input = usize::try_from(self.uint()?).ok()?;
            let matrix = self.string()?;
            let size = dimension.checked_mul(input)?.checked_mul(4)?;
            if matrix.len() != size || input == 0 {
                return None;
            }
            let factors = matrix.as_chunks().0.iter();
            projection = Some(Projection {
                input,
                matrix: factors.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            });
        }
        let mut set = VectorSet::new(dimension, quantization, m, projection);
        for _ in 0..count {
            let name = self.string()?;
            let element = self.element(&set, flags & ATTRIBUTES != 0)?;
            if set.elements.insert(name, element).is_some() {
                return None;
            }
        }
        Some(set)
    }

    fn element(&mut self, set: &VectorSet, has_attributes: bool) -> Option<Element> {
        let attributes = match has_attributes {
            true => Some(self.string()?).filter(|text| !text.is_empty()),
            false => None,
        };
        let vector = self.string()?;
        if vector.len() != set.quantization.bytes(set.dimension) {
            return None;
        }
        // The node: ID, level, links of each level, and at the end length and range.
        let parameters = self.uint()?;
        let (mut level, mut last) = (0, 0);
        for at in 0..parameters {
            last = self.uint()?;
            if at == 1 {
                level = last & 0xff_ffff;
            }
        }
        let [a, b, c, d, range @ ..] = last.to_le_bytes();
        Some(Element {
            attributes,
            vector,
            norm: f32::from_le_bytes([a, b, c, d]),
            range: f32::from_le_bytes(range),
            level,
        })
    }
}
