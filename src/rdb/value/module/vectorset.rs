//! vectorset, the vector sets of Redis 8.0 and later.
//!
//! ```text
//! UINT dimension       of the stored vectors, after projection if there is one
//! UINT count           elements
//! UINT config          bits 0-7 quantisation: 0 f32, 1 int8, 2 bin; bits 8-23 M, 0 means 16
//! UINT flags           1 has a projection matrix, 2 has attributes
//! if flags & 1         UINT input dimension, STRING matrix of f32 LE
//! count times          STRING name
//!                      if flags & 2: STRING attributes, "" means none
//!                      STRING vector: dimension x f32 LE, or x i8, or bits in words of 64, LE
//!                      UINT p, p x UINT: node id; 1 << 24 | level; for each level from 0 on:
//!                      links, most links, the ids of the links, worst link;
//!                      last word: norm and range as f32 bits, low and high half
//! ```
//!
//! Defined by `VectorSetRdbSave` and `hnsw_serialize_node` of the server. Told is
//!
//! ```json
//! {"dimension":3,"quantization":"int8","m":16,"input_dimension":null,"elements":[
//!   {"name":"a","attributes":"{\"year\":1950}","level":0,"norm":5.0,"range":0.8,
//!    "vector":[0.6,0.8,0.0]}]}
//! ```
//!
//! * `quantization` is `f32`, `int8` or `bin`, in the words of `VINFO`; `input_dimension` is null
//!   without a projection.
//! * `attributes` is a string, since the server keeps any text there; null where there are none.
//! * `vector` is what is stored, of length 1 as a rule, and `norm` the length that the vector had
//!   when it was added: their product is what `VEMB` answers (for `bin` it answers the vector).
//!   The components of `int8` are `stored * range / 127`, those of `bin` are 1 and -1. `range` is
//!   null for the others. Nothing that is stored of a vector is lost: `f32` components are exact,
//!   and `component * 127 / range`, rounded, is the stored byte.
//! * The graph (links of the nodes) and the projection matrix are left out: the first can be made
//!   from the vectors, the second is random, and both are in the raw value. So a set with a
//!   projection can be read from this, but vectors of the input dimension cannot be added to it.

use crate::record::value::Node;

use super::decode::{Cursor, Decoded, Decoding, Miss, Text};

const PROJECTED: u64 = 1;
const ATTRIBUTES: u64 = 2;
const DEFAULT_M: u64 = 16;
/// What stands above the level in a node's second parameter.
const NODE_VERSION: u64 = 1;

#[derive(Clone, Copy)]
enum Quantization {
    F32,
    Int8,
    Bin,
}

struct Shape {
    dimension: u64,
    quantization: Quantization,
    attributes: bool,
}

struct Element<'d> {
    name: Text<'d>,
    attributes: Option<Text<'d>>,
    vector: Text<'d>,
    level: u64,
    norm: f32,
    range: f32,
}

/// Version 0.
pub(super) fn decode(cx: &mut Decoding<'_, '_>, _: u16) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    let dimension = cx.uint("dimension")?;
    let count = cx.items.uint()?;
    let config = cx.items.uint()?;
    let flags = cx.items.uint()?;
    if config >> 24 != 0 || flags & !(PROJECTED | ATTRIBUTES) != 0 {
        return Err(Miss::Layout);
    }
    let quantization = match config & 0xff {
        0 => Quantization::F32,
        1 => Quantization::Int8,
        2 => Quantization::Bin,
        _ => return Err(Miss::Layout),
    };
    let name = match quantization {
        Quantization::F32 => "f32",
        Quantization::Int8 => "int8",
        Quantization::Bin => "bin",
    };
    cx.tell
        .member("quantization", Node::Bytes(name.as_bytes()))?;
    let m = match config >> 8 {
        0 => DEFAULT_M,
        m => m,
    };
    cx.tell.member("m", Node::Uint(m))?;
    if flags & PROJECTED == 0 {
        cx.tell.member("input_dimension", Node::Null)?;
    } else {
        let input = cx.uint("input_dimension")?;
        let matrix = cx.items.string()?;
        let size = dimension.checked_mul(input).and_then(|n| n.checked_mul(4));
        if size != Some(matrix.len()) {
            return Err(Miss::Layout);
        }
        cx.leave_out(matrix)?;
    }
    let shape = Shape {
        dimension,
        quantization,
        attributes: flags & ATTRIBUTES != 0,
    };
    cx.tell.member("elements", Node::Array)?;
    for _ in 0..count {
        let element = element(&mut cx.items, &shape)?;
        tell(cx, &shape, &element)?;
    }
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    cx.items.end()
}

