//! The server's key pattern matching, as in `KEYS` and `SCAN MATCH` (`stringmatchlen`).
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any bytes, or none |
//! | `?` | any one byte |
//! | `[abc]` | one of these bytes |
//! | `[a-z]` | one byte of the range; `[z-a]` is the same range |
//! | `[^a-z]` | one byte that is none of these |
//! | `\x` | the byte `x`, also in brackets |
//! | anything else | itself |
//!
//! Patterns and keys are bytes: `?` is one byte, not one character, and case matters. No pattern
//! is an error. What the server makes of the odd ones:
//!
//! * Brackets that are not closed end where the pattern does: `[ab` is `[ab]`.
//! * `[]` matches no byte and `[^]` every byte: a `]` closes, also as the first in the brackets.
//! * A range takes the byte after its `-`, whatever that is: in `[a-]` the range is `]` to `a`, and
//!   the brackets stay open. `-` is itself at the start, or as the last byte of the pattern.
//! * The bytes of a range are signed, as the server's are on x86 (not on ARM): with 80 to ff at one
//!   end and an ASCII byte at the other, a range runs through ff and 00.
//! * An escaped byte starts no range: `[\a-z]` is one of `a`, `-` and `z`. In `[a-\z]` the range
//!   ends with the backslash.
//! * A backslash at the end of a pattern is a backslash.
//! * The key of no bytes is matched by the pattern of no bytes and by `*`, which the commands that
//!   take a pattern do not hand to the matcher; but not by `**`.
//! * A pattern of more than 1000 stars matches nothing; several in a row are one, and one at the
//!   end does not count.

use memchr::memmem::Finder;

/// How deep the server's matcher goes, one level for every star but one at the end. Versions
/// without the fix of CVE-2024-31228 have no limit.
const MAX_STARS: usize = 1000;

/// A compiled pattern.
///
/// A stretch between two stars is looked for once: where it fits first is as good as any later
/// place, for it leaves the most to what follows. So the worst pattern takes time proportional to
/// the length of the key times that of its longest stretch, and where the stretches have no `?`
/// and no brackets, to the length of the key alone.
///
/// ```
/// use redkit::record::glob::Glob;
/// let glob = Glob::new(b"user:[0-9]*:name");
/// assert!(glob.matches(b"user:1000:name"));
/// assert!(!glob.matches(b"user:x:name"));
/// ```
#[derive(Clone, Debug)]
pub struct Glob {
    /// What stands before the first star.
    head: Segment,
    /// What stands after it; `None` without a star.
    open: Option<Open>,
}

/// The part of a pattern from its first star on.
#[derive(Clone, Debug)]
struct Open {
    middle: Vec<Segment>,
    /// What stands behind the last star.
    tail: Segment,
    /// The pattern is `*` and nothing else.
    matches_no_bytes: bool,
    /// There are too many stars for the server.
    matches_nothing: bool,
}

impl Glob {
    /// Compiles a pattern. Every pattern is valid.
    #[must_use]
    pub fn new(pattern: &[u8]) -> Self {
        let mut segments = vec![Vec::new()];
        let mut stars = false;
        let mut rest = pattern;
        while let Some((token, after)) = Token::parse(rest) {
            rest = after;
            match (token, segments.last_mut()) {
                (Some(token), Some(segment)) => segment.push(token),
                // Of several stars in a row the first is as good as all.
                (None, Some(segment)) if stars && segment.is_empty() => {}
                (None, _) => {
                    segments.push(Vec::new());
                    stars = true;
                }
                (Some(_), None) => {} // there is a segment from the start
            }
        }

        let tail = if stars { segments.pop() } else { None };
        let mut segments = segments.into_iter().map(Segment::new);
        let head = segments.next().unwrap_or_else(|| Segment::new(Vec::new()));
        let open = tail.map(|tail| {
            let middle: Vec<_> = segments.collect();
            Open {
                matches_no_bytes: pattern == b"*",
                matches_nothing: middle.len() + usize::from(!tail.is_empty()) > MAX_STARS,
                middle,
                tail: Segment::new(tail),
            }
        });
        Self { head, open }
    }

