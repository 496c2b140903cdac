//! Typed access to a command's arguments.

use std::ops::Deref;

use crate::bytes::number::{parse_canonical_i64, parse_double};
use crate::replay::reply::Rejection;

/// The arguments of a command behind its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Args<'a>(&'a [&'a [u8]]);

impl<'a> Args<'a> {
    /// These arguments.
    #[inline]
    pub(super) fn new(args: &'a [&'a [u8]]) -> Self {
        Args(args)
    }

    /// All of them, which must be so many.
    ///
    /// # Errors
    /// A syntax error for another number.
    #[inline]
    pub(super) fn exactly<const N: usize>(self) -> Result<[&'a [u8]; N], Rejection> {
        self.0.try_into().map_err(|_| Rejection::syntax())
    }

    /// The first few and the rest.
    ///
    /// # Errors
    /// A syntax error where there are fewer.
    #[inline]
    pub(super) fn first<const N: usize>(self) -> Result<([&'a [u8]; N], Args<'a>), Rejection> {
        match self.0.split_first_chunk::<N>() {
            Some((first, rest)) => Ok((*first, Args(rest))),
            None => Err(Rejection::syntax()),
        }
    }

    /// The argument at an index, from 0.
    ///
    /// # Errors
    /// A syntax error where there is none.
    #[inline]
    pub(super) fn at(self, index: usize) -> Result<&'a [u8], Rejection> {
        self.0.get(index).copied().ok_or_else(Rejection::syntax)
    }

    /// Those from an index on.
    #[inline]
    pub(super) fn from(self, index: usize) -> Args<'a> {
        Args(self.0.get(index..).unwrap_or_default())
    }

    /// Those before an index.
    #[inline]
    pub(super) fn until(self, index: usize) -> Args<'a> {
        Args(self.0.get(..index).unwrap_or(self.0))
    }

    /// As a slice that lives as long as the arguments.
    #[inline]
    pub(super) fn slice(self) -> &'a [&'a [u8]] {
        self.0
    }

    /// Pairs of arguments.
    ///
    /// # Errors
    /// A syntax error for an odd number.
    #[inline]
    pub(super) fn pairs(self) -> Result<&'a [[&'a [u8]; 2]], Rejection> {
        let (pairs, rest) = self.0.as_chunks::<2>();
        rest.is_empty()
            .then_some(pairs)
            .ok_or_else(Rejection::syntax)
    }
}

impl<'a> Deref for Args<'a> {
    type Target = [&'a [u8]];

    #[inline]
    fn deref(&self) -> &[&'a [u8]] {
        self.0
    }
}

/// Reads an integer as commands take it: no plus sign, no leading zero, no space.
///
/// # Errors
/// It is none, or beyond 64 bits.
#[inline]
pub(super) fn integer(text: &[u8]) -> Result<i64, Rejection> {
    parse_canonical_i64(text).ok_or_else(Rejection::not_an_integer)
}

/// Reads a double as commands take it, infinities included; NaN is refused.
///
/// # Errors
/// It is none. Hexadecimal is the caller's to refuse, where the server does.
#[inline]
pub(super) fn double(text: &[u8]) -> Result<f64, Rejection> {
    match parse_double(text) {
        Some(value) if !value.is_nan() => Ok(value),
        _ => Err(Rejection::not_a_float()),
    }
}

/// Whether a word of an argument is this one, in any case.
#[inline]
pub(super) fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
