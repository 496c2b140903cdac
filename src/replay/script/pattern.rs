//! Lua's pattern matching, bounded in steps and depth.
//!
//! The C library matches without either bound, so that a short script can keep it busy for ever or
//! run it out of stack. What matches, and every error, is as there. A pattern ends at its first
//! zero byte, which the C library takes for its end.

use super::host::Fail;
use crate::replay::reply::Rejection;

/// Most captures of a pattern.
const CAPTURES: usize = 32;

/// Parts of a pattern that may wait for what follows them; the C library has no bound.
const DEPTH: u32 = 2000;

/// Characters that make a pattern more than a text.
const SPECIAL: &[u8] = b"^$*+?.([%-";

/// What was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// From a position to another one.
    Text(usize, usize),
    /// A position, counted from 0.
    Position(usize),
    /// One that was never closed.
    Open(usize),
}

/// A search for a pattern in a text.
pub(super) struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; CAPTURES],
    level: usize,
    steps: u64,
    limit: u64,
    depth: u32,
}

type Step = Result<Option<usize>, Fail>;

impl<'a> Matcher<'a> {
    /// Searches with at most so many steps.
    pub(super) fn new(text: &'a [u8], pattern: &'a [u8], limit: u64) -> Self {
        Matcher {
            text,
            pattern: until_zero(pattern),
            captures: [Capture::Open(0); CAPTURES],
            level: 0,
            steps: 0,
            limit,
            depth: 0,
        }
    }

    /// Steps that were taken.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes away a `^` that binds the pattern to where the search starts.
    pub(super) fn anchor(&mut self) -> bool {
        match self.pattern.strip_prefix(b"^") {
            Some(rest) => {
                self.pattern = rest;
                true
            }
            None => false,
        }
    }

    /// The end of a match that starts here.
    pub(super) fn at(&mut self, start: usize) -> Step {
        self.level = 0;
        self.depth = 0;
        self.run(start, 0)
    }

    /// The first match that starts here or behind.
    pub(super) fn from(&mut self, start: usize) -> Result<Option<(usize, usize)>, Fail> {
        for start in start..=self.text.len() {
            if let Some(end) = self.at(start)? {
                return Ok(Some((start, end)));
            }
        }
        Ok(None)
    }

    /// What a match captured.
    ///
    /// # Errors
    /// One was never closed.
    pub(super) fn captures(&self) -> Result<&[Capture], Fail> {
        let captures = self.captures.get(..self.level).unwrap_or(&[]);
        let open = |capture: &Capture| matches!(capture, Capture::Open(_));
        match captures.iter().any(open) {
            true => Err(Fail::text("unfinished capture")),
            false => Ok(captures),
        }
    }