    /// Whether the pattern matches all of `key`.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        let Some(open) = &self.open else {
            return key.len() == self.head.len() && self.head.fits(key);
        };
        if key.is_empty() || open.matches_nothing {
            return open.matches_no_bytes;
        }
        let Some((start, rest)) = key.split_at_checked(self.head.len()) else {
            return false;
        };
        let Some(before_tail) = rest.len().checked_sub(open.tail.len()) else {
            return false;
        };
        let Some((mut rest, end)) = rest.split_at_checked(before_tail) else {
            return false;
        };
        self.head.fits(start)
            && open.tail.fits(end)
            && open.middle.iter().all(|segment| {
                let after = segment
                    .find(rest)
                    .and_then(|at| rest.get(at + segment.len()..));
                rest = after.unwrap_or_default();
                after.is_some()
            })
    }
}

/// A stretch of a pattern without stars: it fits a certain number of bytes.
#[derive(Clone, Debug)]
enum Segment {
    Literal(Box<Finder<'static>>),
    Tokens(Vec<Token>),
}

impl Segment {
    fn new(tokens: Vec<Token>) -> Self {
        let byte = |token: &Token| match token {
            Token::Byte(byte) => Some(*byte),
            _ => None,
        };
        match tokens.iter().map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) => Self::Literal(Box::new(Finder::new(&bytes).into_owned())),
            None => Self::Tokens(tokens),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Literal(finder) => finder.needle().len(),
            Self::Tokens(tokens) => tokens.len(),
        }
    }

    /// Whether the segment fits `bytes`, which are [`len`](Self::len) long.
    fn fits(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Literal(finder) => finder.needle() == bytes,
            Self::Tokens(tokens) => tokens
                .iter()
                .zip(bytes)
                .all(|(token, byte)| token.fits(*byte)),
        }
    }

    /// Where in `bytes` the segment fits first.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Literal(finder) => finder.find(bytes),
            Self::Tokens(tokens) => bytes
                .windows(tokens.len()) // not empty, that is a literal
                .position(|window| self.fits(window)),
        }
    }
}

/// What fits one byte.
#[derive(Clone, Debug)]
enum Token {
    Byte(u8),
    Any,
    /// Bit `b % 64` of word `b / 64` stands for the byte `b`.
    OneOf(Box<[u64; 4]>),
}

