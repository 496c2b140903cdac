//! The longest common subsequence of two strings.

use crate::keyspace::Value;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

#[derive(Debug, Default)]
struct Options {
    len: bool,
    indexes: bool,
    with_len: bool,
    min_len: i64,
}

/// LCS, since Redis 7.0.
pub(super) fn lcs(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([one, other], words) = args.first()?;
    let (one, other) = (text(cx, one)?, text(cx, other)?);
    let mut options = Options::default();
    let mut at = 0;
    while at < words.len() {
        at += options.take(words, at)?;
    }
    answer(cx, &one, &other, &options)
}

/// STRALGO LCS of Redis 6.2.
pub(super) fn stralgo(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([name], words) = args.first()?;
    if !is(name, "lcs") {
        return Err(Rejection::syntax());
    }
    let mut options = Options::default();
    let mut strings = None;
    let mut at = 0;
    while let Some(&word) = words.get(at) {
        let keys = is(word, "keys");
        if !(keys || is(word, "strings")) {
            at += options.take(words, at)?;
            continue;
        }
        if words.len() - at <= 2 {
            return Err(Rejection::syntax());
        }
        if strings.is_some() {
            return Err(Rejection::error("ERR Either use STRINGS or KEYS"));
        }
        let (one, other) = (words.at(at + 1)?, words.at(at + 2)?);
        strings = Some(match keys {
            true => (text(cx, one)?, text(cx, other)?),
            false => (one.to_vec(), other.to_vec()),
        });
        at += 3;
    }
    let (one, other) = strings.ok_or_else(|| {
        let text = "ERR Please specify two strings: STRINGS or KEYS options are mandatory";
        Rejection::error(text)
    })?;
    answer(cx, &one, &other, &options)
}

fn text(cx: &Context<'_>, key: &[u8]) -> Result<Vec<u8>, Rejection> {
    match cx.value(key) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.to_vec()),
        Some(_) => Err(Rejection::error(
            "ERR The specified keys must contain string values",
        )),
    }
}

impl Options {
    /// Takes the word at an index, and says how many belong to it.
    fn take(&mut self, words: Args<'_>, at: usize) -> Result<usize, Rejection> {
        let word = words.at(at)?;
        if is(word, "idx") {
            self.indexes = true;
        } else if is(word, "len") {
            self.len = true;
        } else if is(word, "withmatchlen") {
            self.with_len = true;
        } else if is(word, "minmatchlen") {
            self.min_len = integer(words.at(at + 1)?)?.max(0);
            return Ok(2);
        } else {
            return Err(Rejection::syntax());
        }
        Ok(1)
    }
}

/// A stretch that both have.
struct Match {
    one: usize,
    other: usize,
    len: usize,
}

fn answer(cx: &Context<'_>, one: &[u8], other: &[u8], options: &Options) -> Outcome {
    if options.len && options.indexes {
        return Err(Rejection::error(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    let width = other.len() + 1;
    let cells = (one.len() as u64 + 1).saturating_mul(width as u64);
    if cells.saturating_mul(4) > cx.rules.longest_string && cells.saturating_mul(4) > 4096 {
        return Err(Rejection::error(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    cx.claim(cells * 4)?;
    let mut lens = vec![0u32; cells as usize];
    let cell = |lens: &[u32], i: usize, j: usize| lens.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in one.iter().enumerate() {
        for (j, b) in other.iter().enumerate() {
            let len = if a == b {
                cell(&lens, i, j) + 1
            } else {
                cell(&lens, i, j + 1).max(cell(&lens, i + 1, j))
            };
            if let Some(to) = lens.get_mut((i + 1) * width + j + 1) {
                *to = len;
            }
        }
    }
    let len = cell(&lens, one.len(), other.len());
    if options.len {
        return Ok(Reply::Int(i64::from(len)));
    }
    // Back from the end, stretch by stretch.
    let mut common = Vec::with_capacity(len as usize);
    let mut matches = Vec::new();
    let mut open: Option<Match> = None;
    let (mut i, mut j) = (one.len(), other.len());
    while i > 0 && j > 0 {
        let a = one.get(i - 1);
        if a == other.get(j - 1) {
            common.extend(a);
            (i, j) = (i - 1, j - 1);
            let len = open.take().map_or(0, |open| open.len) + 1;
            open = Some(Match {
                one: i,
                other: j,
                len,
            });
        } else {
            matches.extend(open.take());
            if cell(&lens, i - 1, j) > cell(&lens, i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }
    matches.extend(open);
    if !options.indexes {
        common.reverse();
        return Ok(Reply::Bulk(common));
    }
    let range =
        |at: usize, len: usize| Reply::Array(vec![Reply::count(at), Reply::count(at + len - 1)]);
    let long = matches
        .iter()
        .filter(|found| found.len as i64 >= options.min_len);
    let told = long.map(|found| {
        let mut told = vec![range(found.one, found.len), range(found.other, found.len)];
        if options.with_len {
            told.push(Reply::count(found.len));
        }
        Reply::Array(told)
    });
    Ok(Reply::Array(vec![
        Reply::Bulk(b"matches".to_vec()),
        Reply::Array(told.collect()),
        Reply::Bulk(b"len".to_vec()),
        Reply::Int(i64::from(len)),
    ]))
}