fn element<'d>(items: &mut Cursor<'d>, shape: &Shape) -> Decoded<Element<'d>> {
    let name = items.string()?;
    let attributes = match shape.attributes {
        true => Some(items.string()?).filter(|text| text.len() > 0),
        false => None,
    };
    let vector = items.string()?;
    let size = match shape.quantization {
        Quantization::F32 => shape.dimension.checked_mul(4),
        Quantization::Int8 => Some(shape.dimension),
        Quantization::Bin => Some(shape.dimension.div_ceil(64).saturating_mul(8)),
    };
    if size != Some(vector.len()) {
        return Err(Miss::Layout);
    }
    let parameters = items.uint()?;
    items.uint()?;
    let level = items.uint()?;
    let (version, level) = (level >> 24, level & 0xff_ffff);
    if version != NODE_VERSION {
        return Err(Miss::Layout);
    }
    let mut read = 3u64;
    for _ in 0..=level {
        let links = items.uint()?;
        // Above the links themselves: how many there may be; behind them: the worst one.
        for _ in 0..links.saturating_add(2) {
            items.uint()?;
        }
        read = read.saturating_add(links).saturating_add(3);
    }
    let [a, b, c, d, range @ ..] = items.uint()?.to_le_bytes();
    if read != parameters {
        return Err(Miss::Layout);
    }
    Ok(Element {
        name,
        attributes,
        vector,
        level,
        norm: f32::from_le_bytes([a, b, c, d]),
        range: f32::from_le_bytes(range),
    })
}

fn tell(cx: &mut Decoding<'_, '_>, shape: &Shape, element: &Element<'_>) -> Decoded<()> {
    cx.tell.node(Node::Object)?;
    cx.tell.name("name")?;
    cx.string(element.name)?;
    cx.tell.name("attributes")?;
    match element.attributes {
        Some(text) => cx.string(text)?,
        None => cx.tell.node(Node::Null)?,
    }
    cx.tell.member("level", Node::Uint(element.level))?;
    cx.tell
        .member("norm", Node::Double(f64::from(element.norm)))?;
    let range = match shape.quantization {
        Quantization::Int8 => Node::Double(f64::from(element.range)),
        _ => Node::Null,
    };
    cx.tell.member("range", range)?;
    cx.tell.member("vector", Node::Array)?;
    components(cx, shape, element)?;
    cx.tell.node(Node::End)?;
    cx.tell.node(Node::End)?;
    Ok(())
}

