//! Commands on vector sets.
//!
//! What needs the graph or chance (VSIM, VLINKS, VRANDMEMBER, VINFO) cannot be answered here.

use crate::bytes::number::{integer_score, write_double};
use crate::keyspace::Value;
use crate::keyspace::module::Module;
use crate::keyspace::vector::{Projection, Quantization, VectorSet};
use crate::replay::args::{Args, double, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("vadd", vadd),
    Row::read("vcard", vcard),
    Row::read("vdim", vdim),
    Row::read("vemb", vemb),
    Row::read("vgetattr", vgetattr),
    Row::read("vinfo", unanswered),
    Row::read("vismember", vismember),
    Row::read("vlinks", unanswered),
    Row::read("vrandmember", unanswered),
    Row::one("vrem", vrem),
    Row::one("vsetattr", vsetattr),
    Row::read("vsim", unanswered),
];

/// Links of a node: the least, what is taken where nothing is said, the most.
const LINKS: [i64; 3] = [4, 16, 4096];

/// Whether an option is this word, in any case. Servers see it end at a NUL.
fn is(option: &[u8], word: &str) -> bool {
    let end = option.iter().position(|byte| *byte == 0);
    let option = option.get(..end.unwrap_or(option.len())).unwrap_or(option);
    option.eq_ignore_ascii_case(word.as_bytes())
}

fn wrong_number(name: &str) -> Rejection {
    Rejection::error(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

fn vectors<'c>(cx: &'c Context<'_>, key: &[u8]) -> Result<Option<&'c VectorSet>, Rejection> {
    match cx.value(key) {
        None => Ok(None),
        Some(Value::Module(module)) => match &**module {
            Module::Vectors(vectors) => Ok(Some(vectors)),
            Module::Opaque { .. } => Err(Rejection::wrong_type()),
        },
        Some(_) => Err(Rejection::wrong_type()),
    }
}

fn vectors_mut<'c>(
    cx: &'c mut Context<'_>,
    key: &[u8],
) -> Result<Option<&'c mut VectorSet>, Rejection> {
    match cx.value_mut(key) {
        None => Ok(None),
        Some(Value::Module(module)) => match &mut **module {
            Module::Vectors(vectors) => Ok(Some(vectors)),
            Module::Opaque { .. } => Err(Rejection::wrong_type()),
        },
        Some(_) => Err(Rejection::wrong_type()),
    }
}

/// A vector as it is given, and how many arguments it took.
struct Given {
    /// The dimension to which it is to be reduced.
    reduce: Option<u32>,
    vector: Vec<f32>,
    arguments: usize,
}

/// Reads `[REDUCE n] FP32 blob` or `[REDUCE n] VALUES n x...`.
fn given(args: Args<'_>) -> Result<Given, Rejection> {
    let invalid = || Rejection::error("ERR invalid vector specification");
    let (mut at, mut reduce) = (0, None);
    if args.len() > 2 && is(args.at(0)?, "reduce") {
        let dimension = integer(args.at(1)?).map_err(|_| invalid())?;
        if dimension <= 0 {
            return Err(invalid());
        }
        // The server keeps 32 bits of it, and takes 0 for nothing.
        reduce = Some(dimension as u32).filter(|dimension| *dimension != 0);
        at = 2;
    }
    let format = args.at(at).map_err(|_| invalid())?;
    let first = args.get(at + 1).copied().ok_or_else(invalid)?;
    if is(format, "fp32") {
        let (components, rest) = first.as_chunks::<4>();
        if !rest.is_empty() || components.is_empty() {
            return Err(invalid());
        }
        let components = components.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Ok(Given {
            reduce,
            vector: components.collect(),
            arguments: at + 2,
        })
    } else if is(format, "values") {
        let dimension = integer(first).ok().and_then(|n| usize::try_from(n).ok());
        let dimension = dimension.filter(|n| *n > 0).ok_or_else(invalid)?;
        let texts = args.from(at + 2).slice();
        let texts = texts.get(..dimension).ok_or_else(invalid)?;
        let components = texts.iter().map(|text| double(text).map(|n| n as f32));
        let vector: Result<Vec<f32>, Rejection> = components.collect();
        Ok(Given {
            reduce,
            vector: vector.map_err(|_| invalid())?,
            arguments: at + 2 + dimension,
        })
    } else {
        Err(invalid())
    }
}