impl Token {
    /// Takes a token, or `None` for a star, from a pattern that is not at its end.
    fn parse(pattern: &[u8]) -> Option<(Option<Self>, &[u8])> {
        Some(match pattern {
            [] => return None,
            [b'*', rest @ ..] => (None, rest),
            [b'?', rest @ ..] => (Some(Self::Any), rest),
            [b'[', b'^', rest @ ..] => {
                let (set, rest) = parse_set(rest);
                (Some(Self::OneOf(Box::new(set.map(|word| !word)))), rest)
            }
            [b'[', rest @ ..] => {
                let (set, rest) = parse_set(rest);
                (Some(Self::OneOf(Box::new(set))), rest)
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => (Some(Self::Byte(*byte)), rest),
        })
    }

    fn fits(&self, byte: u8) -> bool {
        match self {
            Self::Byte(expected) => *expected == byte,
            Self::Any => true,
            Self::OneOf(set) => {
                let word = set.get(usize::from(byte / 64)).copied().unwrap_or(0);
                word >> (byte % 64) & 1 == 1
            }
        }
    }
}

/// Takes what stands in brackets, and the bracket that closes them if there is one.
fn parse_set(mut pattern: &[u8]) -> ([u64; 4], &[u8]) {
    let mut set = [0; 4];
    // The server compares `char`s, which on x86 run from 80 through ff and 00 to 7f.
    let mut add = |first: u8, last: u8| {
        let (first, last) = (first.cast_signed(), last.cast_signed());
        for byte in first.min(last)..=first.max(last) {
            let byte = byte.cast_unsigned();
            if let Some(word) = set.get_mut(usize::from(byte / 64)) {
                *word |= 1 << (byte % 64);
            }
        }
    };
    loop {
        pattern = match pattern {
            [] => break,
            [b'\\', byte, rest @ ..] => {
                add(*byte, *byte);
                rest
            }
            [b']', rest @ ..] => {
                pattern = rest;
                break;
            }
            [first, b'-', last, rest @ ..] => {
                add(*first, *last);
                rest
            }
            [byte, rest @ ..] => {
                add(*byte, *byte);
                rest
            }
        };
    }
    (set, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules once more, as plainly as can be: a star tries every length. `None` when it took
    /// too many steps.
    fn reference(pattern: &[u8], key: &[u8], steps: &mut u32) -> Option<bool> {
        *steps = steps.checked_sub(1)?;
        let Some((&first, mut rest)) = pattern.split_first() else {
            return Some(key.is_empty());
        };
        if first == b'*' {
            for skipped in 0..=key.len() {
                if reference(rest, &key[skipped..], steps)? {
                    return Some(true);
                }
            }
            return Some(false);
        }
        let Some((&byte, key)) = key.split_first() else {
            return Some(false);
        };
        let fits = match first {
            b'?' => true,
            b'\\' if !rest.is_empty() => {
                let escaped = rest[0];
                rest = &rest[1..];
                escaped == byte
            }
            b'[' => {
                let negated = rest.first() == Some(&b'^');
                let mut at = usize::from(negated);
                let mut found = false;
                while at < rest.len() && rest[at] != b']' {
                    let left = rest.len() - at;
                    let (low, high, taken) = if rest[at] == b'\\' && left >= 2 {
                        (rest[at + 1], rest[at + 1], 2)
                    } else if left >= 3 && rest[at + 1] == b'-' {
                        (rest[at], rest[at + 2], 3)
                    } else {
                        (rest[at], rest[at], 1)
                    };
                    let [low, high, byte] = [low, high, byte].map(u8::cast_signed);
                    found |= (low <= byte && byte <= high) || (high <= byte && byte <= low);
                    at += taken;
                }
                rest = &rest[(at + 1).min(rest.len())..];
                found != negated
            }
            _ => first == byte,
        };
        if fits {
            reference(rest, key, steps)
        } else {
            Some(false)
        }
    }

    fn next(seed: &mut u64) -> u64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    fn pick(seed: &mut u64, from: &[u8], max: u64) -> Vec<u8> {
        let len = next(seed) % (max + 1);
        let mut byte = || from[usize::try_from(next(seed)).unwrap() % from.len()];
        (0..len).map(|_| byte()).collect()
    }

    #[test]
    fn a_pattern_means_what_trying_every_length_for_every_star_means() {
        let rounds = if std::env::var_os("REDKIT_FULL").is_some() {
            20_000_000
        } else {
            400_000
        };
        let (mut seed, mut matched, mut gave_up) = (11, 0, 0);
        for round in 0..rounds {
            let (pattern, key) = match round % 3 {
                0 => (pick(&mut seed, b"ab*", 12), pick(&mut seed, b"ab", 16)),
                1 => (pick(&mut seed, b"ab*?", 10), pick(&mut seed, b"abc", 12)),
                _ => (
                    pick(&mut seed, b"ab*?[]^-\\]c\xff", 12),
                    pick(&mut seed, b"abc-]\\^[\xff", 5),
                ),
            };
            let expected = match (key.as_slice(), pattern.as_slice()) {
                ([], pattern) => Some(pattern.is_empty() || pattern == b"*"),
                _ => reference(&pattern, &key, &mut 100_000),
            };
            let Some(expected) = expected else {
                gave_up += 1;
                continue;
            };
            let (pattern_text, key_text) = (pattern.escape_ascii(), key.escape_ascii());
            assert_eq!(
                Glob::new(&pattern).matches(&key),
                expected,
                "{pattern_text} {key_text}"
            );
            matched += usize::from(expected);
        }
        assert!(matched > rounds / 20, "{matched} of {rounds} matched");
        assert!(
            gave_up < rounds / 1000,
            "{gave_up} of {rounds} not compared"
        );
    }

    #[test]
    fn odd_patterns_match_what_they_match_in_the_server() {
        // What KEYS answered: Redis 6.2.5, 7.0.15, 8.2.3 and Valkey 9.1.2, all the same.
        const KEYS: &[u8] = b"* - 1 ? A [ \\ ] ^ _ a a* a\\ a] ab abc b c \xc3\xa9 \xff";
        const SEEN: &[(&[u8], &[u8])] = &[
            (b"[ab", b"a b"),
            (b"[", b""),
            (b"[^", b"* - 1 ? A [ \\ ] ^ _ a b c \xff"),
            (b"[]", b""),
            (b"[^]", b"* - 1 ? A [ \\ ] ^ _ a b c \xff"),
            (b"[^^]", b"* - 1 ? A [ \\ ] _ a b c \xff"),
            (b"[]a]", b""),
            (b"[a-]", b"] ^ _ a"),
            (b"[a-", b"- a"),
            (b"[-a]", b"- a"),
            (b"[c-a]", b"a b c"),
            (b"[A-Z]", b"A"),
            (b"[\\a-c]", b"- a c"),
            (b"[a-\\]", b"\\ ] ^ _ a"),
            (b"[a-\\]]", b"a]"),
            (b"[\\]a]", b"] a"),
            (b"[a^]", b"^ a"),
            (b"[\\", b"\\"),
            (b"[a\\", b"\\ a"),
            (b"[*]", b"*"),
            (b"[[]", b"["),
            (b"[\xff-1]", b"* - 1 \xff"),
            (b"[1-\xff]", b"* - 1 \xff"),
            (b"\\", b"\\"),
            (b"a\\", b"a\\"),
            (b"a\\\\", b"a\\"),
            (b"\\a", b"a"),
            (b"\\*", b"*"),
            (b"a]", b"a]"),
            (b"??", b"a* a\\ a] ab \xc3\xa9"),
            (b"a*", b"a a* a\\ a] ab abc"),
            (b"*b", b"ab b"),
            (b"a**c", b"abc"),
            (b"*a*b*c*", b"abc"),
            (b"*[b-c]", b"ab abc b c"),
            (b"**", KEYS),
            (b"*?", KEYS),
            (b"?*", KEYS),
            (b"*", KEYS),
        ];
        for (pattern, matched) in SEEN {
            let glob = Glob::new(pattern);
            let matching: Vec<_> = KEYS
                .split(|byte| *byte == b' ')
                .filter(|key| glob.matches(key))
                .collect();
            assert_eq!(
                matching.join(&b' ').escape_ascii().to_string(),
                matched.escape_ascii().to_string(),
                "{pattern:?}"
            );
        }
        assert!(Glob::new(b"").matches(b"") && Glob::new(b"*").matches(b""));
        assert!(!Glob::new(b"").matches(b"a") && !Glob::new(b"**").matches(b""));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let key = vec![b'a'; 1 << 20];
        for pattern in [
            "a*".repeat(300) + "b",
            "*a".repeat(900) + "*b*c",
            "a*?".repeat(300) + "[^a]",
        ] {
            assert!(!Glob::new(pattern.as_bytes()).matches(&key), "{pattern}");
        }
        assert!(Glob::new("a*?".repeat(300).as_bytes()).matches(&key));
    }

    #[test]
    fn a_thousand_stars_are_the_limit() {
        let key = vec![b'a'; 3000];
        assert!(Glob::new("*a".repeat(1000).as_bytes()).matches(&key));
        assert!(Glob::new(("*a".repeat(1000) + "*").as_bytes()).matches(&key));
        assert!(!Glob::new("*a".repeat(1001).as_bytes()).matches(&key));
        assert!(!Glob::new(("*a".repeat(1001) + "**").as_bytes()).matches(&key));
        assert!(Glob::new("*".repeat(5000).as_bytes()).matches(&key)); // in a row they are one
    }
}
