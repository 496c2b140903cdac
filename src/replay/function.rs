//! Function libraries: their sources are kept by name.
//!
//! What is loaded is run, as servers do, to see which functions it registers; without the cargo feature
//! `lua` it is taken as it is.

use std::collections::BTreeMap;

use crate::keyspace::{NEVER, Rules};
use crate::rdb::string;
use crate::record::Stored;
use crate::replay::args::{Args, is};
use crate::replay::context::Context;
use crate::replay::keys::opened;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::script;
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[Row::many("function", function)];

/// The opcode in front of a library's source.
const LIBRARY: u8 = 245;

fn function(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([word], rest) = args.first()?;
    let Some(libraries) = cx.functions.take() else {
        return Err(Rejection::unplayable("function libraries are not here"));
    };
    let outcome = match word {
        word if is(word, "load") => load(cx, libraries, rest),
        word if is(word, "delete") => delete(libraries, rest),
        word if is(word, "flush") => flush(libraries, rest),
        word if is(word, "restore") => restore(cx, libraries, rest),
        _ => Ok(Reply::OK),
    };
    cx.functions = Some(libraries);
    outcome
}

type Libraries = BTreeMap<Vec<u8>, Vec<u8>>;

fn load(cx: &mut Context<'_>, libraries: &mut Libraries, args: Args<'_>) -> Outcome {
    let (source, words) = args
        .split_last()
        .ok_or_else(|| Rejection::error("ERR Function code is missing"))?;
    if !words.iter().all(|word| is(word, "replace")) {
        return Err(Rejection::error("ERR Unknown option given"));
    }
    let name = name(source, cx.rules)?;
    if libraries.contains_key(&name) && words.is_empty() {
        return Err(exists(&name));
    }
    let new = Libraries::from([(name.clone(), source.to_vec())]);
    put(cx, libraries, new)?;
    Ok(Reply::Bulk(name))
}

fn delete(libraries: &mut Libraries, args: Args<'_>) -> Outcome {
    let [name] = args.exactly()?;
    match libraries.remove(name) {
        Some(_) => Ok(Reply::OK),
        None => Err(Rejection::error("ERR Library not found")),
    }
}

fn flush(libraries: &mut Libraries, args: Args<'_>) -> Outcome {
    match args.slice() {
        [] => {}
        [mode] if is(mode, "sync") || is(mode, "async") => {}
        _ => {
            return Err(Rejection::error(
                "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
            ));
        }
    }
    libraries.clear();
    Ok(Reply::OK)
}

/// What becomes of the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Append,
    Replace,
    Flush,
}

fn policy(args: Args<'_>) -> Result<Policy, Rejection> {
    match args.slice() {
        [] => Ok(Policy::Append),
        [word] if is(word, "append") => Ok(Policy::Append),
        [word] if is(word, "replace") => Ok(Policy::Replace),
        [word] if is(word, "flush") => Ok(Policy::Flush),
        _ => Err(Rejection::error(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        )),
    }
}

/// Runs new libraries, and puts them to those that are there, in place of those of the same names.
fn put(
    cx: &mut Context<'_>,
    libraries: &mut Libraries,
    mut new: Libraries,
) -> Result<(), Rejection> {
    let mut replaced = Libraries::new();
    for name in new.keys() {
        replaced.extend(libraries.remove_entry(name));
    }
    let loaded = script::load_libraries(cx, libraries, &new);
    libraries.append(if loaded.is_ok() {
        &mut new
    } else {
        &mut replaced
    });
    loaded
}