/// What may stand behind the element.
struct Options<'a> {
    quantization: Quantization,
    m: u32,
    attributes: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(args: Args<'a>) -> Result<Self, Rejection> {
        let [least, usual, most] = LINKS;
        let mut options = Options {
            quantization: Quantization::Int8,
            m: usual as u32,
            attributes: None,
        };
        let mut at = 0;
        while let Some(&option) = args.get(at) {
            let value = args.get(at + 1).copied();
            at += 1;
            if is(option, "cas") {
                // How the server shares the work among threads.
            } else if is(option, "ef")
                && let Some(text) = value
            {
                integer(text)
                    .ok()
                    .filter(|n| (1..=1_000_000).contains(n))
                    .ok_or_else(|| Rejection::error("ERR invalid EF"))?;
                at += 1;
            } else if is(option, "m")
                && let Some(text) = value
            {
                let m = integer(text)
                    .ok()
                    .filter(|n| (least..=most).contains(n))
                    .ok_or_else(|| Rejection::error("ERR invalid M"))?;
                options.m = m as u32;
                at += 1;
            } else if is(option, "setattr")
                && let Some(text) = value
            {
                options.attributes = Some(text);
                at += 1;
            } else if is(option, "noquant") {
                options.quantization = Quantization::F32;
            } else if is(option, "bin") {
                options.quantization = Quantization::Bin;
            } else if is(option, "q8") {
                options.quantization = Quantization::Int8;
            } else {
                return Err(Rejection::error("ERR invalid option after element"));
            }
        }
        Ok(options)
    }
}

fn vadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() < 4 {
        return Err(wrong_number("VADD"));
    }
    let ([key], rest) = args.first()?;
    let given = given(rest)?;
    let Some(&name) = rest.get(given.arguments) else {
        return Err(wrong_number("VADD"));
    };
    let options = Options::read(rest.from(given.arguments + 1))?;
    let dimension = given.vector.len();
    let vector = match vectors(cx, key)? {
        Some(set) => fit(set, given, &options)?,
        None => {
            let reduced = given.reduce.map(|n| n as usize);
            // The matrix is as large as the product of the dimensions.
            let output = reduced.unwrap_or(dimension);
            let matrix = (output as u64).saturating_mul(dimension as u64);
            if reduced.is_some() {
                cx.claim(matrix.saturating_mul(4))?;
            }
            let projection = reduced.map(|output| Projection::new(dimension, output));
            let vector = match &projection {
                Some(projection) => projection.apply(&given.vector),
                None => given.vector,
            };
            let set = VectorSet::new(output, options.quantization, options.m, projection);
            let module = Module::Vectors(set);
            cx.put(key, Value::Module(Box::new(module)), None);
            vector
        }
    };
    let is_new = match vectors_mut(cx, key)? {
        Some(set) => set.insert(name, vector, options.attributes),
        None => false,
    };
    Ok(Reply::Int(is_new.into()))
}