fn components(cx: &mut Decoding<'_, '_>, shape: &Shape, element: &Element<'_>) -> Decoded<()> {
    if cx.tell.is_silent() {
        return Ok(element.vector.verify()?);
    }
    let bytes = cx.strings.resolve(element.vector)?;
    let tell = &mut cx.tell;
    match shape.quantization {
        Quantization::F32 => {
            for &component in bytes.as_chunks().0 {
                let component = f32::from_le_bytes(component);
                tell.node(Node::Double(f64::from(component)))?;
            }
        }
        Quantization::Int8 => {
            // In this order the roundings are the server's.
            for &component in bytes {
                let component = f32::from(component.cast_signed()) * element.range / 127.0;
                tell.node(Node::Double(f64::from(component)))?;
            }
        }
        Quantization::Bin => {
            let bits = bytes
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
            for (bit, _) in bits.zip(0..shape.dimension) {
                tell.node(Node::Int(if bit == 1 { 1 } else { -1 }))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{Tree, build, is_total, shows, string, told, unhex};
    use crate::record::value::ModuleItem::{self, Uint};

    // From `DUMP` of Redis 8.2.3, without type and checksum.

    /// `VADD NOQUANT` of a (3 4 0), b (0.1 -0.2 0.3) and 12 (1 0 0).
    pub(in super::super) const F32: &str = "81bde72da2bb1eb400020302030250000202 \
        05c00c 05c007 050c0000803f0000000000000000 0208 0203 028001000000 0202 0220 0201 0202 \
        02813f3b94c500000001 02803f800000 \
        050162 0500 050c76d6883e76d608bfb2414d3f 0208 0202 028001000000 0202 0220 0201 0203 \
        02813fa2359e00000000 02803ebf92a8 \
        050161 050d7b2279656172223a313935307d 050c9a99193fcdcc4c3f00000000 0208 0201 \
        028001000000 0202 0220 0202 0203 02813fa2359e00000000 028040a00000 00";
    /// `VADD Q8` of a (3 4 0) and b (0.1 -0.2 0.35).
    const INT8: &str = "81bde72da2bb1eb400 0203 0202 025001 0200 \
        050162 050324b77f 0207 0202 028001000000 0201 0220 0201 02813f9f4dc100000000 \
        02813f57bb403ed4a64a \
        050161 05035f7f00 0207 0201 028001000000 0201 0220 0202 02813f9f4dc100000000 \
        02813f4ccccd40a00000 00";
    /// `VADD BIN M 8` of a (3 -4 0 1 -1) and b (-0.1 0.2 -0.3 1 1).
    const BIN: &str = "81bde72da2bb1eb400 0205 0202 024802 0202 \
        050162 05086e6f74206a736f6e 05081a00000000000000 0207 0202 028001000000 0201 0210 0201 \
        02813f99999a00000000 02803fbb3f73 \
        050161 0500 05080900000000000000 020d 0201 028001000002 0201 0210 0202 \
        02813f99999a00000000 0200 0208 0200 0200 0208 0200 028040a646e1 00";
    /// `VADD REDUCE 2 NOQUANT` of a (1 2 3 4) and b (4 3 -2 1); the matrix is compressed.
    pub(in super::super) const PROJECTED_F32: &str = "81bde72da2bb1eb400020202020250000201020405c31020040000003f00e0090300bf80130100bf \
        0501620508e8dc723f9be8a1be020a020202800100000102010220020102813bfd0a000000000002 \
        00021002000280404a62c2050161050856077b3fabd248be02070201028001000000020102200202 \
        02813bfd0a0000000000028040a32b2b00";

    /// What the same server answered: name, `VEMB`, norm and range of `VEMB RAW`, `VGETATTR`.
    type Answer<'a> = (&'a str, &'a [f64], f64, Option<f64>, Option<&'a str>);

    fn agrees(captured: &str, header: &str, answers: &[Answer<'_>]) {
        let value = unhex(captured);
        is_total(&value);
        let told = told(&value);
        let tree = told.tree();
        let text = tree.to_string();
        assert!(text.starts_with(header), "{text}");
        let elements = tree.get("elements").items();
        assert_eq!(elements.len(), answers.len());
        for (element, &(name, vector, norm, range, attributes)) in elements.iter().zip(answers) {
            assert_eq!(*element.get("name"), Tree::Bytes(name.into()));
            let expected = attributes.map_or(Tree::Null, |text| Tree::Bytes(text.into()));
            assert_eq!(*element.get("attributes"), expected);
            assert_eq!(element.get("norm").number(), norm);
            assert_eq!(
                *element.get("range"),
                range.map_or(Tree::Null, Tree::Double)
            );
            let found: Vec<f64> = element
                .get("vector")
                .items()
                .iter()
                .map(Tree::number)
                .collect();
            assert_eq!(found.len(), vector.len());
            let binary = text.contains("quantization:'bin'");
            for (found, &expected) in found.iter().zip(vector) {
                let found = if binary {
                    *found
                } else {
                    f64::from(*found as f32 * norm as f32)
                };
                assert_eq!(found, expected, "{name}");
            }
        }
    }

    #[test]
    fn vectors_names_and_attributes_are_those_that_the_server_answers() {
        agrees(
            F32,
            "{dimension:3,quantization:'f32',m:16,input_dimension:null,",
            &[
                ("12", &[1.0, 0.0, 0.0], 1.0, None, Some("7")),
                (
                    "b",
                    &[
                        0.09999999403953552,
                        -0.19999998807907104,
                        0.30000001192092896,
                    ],
                    0.37416577339172363,
                    None,
                    None,
                ),
                ("a", &[3.0, 4.0, 0.0], 5.0, None, Some("{\"year\":1950}")),
            ],
        );
        agrees(
            INT8,
            "{dimension:3,quantization:'int8',m:16,input_dimension:null,",
            &[
                (
                    "b",
                    &[0.09921259433031082, -0.201181098818779, 0.3500000238418579],
                    0.4153311848640442,
                    Some(0.8427009582519531),
                    None,
                ),
                (
                    "a",
                    &[2.992125988006592, 4.0, 0.0],
                    5.0,
                    Some(0.800000011920929),
                    None,
                ),
            ],
        );
        agrees(
            BIN,
            "{dimension:5,quantization:'bin',m:8,input_dimension:null,",
            &[
                (
                    "b",
                    &[-1.0, 1.0, -1.0, 1.0, 1.0],
                    1.4628738164901733,
                    None,
                    Some("not json"),
                ),
                (
                    "a",
                    &[1.0, -1.0, -1.0, 1.0, -1.0],
                    5.196152210235596,
                    None,
                    None,
                ),
            ],
        );
        agrees(
            PROJECTED_F32,
            "{dimension:2,quantization:'f32',m:16,input_dimension:4,",
            &[
                ("b", &[3.0, -1.0], 3.1622776985168457, None, None),
                ("a", &[5.0, -1.0], 5.099019527435303, None, None),
            ],
        );
    }

    fn header(flags: u64) -> Vec<ModuleItem<'static>> {
        vec![Uint(1), Uint(1), Uint(0), Uint(flags)]
    }

    fn element(parameters: &[u64]) -> Vec<ModuleItem<'static>> {
        let mut items = vec![
            string(b"e"),
            string(b"\0\0\x80?"),
            Uint(parameters.len() as u64),
        ];
        items.extend(parameters.iter().map(|&n| Uint(n)));
        items
    }

    #[test]
    fn old_files_without_m_have_the_default_and_graph_words_are_counted() {
        let fits = [1, 1 << 24 | 1, 2, 32, 8, 9, 0, 1, 16, 8, 0, 0x3f80_0000];
        let mut items = header(0);
        items.extend(element(&fits));
        assert_eq!(
            shows(b"vectorset", 0, &items),
            "{dimension:1,quantization:'f32',m:16,input_dimension:null,elements:[\
             {name:'e',attributes:null,level:0,norm:1.0,range:null,vector:[1.0]}]}"
                .replace("level:0", "level:1")
        );
    }

    #[test]
    fn what_does_not_fit_is_told_raw() {
        let whole = [1, 1 << 24, 0, 32, 0, 0x3f80_0000];
        let with = |header: Vec<ModuleItem<'static>>, parameters: &[u64]| {
            let mut items = header;
            items.extend(element(parameters));
            shows(b"vectorset", 0, &items)
        };
        assert_ne!(with(header(0), &whole), "raw");
        // A level that is not there, a version of nodes that nobody knows, a word too many.
        assert_eq!(with(header(0), &[1, 1 << 24 | 1, 0, 32, 0, 0]), "raw");
        assert_eq!(with(header(0), &[1, 2 << 24, 0, 32, 0, 0]), "raw");
        assert_eq!(with(header(0), &[1, 1 << 24, 0, 32, 0, 0, 0]), "raw");
        // Flags, quantisation, count and dimension that are not met by what follows.
        assert_eq!(with(header(4), &whole), "raw");
        assert_eq!(
            with(vec![Uint(1), Uint(1), Uint(3), Uint(0)], &whole),
            "raw"
        );
        assert_eq!(
            with(vec![Uint(1), Uint(2), Uint(0), Uint(0)], &whole),
            "raw"
        );
        assert_eq!(
            with(vec![Uint(1), Uint(0), Uint(0), Uint(0)], &whole),
            "raw"
        );
        assert_eq!(
            with(vec![Uint(2), Uint(1), Uint(0), Uint(0)], &whole),
            "raw"
        );
    }

    #[test]
    fn hostile_counts_cost_nothing() {
        let most = u64::MAX;
        for items in [
            [Uint(most), Uint(most), Uint(0), Uint(0)].as_slice(),
            &[Uint(most), Uint(most), Uint(2), Uint(0)],
            &[
                Uint(most),
                Uint(1),
                Uint(0),
                Uint(1),
                Uint(most),
                string(b""),
            ],
            &[
                Uint(0),
                Uint(most),
                Uint(0),
                Uint(0),
                string(b"e"),
                string(b""),
                Uint(most),
                Uint(0),
                Uint(1 << 24 | 0xff_ffff),
                Uint(most),
            ],
        ] {
            assert!(told(&build(b"vectorset", 0, items)).is_raw());
        }
    }
}
