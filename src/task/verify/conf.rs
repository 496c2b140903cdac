//! A server's configuration file: the settings that name its data.
//!
//! Lines are read as the servers read them: words apart by blanks, quoted or not, `#` in front of a
//! comment, names in any case, the last of several counts, `include` reads another file in its place.
//! Settings that do not name data are passed over.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What names a server's data. `dir` is not among it: the folder that is judged stands for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// `appendonly`.
    pub append_only: bool,
    /// `dbfilename`.
    pub snapshot: Vec<u8>,
    /// `appendfilename`.
    pub log: Vec<u8>,
    /// `appenddirname`.
    pub folder: Vec<u8>,
}

impl Default for Conf {
    fn default() -> Self {
        Conf {
            append_only: false,
            snapshot: b"dump.rdb".to_vec(),
            log: b"appendonly.aof".to_vec(),
            folder: b"appendonlydir".to_vec(),
        }
    }
}

/// Bytes of a configuration with all that it includes, at most.
const BYTES: u64 = 16 << 20;
/// Files within files, at most: a file that includes itself ends here.
const DEPTH: usize = 16;

impl Conf {
    /// Reads a file, with what it includes. A relative name of an included file counts from the folder
    /// of the file that names it.
    ///
    /// # Errors
    /// A file that cannot be read; a line that servers refuse, as a usage error.
    pub fn read(path: &Path) -> Result<Conf> {
        let mut conf = Conf::default();
        conf.file(path, DEPTH, &mut BYTES.clone())?;
        Ok(conf)
    }

    fn file(&mut self, path: &Path, depth: usize, room: &mut u64) -> Result<()> {
        let refused = |text: String| Error::usage(format!("{}: {text}", path.display()));
        let Some(depth) = depth.checked_sub(1) else {
            return Err(refused("files include each other too deeply".to_owned()));
        };
        let mut text = Vec::new();
        let file = File::open(path).map_err(|error| Error::from(error).in_file(path))?;
        let read = file.take(*room + 1).read_to_end(&mut text);
        read.map_err(|error| Error::from(error).in_file(path))?;
        *room = room
            .checked_sub(text.len() as u64)
            .ok_or_else(|| refused(format!("more than {} MiB of settings", BYTES >> 20)))?;
        for (index, line) in text.split(|&b| b == b'\n').enumerate() {
            let refused = |what: &str| refused(format!("line {}: {what}", index + 1));
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let words = words(line).ok_or_else(|| refused("its quotes are not balanced"))?;
            let Some((name, values)) = words.split_first() else {
                continue;
            };
            let name = name.to_ascii_lowercase();
            let [value] = values else {
                match &*name {
                    b"appendonly" | b"dbfilename" | b"appendfilename" | b"appenddirname"
                    | b"dir" | b"include" => {
                        return Err(refused("the setting takes one value"));
                    }
                    _ => continue,
                }
            };
            match &*name {
                b"appendonly" => match &*value.to_ascii_lowercase() {
                    b"yes" => self.append_only = true,
                    b"no" => self.append_only = false,
                    _ => return Err(refused("appendonly is yes or no")),
                },
                b"dbfilename" => self.snapshot = bare(value).map_err(refused)?,
                b"appendfilename" => self.log = bare(value).map_err(refused)?,
                b"appenddirname" => self.folder = bare(value).map_err(refused)?,
                b"include" => {
                    let included = included(path, value);
                    if value.iter().any(|b| b"*?[".contains(b)) && !included.exists() {
                        let what = "patterns in include are not followed: give the files together";
                        return Err(refused(what));
                    }
                    self.file(&included, depth, room)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn included(path: &Path, name: &[u8]) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    crate::aof::set::path_in(folder, name)
}

/// A name without a folder: servers refuse any other, and none may lead elsewhere.
fn bare(name: &[u8]) -> std::result::Result<Vec<u8>, &'static str> {
    let leads_elsewhere = name.iter().any(|b| b"/\\\0".contains(b));
    match name {
        b"" | b"." | b".." => Err("no file has this name"),
        _ if leads_elsewhere => Err("a name of a file is wanted, not a path"),
        name => Ok(name.to_vec()),
    }
}

/// The words of a line: apart by blanks; in double quotes with escapes, in single quotes with `\'`
/// alone. Nothing where a quote is not closed, or something else than a blank follows it.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        loop {
            rest = match rest {
                [] => break,
                [b'"', quoted @ ..] => double_quoted(quoted, &mut word)?,
                [b'\'', quoted @ ..] => single_quoted(quoted, &mut word)?,
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0 => break,
                [byte, behind @ ..] => {
                    word.push(*byte);
                    behind
                }
            };
        }
        words.push(word);
        // To servers a line is text that ends at a NUL.
        if rest.first() == Some(&0) {
            return Some(words);
        }
    }
}