/// The vector in the dimension of the set, if it may be added to it.
fn fit(set: &VectorSet, given: Given, options: &Options<'_>) -> Result<Vec<f32>, Rejection> {
    if set.quantization != options.quantization {
        return Err(Rejection::error(
            "ERR asked quantization mismatch with existing vector set",
        ));
    }
    if set.m != options.m {
        return Err(Rejection::error(
            "ERR asked M value mismatch with existing vector set",
        ));
    }
    let dimension = given.vector.len();
    let reduced = given.reduce.map(|n| n as usize);
    let fits = match &set.projection {
        None => set.dimension == dimension,
        Some(_) => reduced == Some(set.dimension),
    };
    if !fits {
        return Err(Rejection::error(format!(
            "ERR Vector dimension mismatch - got {dimension} but set has {}",
            set.dimension
        )));
    }
    match &set.projection {
        None if reduced.is_some() => Err(Rejection::error(
            "ERR cannot add projection to existing set without projection",
        )),
        None => Ok(given.vector),
        Some(projection) if projection.input != dimension => Err(Rejection::error(format!(
            "ERR Input dimension mismatch for projection - got {dimension} but projection expects {}",
            projection.input
        ))),
        Some(projection) => Ok(projection.apply(&given.vector)),
    }
}

fn vrem(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, name] = args.exactly().map_err(|_| wrong_number("VREM"))?;
    let Some(set) = vectors_mut(cx, key)? else {
        return Ok(Reply::Int(0));
    };
    let removed = set.remove(name);
    if set.is_empty() {
        cx.remove(key);
    }
    Ok(Reply::Int(removed.into()))
}

fn vsetattr(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, name, text] = args.exactly().map_err(|_| wrong_number("VSETATTR"))?;
    let set = vectors_mut(cx, key)?;
    let Some(element) = set.and_then(|set| set.get_mut(name)) else {
        return Ok(Reply::Int(0));
    };
    element.attributes = (!text.is_empty()).then(|| text.into());
    Ok(Reply::Int(1))
}

fn vcard(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly().map_err(|_| wrong_number("VCARD"))?;
    Ok(Reply::count(vectors(cx, key)?.map_or(0, VectorSet::len)))
}

fn vdim(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly().map_err(|_| wrong_number("VDIM"))?;
    let set = vectors(cx, key)?.ok_or_else(|| Rejection::error("ERR key does not exist"))?;
    Ok(Reply::count(set.dimension))
}

fn vgetattr(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, name] = args.exactly().map_err(|_| wrong_number("VGETATTR"))?;
    let element = vectors(cx, key)?.and_then(|set| set.get(name));
    Ok(Reply::bulk(
        element.and_then(|element| element.attributes.as_deref()),
    ))
}

fn vismember(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, name] = args.exactly().map_err(|_| wrong_number("VISMEMBER"))?;
    let element = vectors(cx, key)?.and_then(|set| set.get(name));
    Ok(Reply::Int(element.is_some().into()))
}

fn vemb(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, name], rest) = args.first().map_err(|_| wrong_number("VEMB"))?;
    if !rest.iter().all(|option| is(option, "raw")) {
        return Err(Rejection::error("ERR invalid option"));
    }
    let number = |n: f32| {
        // Whole numbers are answered as such, but for the negative zero.
        let whole = integer_score(n.into()).filter(|whole| *whole != 0);
        let mut text = Vec::new();
        match whole {
            Some(whole) => text.extend_from_slice(whole.to_string().as_bytes()),
            None => write_double(&mut text, n.into(), cx.rules.scores),
        }
        Reply::Bulk(text)
    };
    let set = vectors(cx, key)?;
    let Some((set, element)) = set.and_then(|set| Some((set, set.get(name)?))) else {
        return Ok(Reply::Nil);
    };
    if !rest.is_empty() {
        let mut items = vec![
            Reply::Status(set.quantization.name()),
            Reply::bulk(Some(&element.vector)),
            number(element.norm),
        ];
        if set.quantization == Quantization::Int8 {
            items.push(number(element.range));
        }
        return Ok(Reply::Array(items));
    }
    let norm = match set.quantization {
        Quantization::Bin => 1.0,
        _ => element.norm,
    };
    let components = set.components(element).into_iter();
    Ok(Reply::Array(components.map(|n| number(n * norm)).collect()))
}

fn unanswered(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err(Rejection::unplayable(
        "depends on the graph of a vector set, which is random",
    ))
}
