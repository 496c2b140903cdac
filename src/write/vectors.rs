//! Vector sets as commands: the server makes their graph anew.

use crate::aof::resp::write_command;
use crate::keyspace::vector::{Element, Quantization, VectorSet};

/// Appends a VADD for each element. The set must not be one whose vectors were made shorter: what they
/// were before is lost.
pub(super) fn write(key: &[u8], set: &VectorSet, out: &mut Vec<u8>) {
    let m = set.m.to_string();
    let form: &[u8] = match set.quantization {
        Quantization::F32 => b"NOQUANT",
        Quantization::Int8 => b"Q8",
        Quantization::Bin => b"BIN",
    };
    for (name, element) in set.iter() {
        let vector = given(set, element);
        let blob: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut args = vec![&b"VADD"[..], key, b"FP32", &blob, name, form];
        let attributes = element.attributes.as_deref().unwrap_or_default();
        if !attributes.is_empty() {
            args.extend([&b"SETATTR"[..], attributes]);
        }
        args.extend([&b"M"[..], m.as_bytes()]);
        write_command(args.into_iter(), out);
    }
}

/// A vector that is stored as this one when it is added: with its length where the roundings allow
/// it, else that of length 1.
fn given(set: &VectorSet, element: &Element) -> Vec<f32> {
    let stored = set.components(element);
    let whole: Vec<f32> = stored.iter().map(|n| n * element.norm).collect();
    let mut again = VectorSet::new(set.dimension, set.quantization, set.m, None);
    again.insert(b"", whole.clone(), None);
    let is_same = again
        .get(b"")
        .is_some_and(|made| made.vector == element.vector && made.range == element.range);
    match is_same {
        true => whole,
        false => stored,
    }
}
