//! The words behind SET, GETEX and MSETEX.

use crate::keyspace::{NEVER, Rules};
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::Rejection;

/// What they ask for.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    /// Only where there is no such key.
    pub(super) if_missing: bool,
    /// Only where there is one.
    pub(super) if_there: bool,
    /// Only where there is one with this value.
    pub(super) if_equal: Option<&'a [u8]>,
    /// The answer is what was there.
    pub(super) get: bool,
    pub(super) ttl: Ttl<'a>,
}

/// What they say of the expiry, unread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Ttl<'a> {
    /// Nothing.
    #[default]
    None,
    Keep,
    Persist,
    Seconds(&'a [u8]),
    Milliseconds(&'a [u8]),
    AtSeconds(&'a [u8]),
    AtMilliseconds(&'a [u8]),
}

/// The same, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Never,
    Keep,
    /// In so many milliseconds.
    In(i64),
    /// Unix ms.
    At(i64),
}

impl<'a> Options<'a> {
    pub(super) fn of_set(words: Args<'a>, rules: &Rules) -> Result<Self, Rejection> {
        let mut options = Options::default();
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            let conditional = options.if_equal.is_some();
            let six = !rules.since((7, 0), (0, 0));
            let no_missing = options.if_there || conditional || (six && options.get);
            if is(word, "nx") && !no_missing {
                options.if_missing = true;
            } else if is(word, "xx") && !options.if_missing && !conditional {
                options.if_there = true;
            } else if is(word, "get") && !(six && options.if_missing) {
                options.get = true;
            } else if is(word, "ifeq")
                && rules.since(NEVER, (8, 1))
                && !(options.if_missing || options.if_there || conditional)
            {
                at += 1;
                options.if_equal = Some(words.at(at)?);
            } else if is(word, "persist") {
                return Err(Rejection::syntax());
            } else {
                at += options.ttl.take(word, words.get(at + 1).copied())?;
            }
            at += 1;
        }
        Ok(options)
    }

    pub(super) fn of_getex(words: Args<'a>) -> Result<Ttl<'a>, Rejection> {
        let mut ttl = Ttl::None;
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            if is(word, "keepttl") {
                return Err(Rejection::syntax());
            }
            at += 1 + ttl.take(word, words.get(at + 1).copied())?;
        }
        Ok(ttl)
    }

    pub(super) fn of_msetex(words: Args<'a>) -> Result<Self, Rejection> {
        let mut options = Options::default();
        let mut at = 0;
        while let Some(&word) = words.get(at) {
            if is(word, "nx") && !options.if_there {
                options.if_missing = true;
            } else if is(word, "xx") && !options.if_missing {
                options.if_there = true;
            } else if is(word, "persist") {
                return Err(Rejection::syntax());
            } else {
                at += options.ttl.take(word, words.get(at + 1).copied())?;
            }
            at += 1;
        }
        Ok(options)
    }

    /// Whether it matters what is there.
    pub(super) fn looks(&self) -> bool {
        self.get || self.if_missing || self.needs_one()
    }

    /// Whether it does nothing where it finds nothing.
    pub(super) fn needs_one(&self) -> bool {
        self.if_there || self.if_equal.is_some()
    }
}

impl<'a> Ttl<'a> {
    /// Takes a word of expiry, and says how many arguments belong to it. The same may be said
    /// again, nothing else.
    fn take(&mut self, word: &[u8], time: Option<&'a [u8]>) -> Result<usize, Rejection> {
        let time_of = || time.ok_or_else(Rejection::syntax);
        let (ttl, args) = if is(word, "keepttl") {
            (Ttl::Keep, 0)
        } else if is(word, "persist") {
            (Ttl::Persist, 0)
        } else if is(word, "ex") {
            (Ttl::Seconds(time_of()?), 1)
        } else if is(word, "px") {
            (Ttl::Milliseconds(time_of()?), 1)
        } else if is(word, "exat") {
            (Ttl::AtSeconds(time_of()?), 1)
        } else if is(word, "pxat") {
            (Ttl::AtMilliseconds(time_of()?), 1)
        } else {
            return Err(Rejection::syntax());
        };
        let same = std::mem::discriminant(self) == std::mem::discriminant(&ttl);
        if !same && !matches!(self, Ttl::None) {
            return Err(Rejection::syntax());
        }
        *self = ttl;
        Ok(args)
    }

    /// Reads the time.
    pub(super) fn when(self, cx: &Context<'_>, name: &str) -> Result<When, Rejection> {
        let (text, seconds, relative) = match self {
            Ttl::None | Ttl::Persist => return Ok(When::Never),
            Ttl::Keep => return Ok(When::Keep),
            Ttl::Seconds(text) => (text, true, true),
            Ttl::Milliseconds(text) => (text, false, true),
            Ttl::AtSeconds(text) => (text, true, false),
            Ttl::AtMilliseconds(text) => (text, false, false),
        };
        let time = integer(text)?;
        let ms = if seconds {
            time.checked_mul(1000)
        } else {
            Some(time)
        };
        let now = cx.time.filter(|_| relative).unwrap_or(0);
        match ms.filter(|ms| *ms > 0 && ms.checked_add(now).is_some()) {
            Some(ms) if relative => Ok(When::In(ms)),
            Some(ms) => Ok(When::At(ms)),
            None => Err(Rejection::error(if cx.rules.since((7, 0), (0, 0)) {
                format!("ERR invalid expire time in '{name}' command")
            } else {
                format!("ERR invalid expire time in {name}")
            })),
        }
    }
}
