//! The server's own digest of a vector set, from what is told of one.

use crate::keyspace::digest::Digest;
use crate::record::value::Node;

/// Is told the nodes of a vector set and sums it as the server does: elements in no order, each of
/// its stored vector, its name and its attributes; and how many there are of what dimension.
#[derive(Debug, Default)]
pub(super) struct VectorSum {
    sum: Digest,
    depth: usize,
    /// The member whose value comes next.
    member: Vec<u8>,
    dimension: u64,
    quantization: Vec<u8>,
    count: u64,
    name: Vec<u8>,
    attributes: Option<Vec<u8>>,
    range: f64,
    /// The vector as it is stored.
    vector: Vec<u8>,
    components: u64,
}

/// How deep the members of an element are.
const ELEMENT: usize = 3;
/// How deep the components of a vector are.
const VECTOR: usize = 4;

impl VectorSum {
    /// Takes the next node; the sum with the last of them.
    pub(super) fn node(&mut self, node: Node<'_>) -> Option<Digest> {
        match node {
            Node::Object | Node::Array => {
                self.depth += 1;
                self.member.clear();
                match self.depth {
                    ELEMENT => {
                        self.count += 1;
                        self.attributes = None;
                        self.range = 0.0;
                    }
                    VECTOR => {
                        self.vector.clear();
                        self.components = 0;
                    }
                    _ => {}
                }
            }
            Node::End => {
                self.depth = self.depth.saturating_sub(1);
                match self.depth + 1 {
                    ELEMENT => self.end_element(),
                    1 => {
                        let mut counts = Digest::default();
                        counts.mix(self.count.to_string().as_bytes());
                        counts.mix(self.dimension.to_string().as_bytes());
                        self.sum.xor(&counts.0);
                        return Some(self.sum);
                    }
                    _ => {}
                }
            }
            Node::Name(name) => {
                self.member.clear();
                self.member.extend_from_slice(name);
            }
            Node::Uint(n) if self.member == b"dimension" => self.dimension = n,
            Node::Bytes(text) => match self.member.as_slice() {
                b"quantization" => self.quantization = text.to_vec(),
                b"name" => self.name = text.to_vec(),
                b"attributes" => self.attributes = Some(text.to_vec()),
                _ => {}
            },
            Node::Double(n) if self.depth == VECTOR => self.component(n),
            Node::Double(n) if self.member == b"range" => self.range = n,
            Node::Int(n) if self.depth == VECTOR => self.bit(n > 0),
            _ => {}
        }
        None
    }

    fn component(&mut self, component: f64) {
        match self.quantization.as_slice() {
            b"int8" => {
                // A range of 0 is that of a vector of zeros.
                let byte = (component * 127.0 / self.range).round() as i8;
                self.vector.push(byte.cast_unsigned());
            }
            _ => self
                .vector
                .extend_from_slice(&(component as f32).to_le_bytes()),
        }
    }

    fn bit(&mut self, set: bool) {
        let at = self.components % 64;
        if at == 0 {
            self.vector.extend_from_slice(&[0; 8]);
        }
        let word = self.vector.len().saturating_sub(8);
        if let Some(byte) = self.vector.get_mut(word + (at / 8) as usize) {
            *byte |= u8::from(set) << (at % 8);
        }
        self.components += 1;
    }

    fn end_element(&mut self) {
        let mut element = Digest::default();
        element.mix(&self.vector);
        element.mix(&self.name);
        if let Some(text) = &self.attributes {
            element.mix(text);
        }
        self.sum.xor(&element.0);
    }
}
