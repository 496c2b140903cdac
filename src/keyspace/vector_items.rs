//! Vector sets in file form, without their graph: enough to tell what is in one. No server gets this;
//! what is written for servers adds the elements by command, and they make the graph.

use crate::bytes::Element as Text;
use crate::keyspace::vector::{NAME, Quantization, VectorSet};
use crate::rdb::string::{Compress, StringWriter, write_number};
use crate::rdb::value::module::join_id;

const END: u64 = 0;
const UINT: u64 = 2;
const STRING: u64 = 5;

const PROJECTED: u64 = 1;
const ATTRIBUTES: u64 = 2;
/// What stands above the level in a node's second parameter.
const NODE_VERSION: u64 = 1;

/// Appends the items of a vector set whose nodes have no links.
pub(super) fn encode(set: &VectorSet, out: &mut Vec<u8>) {
    let mut items = Writer {
        out,
        strings: StringWriter::new(Compress::Never),
    };
    // The name has no other characters than names may have.
    write_number(join_id(&NAME, 0).unwrap_or_default(), items.out);
    let quantization = match set.quantization {
        Quantization::F32 => 0,
        Quantization::Int8 => 1,
        Quantization::Bin => 2,
    };
    items.uint(set.dimension as u64);
    items.uint(set.len() as u64);
    items.uint(u64::from(set.m) << 8 | quantization);
    items.uint(
        ATTRIBUTES
            | if set.projection.is_some() {
                PROJECTED
            } else {
                0
            },
    );
    if let Some(projection) = &set.projection {
        items.uint(projection.input as u64);
        let matrix = projection
            .matrix
            .iter()
            .flat_map(|factor| factor.to_le_bytes());
        items.string(&matrix.collect::<Vec<u8>>());
    }
    for (id, (name, element)) in set.iter().enumerate() {
        items.string(name);
        items.string(element.attributes.as_deref().unwrap_or_default());
        items.string(&element.vector);
        // Servers give no node more than 16 levels.
        let level = element.level.min(64);
        let levels = level + 1;
        items.uint(3 + 3 * levels);
        items.uint(id as u64);
        items.uint(NODE_VERSION << 24 | level);
        for _ in 0..levels * 3 {
            items.uint(0);
        }
        let (norm, range) = (element.norm.to_bits(), element.range.to_bits());
        items.uint(u64::from(range) << 32 | u64::from(norm));
    }
    write_number(END, items.out);
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    strings: StringWriter,
}

impl Writer<'_> {
    fn uint(&mut self, n: u64) {
        write_number(UINT, self.out);
        write_number(n, self.out);
    }

    fn string(&mut self, text: &[u8]) {
        write_number(STRING, self.out);
        self.strings.write(Text::Bytes(text), self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::vector::Projection;
    use crate::rdb::value::Scratch;
    use crate::record::{RawValue, RdbType};

    #[test]
    fn what_is_written_is_read_again() {
        let kinds = [Quantization::F32, Quantization::Int8, Quantization::Bin];
        for quantization in kinds {
            for projection in [None, Some(Projection::new(5, 3))] {
                let mut set = VectorSet::new(3, quantization, 16, projection);
                set.insert(b"a", vec![0.5, -1.0, 3.0], None);
                set.insert(b"12", vec![1.0, 2.0, 0.0], Some(b"{\"x\":1}"));
                let mut bytes = Vec::new();
                encode(&set, &mut bytes);
                let raw = RawValue {
                    rdb_type: RdbType::Module,
                    bytes: &bytes,
                    at: 0,
                };
                let again = VectorSet::load(&raw, &mut Scratch::default()).unwrap();
                assert_eq!(format!("{again:?}"), format!("{set:?}"));
            }
        }
    }
}