    fn p(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    fn spend(&mut self) -> Result<(), Fail> {
        self.steps += 1;
        if self.steps > self.limit {
            return Err(Fail::End(Rejection::unplayable(
                "a script matches a pattern that takes too many steps",
            )));
        }
        Ok(())
    }

    fn run(&mut self, s: usize, p: usize) -> Step {
        if self.depth >= DEPTH {
            return Err(Fail::End(Rejection::unplayable(
                "a script matches a pattern of too many parts",
            )));
        }
        self.depth += 1;
        let result = self.steps_of(s, p);
        self.depth -= 1;
        result
    }

    fn steps_of(&mut self, mut s: usize, mut p: usize) -> Step {
        loop {
            self.spend()?;
            match self.p(p) {
                b'(' => return self.open(s, p + 1),
                b')' => return self.close(s, p + 1),
                0 => return Ok(Some(s)),
                b'$' if self.p(p + 1) == 0 => {
                    return Ok((s == self.text.len()).then_some(s));
                }
                b'%' => match self.p(p + 1) {
                    b'b' => {
                        let Some(end) = self.balanced(s, p + 2)? else {
                            return Ok(None);
                        };
                        (s, p) = (end, p + 4);
                        continue;
                    }
                    b'f' => {
                        let Some(next) = self.frontier(s, p + 2)? else {
                            return Ok(None);
                        };
                        p = next;
                        continue;
                    }
                    digit @ b'0'..=b'9' => {
                        let Some(end) = self.again(s, digit)? else {
                            return Ok(None);
                        };
                        (s, p) = (end, p + 2);
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            let end = self.class_end(p)?;
            let fits = self.fits(s, p, end);
            match self.p(end) {
                b'?' => {
                    if fits && let Some(found) = self.run(s + 1, end + 1)? {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                b'*' => return self.most(s, p, end),
                b'+' => {
                    return if fits {
                        self.most(s + 1, p, end)
                    } else {
                        Ok(None)
                    };
                }
                b'-' => return self.fewest(s, p, end),
                _ if !fits => return Ok(None),
                _ => (s, p) = (s + 1, end),
            }
        }
    }

    /// As many as there are, and then fewer.
    fn most(&mut self, s: usize, p: usize, end: usize) -> Step {
        let mut count = 0;
        while self.fits(s + count, p, end) {
            self.spend()?;
            count += 1;
        }
        loop {
            if let Some(found) = self.run(s + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    /// As few as will do.
    fn fewest(&mut self, mut s: usize, p: usize, end: usize) -> Step {
        loop {
            if let Some(found) = self.run(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.fits(s, p, end) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize) -> Step {
        let (capture, p) = match self.p(p) {
            b')' => (Capture::Position(s), p + 1),
            _ => (Capture::Open(s), p),
        };
        let level = self.level;
        let Some(slot) = self.captures.get_mut(level) else {
            return Err(Fail::text("too many captures"));
        };
        *slot = capture;
        self.level = level + 1;
        let found = self.run(s, p)?;
        if found.is_none() {
            self.level -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, s: usize, p: usize) -> Step {
        let captures = self.captures.get_mut(..self.level).unwrap_or_default();
        let open = captures.iter().rposition(|c| matches!(c, Capture::Open(_)));
        let Some((at, Capture::Open(start))) = open.and_then(|at| Some((at, *captures.get(at)?)))
        else {
            return Err(Fail::text("invalid pattern capture"));
        };
        self.set(at, Capture::Text(start, s));
        let found = self.run(s, p)?;
        if found.is_none() {
            self.set(at, Capture::Open(start));
        }
        Ok(found)
    }

    fn set(&mut self, at: usize, capture: Capture) {
        if let Some(slot) = self.captures.get_mut(at) {
            *slot = capture;
        }
    }

    /// The text of an earlier capture once more.
    fn again(&mut self, s: usize, digit: u8) -> Step {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = index
            .filter(|index| *index < self.level)
            .and_then(|index| self.captures.get(index));
        match capture {
            Some(Capture::Text(from, to)) => {
                let text = self.text.get(*from..*to).unwrap_or_default();
                let rest = self.text.get(s..).unwrap_or_default();
                Ok(rest.starts_with(text).then_some(s + text.len()))
            }
            // A position has a length that no rest of a text has.
            Some(Capture::Position(_)) => Ok(None),
            _ => Err(Fail::text("invalid capture index")),
        }
    }

    fn balanced(&mut self, s: usize, p: usize) -> Step {
        let (open, close) = (self.p(p), self.p(p + 1));
        if open == 0 || close == 0 {
            return Err(Fail::text("unbalanced pattern"));
        }
        if self.text.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut deep = 1usize;
        let mut at = s + 1;
        while let Some(byte) = self.text.get(at).copied() {
            self.spend()?;
            if byte == close {
                deep -= 1;
                if deep == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == open {
                deep += 1;
            }
            at += 1;
        }
        Ok(None)
    }

    /// Where the pattern goes on if here is the border of a set.
    fn frontier(&mut self, s: usize, p: usize) -> Step {
        if self.p(p) != b'[' {
            return Err(Fail::text("missing '[' after '%f' in pattern"));
        }
        let end = self.class_end(p)?;
        let before = s.checked_sub(1).and_then(|at| self.text.get(at));
        let before = before.copied().unwrap_or(0);
        let here = self.text.get(s).copied().unwrap_or(0);
        let border = !self.in_set(before, p, end - 1) && self.in_set(here, p, end - 1);
        Ok(border.then_some(end))
    }

    /// Where a class of characters ends.
    fn class_end(&self, p: usize) -> Result<usize, Fail> {
        match self.p(p) {
            b'%' if self.p(p + 1) == 0 => Err(Fail::text("malformed pattern (ends with '%')")),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1;
                if self.p(at) == b'^' {
                    at += 1;
                }
                loop {
                    let byte = self.p(at);
                    if byte == 0 {
                        return Err(Fail::text("malformed pattern (missing ']')"));
                    }
                    at += 1;
                    if byte == b'%' && self.p(at) != 0 {
                        at += 1;
                    }
                    if self.p(at) == b']' {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn fits(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(byte) = self.text.get(s).copied() else {
            return false;
        };
        match self.p(p) {
            b'.' => true,
            b'%' => in_class(byte, self.p(p + 1)),
            b'[' => self.in_set(byte, p, end - 1),
            literal => literal == byte,
        }
    }

    /// Whether a byte is in the set from the bracket at `p` to that at `last`.
    fn in_set(&self, byte: u8, p: usize, last: usize) -> bool {
        let mut at = p + 1;
        let wanted = self.p(at) != b'^';
        if !wanted {
            at += 1;
        }
        while at < last {
            let from = self.p(at);
            if from == b'%' {
                at += 1;
                if in_class(byte, self.p(at)) {
                    return wanted;
                }
            } else if self.p(at + 1) == b'-' && at + 2 < last {
                at += 2;
                if (from..=self.p(at)).contains(&byte) {
                    return wanted;
                }
            } else if from == byte {
                return wanted;
            }
            at += 1;
        }
        !wanted
    }
}

/// A pattern as the C library sees it.
pub(super) fn until_zero(pattern: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
    pattern.get(..end).unwrap_or(pattern)
}

/// Whether a pattern is just a text.
pub(super) fn is_plain(pattern: &[u8]) -> bool {
    !until_zero(pattern).iter().any(|b| SPECIAL.contains(b))
}

fn in_class(byte: u8, class: u8) -> bool {
    let within = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => super::number::is_space(byte),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    within != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, pattern: &str) -> Option<(usize, usize)> {
        Matcher::new(text.as_bytes(), pattern.as_bytes(), 1 << 20)
            .from(0)
            .unwrap()
    }

    #[test]
    fn a_pattern_that_would_never_end_is_refused() {
        let text = "a".repeat(100);
        let pattern = format!("{}b", "a*".repeat(20));
        let mut matcher = Matcher::new(text.as_bytes(), pattern.as_bytes(), 100_000);
        assert!(matches!(matcher.from(0), Err(Fail::End(_))));
    }

    #[test]
    fn a_pattern_of_very_many_parts_is_refused() {
        let pattern = "a?".repeat(1 << 20);
        let text = "a".repeat(1 << 20);
        let mut matcher = Matcher::new(text.as_bytes(), pattern.as_bytes(), u64::MAX);
        assert!(matches!(matcher.at(0), Err(Fail::End(_))));
    }

    #[test]
    fn repeated_items_and_sets() {
        assert_eq!(find("hello", "l+"), Some((2, 4)));
        assert_eq!(find("hello", "[^h-l]"), Some((1, 2)));
        assert_eq!(find("(a(b)c)", "%b()"), Some((0, 7)));
        assert_eq!(find("THE (quick)", "%f[%a]%a+"), Some((0, 3)));
        assert_eq!(find("x]y", "[]]"), Some((1, 2)));
        assert_eq!(find("abab", "(ab)%1$"), Some((0, 4)));
        assert_eq!(find("abc", "b-c"), Some((1, 3)));
        assert_eq!(find("abc", "d"), None);
    }
}
