//! Values of scripts and answers of commands, from one to the other.

use mlua::{Lua, Table, Value};

use super::host::{Fail, Run, bytes_of};
use super::number::to_long;
use crate::bytes::number::{ScoreText, write_double};
use crate::replay::reply::{Outcome, Rejection, Reply};

/// Tables in tables of what a script gives; servers answer deeper ones with an error too.
const DEPTH: usize = 1000;

/// How an answer looks in RESP3 where it is an array or a string in RESP2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The same.
    Plain,
    /// Names and values in turn.
    Map,
    /// Elements that stand once.
    Set,
    /// A double.
    Double,
    /// Members and their scores in turn, each two of which are an array.
    Scores,
    /// Names and values in turn, each two of which are an array.
    Pairs,
    /// A member and its score.
    Popped,
    /// Streams with their entries.
    Streams,
}

/// A table of strings.
pub(super) fn array(lua: &Lua, strings: &[&[u8]]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (n, string) in strings.iter().enumerate() {
        table.raw_set(n + 1, lua.create_string(string)?)?;
    }
    Ok(table)
}

/// An answer as a script sees it.
pub(super) fn from_reply(lua: &Lua, reply: Reply, resp3: Option<Shape>) -> mlua::Result<Value> {
    let nothing = match resp3 {
        Some(_) => Value::Nil,
        None => Value::Boolean(false),
    };
    let field = |name: &str, text: &[u8]| {
        let table = lua.create_table()?;
        table.raw_set(name, lua.create_string(text)?)?;
        Ok(Value::Table(table))
    };
    match (reply, resp3) {
        (Reply::Nil | Reply::NilArray, _) => Ok(nothing),
        (Reply::Status(text), _) => field("ok", text.as_bytes()),
        (Reply::Said(text), _) => field("ok", text.as_bytes()),
        (Reply::Error(text), _) => field("err", text.as_bytes()),
        (Reply::Int(n), _) => Ok(Value::Integer(n)),
        (Reply::Bulk(text), Some(Shape::Double)) => {
            let double = super::number::strtod(&text).map_or(0.0, |(double, _)| double);
            let table = lua.create_table()?;
            table.raw_set("double", double)?;
            Ok(Value::Table(table))
        }
        (Reply::Bulk(text), _) => Ok(Value::String(lua.create_string(&text)?)),
        (Reply::Array(items), Some(shape @ (Shape::Map | Shape::Set))) => {
            let (table, inner) = (lua.create_table()?, lua.create_table()?);
            let mut items = items.into_iter();
            while let Some(item) = items.next() {
                let key = from_reply(lua, item, Some(Shape::Plain))?;
                let value = match (shape, items.as_slice().is_empty()) {
                    (Shape::Map, false) => {
                        let value = items.next().unwrap_or(Reply::Nil);
                        from_reply(lua, value, Some(Shape::Plain))?
                    }
                    _ => Value::Boolean(true),
                };
                inner.raw_set(key, value)?;
            }
            table.raw_set(if shape == Shape::Map { "map" } else { "set" }, inner)?;
            Ok(Value::Table(table))
        }
        (Reply::Array(items), Some(shape @ (Shape::Scores | Shape::Pairs | Shape::Popped))) => {
            let table = lua.create_table()?;
            let mut at = 0;
            let mut items = items.into_iter();
            while let (Some(member), Some(score)) = (items.next(), items.next()) {
                let member = from_reply(lua, member, Some(Shape::Plain))?;
                let what = match shape {
                    Shape::Pairs => Shape::Plain,
                    _ => Shape::Double,
                };
                let score = from_reply(lua, score, Some(what))?;
                if shape == Shape::Popped {
                    table.raw_set(at + 1, member)?;
                    table.raw_set(at + 2, score)?;
                    at += 2;
                } else {
                    let pair = lua.create_table()?;
                    pair.raw_set(1, member)?;
                    pair.raw_set(2, score)?;
                    at += 1;
                    table.raw_set(at, pair)?;
                }
            }
            Ok(Value::Table(table))
        }
        (Reply::Array(items), Some(Shape::Streams)) => {
            let (table, inner) = (lua.create_table()?, lua.create_table()?);
            for item in items {
                let Reply::Array(pair) = item else { continue };
                let mut pair = pair.into_iter();
                if let (Some(name), Some(entries)) = (pair.next(), pair.next()) {
                    let name = from_reply(lua, name, Some(Shape::Plain))?;
                    inner.raw_set(name, from_reply(lua, entries, Some(Shape::Plain))?)?;
                }
            }
            table.raw_set("map", inner)?;
            Ok(Value::Table(table))
        }
        (Reply::Array(items), shape) => {
            let table = lua.create_table()?;
            for (n, item) in items.into_iter().enumerate() {
                table.raw_set(n + 1, from_reply(lua, item, shape)?)?;
            }
            Ok(Value::Table(table))
        }
    }
}

