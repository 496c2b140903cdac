//! The words of a manifest line: the quoting of a server's configuration files, which is nearly
//! that of a shell.
//!
//! ```text
//! bare           up to a space, tab, CR or LF; a quote inside it opens a quoted part
//! "quo\"ted"     escapes \n \r \t \b \a \xHH; a backslash before any other byte gives that byte
//! 'quo\'ted'     the only escape is \'
//! ```

use super::Dialect;

/// Splits a line without NUL into its words; nothing when a quote is not closed, or not closed as
/// this server wants it.
pub(super) fn split(line: &[u8], dialect: Dialect) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let Some((_, behind)) = rest.split_first().filter(|(c, _)| is_space(**c)) {
            rest = behind;
        }
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, dialect, &mut word)?;
        words.push(word);
    }
}

/// Takes one word, and the blank that ends it.
fn take_word<'d>(mut rest: &'d [u8], dialect: Dialect, word: &mut Vec<u8>) -> Option<&'d [u8]> {
    while let Some((&c, behind)) = rest.split_first() {
        rest = match c {
            b' ' | b'\t' | b'\r' | b'\n' => return Some(behind),
            b'"' | b'\'' => {
                let behind = if c == b'"' {
                    take_double(behind, dialect, word)?
                } else {
                    take_single(behind, dialect, word)?
                };
                match behind.first() {
                    None => return Some(behind),
                    Some(_) if dialect == Dialect::Valkey9 => behind,
                    Some(c) if is_space(*c) => return Some(behind),
                    Some(_) => return None,
                }
            }
            c => {
                push(word, c, dialect);
                behind
            }
        };
    }
    Some(rest)
}

/// Takes what stands behind a `"`, up to the next one and with it.
fn take_double<'d>(mut rest: &'d [u8], dialect: Dialect, word: &mut Vec<u8>) -> Option<&'d [u8]> {
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return Some(behind),
            [b'\\', b'x', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(nibble(*high) << 4 | nibble(*low));
                behind
            }
            [b'\\', c, behind @ ..] => {
                push(word, unescaped(*c), dialect);
                behind
            }
            [c, behind @ ..] => {
                push(word, *c, dialect);
                behind
            }
            [] => return None,
        };
    }
}

/// Takes what stands behind a `'`, up to the next one and with it.
fn take_single<'d>(mut rest: &'d [u8], dialect: Dialect, word: &mut Vec<u8>) -> Option<&'d [u8]> {
    loop {
        rest = match rest {
            [b'\'', behind @ ..] => return Some(behind),
            [b'\\', b'\'', behind @ ..] => {
                word.push(b'\'');
                behind
            }
            [c, behind @ ..] => {
                push(word, *c, dialect);
                behind
            }
            [] => return None,
        };
    }
}

/// Valkey since 8.1 loses a byte `ff` that stands there as it is: to it that is the end of input.
fn push(word: &mut Vec<u8>, c: u8, dialect: Dialect) {
    if c != 0xff || dialect == Dialect::Redis {
        word.push(c);
    }
}

fn unescaped(c: u8) -> u8 {
    match c {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        c => c,
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// `isspace` in the C locale.
pub(super) fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Writes a word as servers write a name: bare when all of it is printable, else in double quotes
/// with everything escaped.
///
/// An apostrophe is quoted as well: Redis 8.2 writes it bare, and then refuses its own manifest.
pub(super) fn write(out: &mut Vec<u8>, word: &[u8]) {
    let bare = |c: &u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(bare) {
        out.extend_from_slice(word);
        return;
    }
    out.push(b'"');
    for &c in word {
        match c {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' ' => out.push(c),
            c if c.is_ascii_graphic() => out.push(c),
            c => push_hex(out, c),
        }
    }
    out.push(b'"');
}

/// Writes a word in as few bytes as every server reads alike.
pub(super) fn write_short(out: &mut Vec<u8>, word: &[u8]) {
    // What ends a line or a string, or is lost by Valkey, needs an escape, and thus double quotes.
    let plain = |c: &u8| !matches!(c, b'\n' | 0 | 0xff);
    let bare = |c: &u8| plain(c) && !is_space(*c) && !matches!(c, b'"' | b'\'');
    if !word.is_empty() && word.iter().all(bare) {
        out.extend_from_slice(word);
    } else if word.iter().all(|c| plain(c) && *c != b'\'') && word.last() != Some(&b'\\') {
        out.push(b'\'');
        out.extend_from_slice(word);
        out.push(b'\'');
    } else {
        out.push(b'"');
        for &c in word {
            match c {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
                b'\n' => out.extend_from_slice(b"\\n"),
                0 | 0xff => push_hex(out, c),
                c => out.push(c),
            }
        }
        out.push(b'"');
    }
}

fn push_hex(out: &mut Vec<u8>, c: u8) {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
    out.extend_from_slice(&[b'\\', b'x', digit(c >> 4), digit(c & 15)]);
}