fn double_quoted<'t>(mut rest: &'t [u8], word: &mut Vec<u8>) -> Option<&'t [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |b: &u8| {
                    char::from(*b)
                        .to_digit(16)
                        .and_then(|d| u8::try_from(d).ok())
                };
                word.push(digit(high)? * 16 + digit(low)?);
                behind
            }
            [b'\\', escaped, behind @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                behind
            }
            [b'"', behind @ ..] => return closed(behind),
            [byte, behind @ ..] => {
                word.push(*byte);
                behind
            }
            [] => return None,
        };
    }
}

fn single_quoted<'t>(mut rest: &'t [u8], word: &mut Vec<u8>) -> Option<&'t [u8]> {
    loop {
        rest = match rest {
            [b'\\', b'\'', behind @ ..] => {
                word.push(b'\'');
                behind
            }
            [b'\'', behind @ ..] => return closed(behind),
            [byte, behind @ ..] => {
                word.push(*byte);
                behind
            }
            [] => return None,
        };
    }
}

/// Behind a closing quote stands a blank, or nothing.
fn closed(behind: &[u8]) -> Option<&[u8]> {
    behind
        .first()
        .is_none_or(|b| b.is_ascii_whitespace() || *b == 0)
        .then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::printable;

    fn read(text: &[u8]) -> Result<Conf> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("redis.conf");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("more.conf"), "appendonly yes\n").unwrap();
        std::fs::write(folder.path().join("self.conf"), "include self.conf\n").unwrap();
        Conf::read(&path)
    }

    #[test]
    fn words_are_read_as_servers_read_them() {
        let words = |line: &[u8]| words(line);
        let some = |expected: &[&[u8]]| Some(expected.iter().map(|w| w.to_vec()).collect());
        assert_eq!(words(b"a  b\tc"), some(&[b"a", b"b", b"c"]));
        assert_eq!(words(b"a \"b c\" 'd e'"), some(&[b"a", b"b c", b"d e"]));
        assert_eq!(words(b"a \"\\x41\\n\\q\\\"\""), some(&[b"a", b"A\nq\""]));
        assert_eq!(words(b"a 'x\\'y\\n'"), some(&[b"a", b"x'y\\n"]));
        assert_eq!(words(b"a pre\"fix\""), some(&[b"a", b"prefix"]));
        assert_eq!(words(b"a \"\""), some(&[b"a", b""]));
        for wrong in [&b"a \"b"[..], b"a 'b", b"a \"b\"c", b"a 'b'c", b"\"\\"] {
            assert_eq!(words(wrong), None);
        }
    }

    #[test]
    fn the_last_of_several_counts_and_the_rest_is_passed_over() {
        let text = b"# appendonly yes\nport 1\nsave 1 2 3 4\nAppendOnly YES\r\nappendonly no\n\
                     dbfilename \"night dump.rdb\"\ndir /var/lib/redis\nrename-command A \"\"\n";
        let conf = read(text).unwrap();
        assert_eq!(
            conf,
            Conf {
                snapshot: b"night dump.rdb".to_vec(),
                ..Conf::default()
            }
        );
        assert!(
            read(b"appendonly no\ninclude more.conf\n")
                .unwrap()
                .append_only
        );
        assert!(
            !read(b"include more.conf\nappendonly no\n")
                .unwrap()
                .append_only
        );
    }

    #[test]
    fn what_servers_refuse_is_a_usage_error_and_nothing_panics() {
        for text in [
            &b"dbfilename a/b\n"[..],
            b"dbfilename ../x\n",
            b"appenddirname ..\n",
            b"appendfilename \"\"\n",
            b"appendfilename \"\\x00\"\n",
            b"appendonly maybe\n",
            b"appendonly\n",
            b"dir a b\n",
            b"requirepass \"open\nappendonly yes\n",
            b"include self.conf\n",
            b"include *.conf\n",
        ] {
            let error = read(text).unwrap_err();
            let is_usage = matches!(error.kind(), crate::error::ErrorKind::Usage(_));
            assert!(is_usage, "{}: {error}", printable(text));
        }
        let missing = read(b"include nosuch.conf\n").unwrap_err();
        assert!(matches!(missing.kind(), crate::error::ErrorKind::Io(_)));
    }

    proptest::proptest! {
        #[test]
        fn noise_is_never_a_panic(noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read(&noise);
            let _ = words(&noise);
        }
    }
}