/// What a script raised, with the code that the answer begins with.
pub(super) fn raised(value: &Value, modern: bool) -> String {
    let text =
        |value: &Value| bytes_of(value).map(|text| one_line(&String::from_utf8_lossy(&text)));
    if let Value::Table(table) = value {
        let field = table.raw_get::<Value>("err").unwrap_or(Value::Nil);
        return text(&field).unwrap_or_else(|| "ERR".to_owned());
    }
    let text = text(value).unwrap_or_else(|| value.type_name().to_owned());
    if modern { format!("ERR {text}") } else { text }
}

/// Whether an error is a table that says nothing.
pub(super) fn is_wordless(value: &Value) -> bool {
    let Value::Table(table) = value else {
        return false;
    };
    let field = table.raw_get::<Value>("err").unwrap_or(Value::Nil);
    bytes_of(&field).is_none()
}

/// The error that a script gives as a table.
pub(super) fn error_in(value: &Value) -> Option<String> {
    let Value::Table(table) = value else {
        return None;
    };
    match table.raw_get::<Value>("err") {
        Ok(Value::String(text)) => Some(one_line(&text.to_string_lossy())),
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// What a script gives, as an answer. Its length is paid for: a table may hold itself.
pub(super) fn reply(run: &Run, value: &Value, resp3: bool, depth: usize) -> Outcome {
    if let Err(Fail::End(why)) = run.spend(1) {
        return Err(why);
    }
    Ok(match value {
        Value::String(text) => Reply::Bulk(text.as_bytes().to_vec()),
        // To a client of RESP2, as all here are.
        Value::Boolean(true) => Reply::Int(1),
        Value::Boolean(false) if resp3 => Reply::Int(0),
        Value::Integer(n) => Reply::Int(*n),
        Value::Number(n) => Reply::Int(to_long(*n)),
        Value::Table(_) if depth >= DEPTH => Reply::Error("ERR reached lua stack limit".to_owned()),
        Value::Table(table) => {
            return of_table(run, table, resp3, depth).map_err(|error| match error {
                Fail::End(why) => why,
                _ => Rejection::unplayable("what a script gives cannot be read"),
            });
        }
        _ => Reply::Nil,
    })
}

fn of_table(run: &Run, table: &Table, resp3: bool, depth: usize) -> Result<Reply, Fail> {
    let inner = |value: &Value| reply(run, value, resp3, depth + 1).map_err(Fail::End);
    if let Value::String(text) = table.raw_get::<Value>("err")? {
        return Ok(Reply::Error(text.to_string_lossy()));
    }
    if let Value::String(text) = table.raw_get::<Value>("ok")? {
        let text = one_line(&text.to_string_lossy());
        return Ok(if text == "OK" {
            Reply::OK
        } else {
            Reply::Said(text)
        });
    }
    if let value @ (Value::Integer(_) | Value::Number(_)) = table.raw_get::<Value>("double")? {
        let value = value.as_number().or(value.as_integer().map(|n| n as f64));
        let mut text = Vec::new();
        write_double(&mut text, value.unwrap_or(0.0), ScoreText::Grisu2);
        return Ok(Reply::Bulk(text));
    }
    if let Value::Table(map) = table.raw_get::<Value>("map")? {
        let mut items = Vec::new();
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            items.extend([inner(&key)?, inner(&value)?]);
        }
        return Ok(Reply::Array(items));
    }
    if let Value::Table(set) = table.raw_get::<Value>("set")? {
        let mut items = Vec::new();
        for pair in set.pairs::<Value, Value>() {
            items.push(inner(&pair?.0)?);
        }
        return Ok(Reply::Array(items));
    }
    let mut items = Vec::new();
    for index in 1i64.. {
        match table.raw_get::<Value>(index)? {
            Value::Nil => break,
            value => items.push(inner(&value)?),
        }
    }
    Ok(Reply::Array(items))
}