fn restore(cx: &mut Context<'_>, libraries: &mut Libraries, args: Args<'_>) -> Outcome {
    let ([payload], rest) = args.first()?;
    let policy = policy(rest)?;
    let rules = cx.rules;
    let (_, mut body) = opened(payload, rules)
        .ok_or_else(|| Rejection::error("ERR DUMP payload version or checksum are wrong"))?;
    let mut new = Libraries::new();
    while let Some((&opcode, rest)) = body.split_first() {
        if opcode != LIBRARY {
            return Err(Rejection::error("ERR given type is not a function"));
        }
        let failed = || Rejection::error("ERR failed loading the given functions payload");
        let (rest, source) = string::stored(rest).map_err(|_| failed())?;
        body = rest;
        let source = Stored::to_bytes(&source)
            .map_err(|_| failed())?
            .into_owned();
        let name = name(&source, rules)?;
        if new.contains_key(&name) {
            return Err(exists(&name));
        }
        new.insert(name, source);
    }
    match policy {
        Policy::Flush => {
            let mut fresh = Libraries::new();
            put(cx, &mut fresh, new)?;
            *libraries = fresh;
        }
        Policy::Append => {
            if let Some(name) = new.keys().find(|name| libraries.contains_key(*name)) {
                return Err(exists(name));
            }
            put(cx, libraries, new)?;
        }
        Policy::Replace => put(cx, libraries, new)?,
    }
    Ok(Reply::OK)
}

fn exists(name: &[u8]) -> Rejection {
    Rejection::error(format!(
        "ERR Library '{}' already exists",
        String::from_utf8_lossy(name)
    ))
}

/// The name of a library, from the first line of its source: `#!lua name=NAME`.
///
/// # Errors
/// What a server refuses that line with.
pub(super) fn name(source: &[u8], rules: &Rules) -> Result<Vec<u8>, Rejection> {
    let error = |text: &'static str| Rejection::error(text);
    let line = source
        .strip_prefix(b"#!")
        .ok_or_else(|| error("ERR Missing library metadata"))?;
    let line = line
        .split(|b| *b == b'\n')
        .next()
        .filter(|first| first.len() < line.len())
        .ok_or_else(|| error("ERR Invalid library metadata"))?;
    let joins = rules.since(NEVER, (9, 0));
    let mut words = words(line, joins).ok_or_else(|| error("ERR Invalid library metadata"))?;
    // An engine must stand right behind the mark.
    let engine = match line.first() {
        Some(b) if !is_space(*b) && !words.is_empty() => words.remove(0),
        _ => Vec::new(),
    };
    let mut name = None;
    for word in words {
        match word.split_at_checked(5) {
            Some((key, value)) if is(key, "name=") && name.is_none() => {
                name = Some(value.to_vec());
            }
            Some((key, _)) if is(key, "name=") => {
                return Err(error(
                    "ERR Invalid metadata value, name argument was given multiple times",
                ));
            }
            _ => return Err(error("ERR Invalid metadata value given")),
        }
    }
    let name = name.ok_or_else(|| error("ERR Library name was not given"))?;
    if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return Err(error(
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be \
             at least one character long",
        ));
    }
    if !is(&engine, "lua") {
        return Err(error("ERR Engine not found"));
    }
    Ok(name)
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r')
}

/// Words of a line as the servers split it, with quotes; none where a quote is not closed or closed
/// in the middle of a word. Newer servers go on behind it, as a shell does.
fn words(line: &[u8], joins: bool) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.iter().copied().peekable();
    loop {
        while rest.next_if(|b| is_space(*b)).is_some() {}
        if rest.peek().is_none_or(|b| *b == 0) {
            return Some(words);
        }
        let mut word = Vec::new();
        while let Some(b) = rest.next_if(|b| !is_space(*b) && *b != 0) {
            if b != b'"' && b != b'\'' {
                word.push(b);
                continue;
            }
            loop {
                match (rest.next()?, b) {
                    (end, quote) if end == quote => break,
                    (b'\\', b'"') => word.push(escaped(&mut rest)?),
                    (b'\\', _) if rest.peek() == Some(&b'\'') => word.extend(rest.next()),
                    (other, _) => word.push(other),
                }
            }
            if joins {
                continue;
            }
            if rest.peek().is_some_and(|b| !is_space(*b) && *b != 0) {
                return None;
            }
            break;
        }
        words.push(word);
    }
}

/// The byte behind a backslash in double quotes.
fn escaped(rest: &mut std::iter::Peekable<impl Iterator<Item = u8> + Clone>) -> Option<u8> {
    let b = rest.next()?;
    Some(match b {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        b'x' => {
            let mut ahead = rest.clone();
            let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            match (hex(ahead.next()), hex(ahead.next())) {
                (Some(high), Some(low)) => {
                    *rest = ahead;
                    (high * 16 + low) as u8
                }
                _ => b'x',
            }
        }
        other => other,
    })
}
