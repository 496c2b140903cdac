//! What only scripts ask.

use crate::keyspace::module::Module;
use crate::keyspace::{Value, save};
use crate::record::RdbType;
use crate::record::glob::Glob;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

/// EXISTS and TOUCH.
pub(super) fn exists(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let found = args.iter().filter(|key| cx.exists(key));
    Ok(Reply::count(found.count()))
}

/// Where a string is compressed, the bytes may differ from the server's; they hold the same.
pub(super) fn dump(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    let Some(value) = cx.value(key) else {
        return Ok(Reply::Nil);
    };
    let unplayable = |_| Rejection::unplayable("asks for a value in a form that cannot be made");
    save::payload(cx.rules, value)
        .map(Reply::Bulk)
        .map_err(unplayable)
}

pub(super) fn type_of(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(match cx.value(key) {
        None => Reply::Status("none"),
        Some(Value::Module(module)) => match **module {
            Module::Vectors(_) => Reply::Status("vectorset"),
            _ => return Err(Rejection::unplayable("asks for the type of a module")),
        },
        Some(value) => Reply::Status(value.data_type().name()),
    })
}

pub(super) fn dbsize(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [] = args.exactly()?;
    Ok(Reply::count(cx.keys(cx.db).count()))
}

pub(super) fn keys(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [pattern] = args.exactly()?;
    Ok(Reply::Array(matching(cx, Some(pattern), None)))
}

/// Which key comes is chance, where there are several.
pub(super) fn randomkey(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [] = args.exactly()?;
    let mut keys = cx.keys(cx.db);
    match (keys.next(), keys.next()) {
        (None, _) => Ok(Reply::Nil),
        (Some(only), None) => Ok(Reply::bulk(Some(only.name()))),
        _ => Err(Rejection::unplayable("answers with a key taken at random")),
    }
}

/// All keys at once, which is one of the ways a server may go.
pub(super) fn scan(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([cursor], mut rest) = args.first()?;
    if cursor.is_empty() || !cursor.iter().all(u8::is_ascii_digit) || cursor.len() > 20 {
        return Err(Rejection::error("ERR invalid cursor"));
    }
    let (mut pattern, mut of) = (None, None);
    while let Some(word) = rest.slice().first() {
        let value = rest.at(1)?;
        match word {
            word if is(word, "match") => pattern = Some(value),
            word if is(word, "type") => of = Some(value),
            word if is(word, "count") => {
                if integer(value)? < 1 {
                    return Err(Rejection::syntax());
                }
            }
            _ => return Err(Rejection::syntax()),
        }
        rest = rest.from(2);
    }
    Ok(Reply::Array(vec![
        Reply::Bulk(b"0".to_vec()),
        Reply::Array(matching(cx, pattern, of)),
    ]))
}

fn matching(cx: &Context<'_>, pattern: Option<&[u8]>, of: Option<&[u8]>) -> Vec<Reply> {
    let glob = pattern.map(Glob::new);
    let keys = cx.keys(cx.db).filter(|slot| {
        glob.as_ref().is_none_or(|glob| glob.matches(slot.name()))
            && of.is_none_or(|of| is(of, slot.value.data_type().name()))
    });
    keys.map(|slot| Reply::bulk(Some(slot.name()))).collect()
}

/// OBJECT ENCODING; the others tell of how the server keeps its memory.
pub(super) fn object(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([word], rest) = args.first()?;
    if !is(word, "encoding") {
        return Err(Rejection::unplayable("asks how the server keeps a key"));
    }
    let [key] = rest.exactly()?;
    let Some(value) = cx.value(key) else {
        return Ok(Reply::Nil);
    };
    let rdb_type = value.rdb_type(cx.rules);
    let encoding = match value {
        Value::String(_) | Value::Module(_) => {
            return Err(Rejection::unplayable("asks how a string came to be"));
        }
        Value::List(_) if cx.rules.since((7, 2), (0, 0)) => {
            return Err(Rejection::unplayable("asks how a list came to be"));
        }
        // In memory this form has a name of its own.
        Value::Hash(_) if rdb_type == RdbType::HashListpackExpiry => "listpackex",
        _ => rdb_type.encoding(),
    };
    Ok(Reply::Bulk(encoding.as_bytes().to_vec()))
}
