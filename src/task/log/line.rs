//! One command, annotation or damage as a line or as an object.

use crate::aof::position::Position;
use crate::aof::resp::{self, Command};
use crate::bytes::time::rfc3339;
use crate::error::printable;
use crate::io::ordered::Pieces;
use crate::report::Finding;
use crate::report::json::{JsonText, StringStyle};
use crate::report::text::{counted, shown};
use crate::task::log::{LogForm, LogOptions};

/// Bytes of an argument that a line shows, and arguments.
const SHOWN: usize = 60;
const ARGS_SHOWN: usize = 16;
/// Arguments from this size on are written part by part.
const LONG: usize = 64 << 10;
/// Text that is passed on before the job is done.
const FULL: usize = 1 << 20;

/// Writes lines or objects of one file.
pub(super) struct Lines {
    form: LogForm,
    full: bool,
    text: JsonText,
    /// What an object begins with.
    head: Vec<u8>,
    /// What an offset in a line begins with.
    place: Vec<u8>,
    time: Option<(u64, String)>,
}

impl Lines {
    pub(super) fn new(options: &LogOptions, file: &str, in_set: bool) -> Self {
        let mut head = JsonText::new(StringStyle::Auto);
        if options.form == LogForm::Document {
            head.byte(b',');
        }
        head.raw(b"{\"file\":");
        head.string_bytes(file.as_bytes());
        head.raw(b",\"offset\":");
        let place = match in_set {
            true => format!("{}:", shown(file)),
            false => String::new(),
        };
        Lines {
            form: options.form,
            full: options.full,
            text: JsonText::new(StringStyle::Auto),
            head: head.as_bytes().to_vec(),
            place: place.into_bytes(),
            time: None,
        }
    }

    #[inline]
    pub(super) fn command(
        &mut self,
        at: u64,
        len: u64,
        position: &Position,
        command: &Command<'_>,
        pieces: &mut Pieces<'_>,
    ) {
        match self.form {
            LogForm::Text => self.line(at, position, command, pieces),
            LogForm::Lines | LogForm::Document => {
                self.object(at, len, position, command, pieces);
            }
        }
    }

    pub(super) fn annotation(&mut self, at: u64, text: &[u8], pieces: &mut Pieces<'_>) {
        if self.form != LogForm::Text {
            return;
        }
        self.offset(at);
        self.text.raw(b"  #");
        self.text.raw(printable(text).as_bytes());
        if let Some(seconds) = resp::timestamp(text) {
            self.text.raw(b"  ");
            self.moment(Some(seconds));
        }
        self.end(pieces);
    }

    #[cold]
    pub(super) fn damage(&mut self, cause: &str, finding: &Finding) {
        let len = finding.end - finding.start;
        if self.form == LogForm::Text {
            self.offset(finding.start);
            let bytes = counted(len, "byte");
            let words = format!("  !! {cause}, {bytes}: {}\n", finding.message);
            self.text.raw(words.as_bytes());
            return;
        }
        let text = &mut self.text;
        text.raw(&self.head);
        text.uint(finding.start);
        text.raw(b",\"len\":");
        text.uint(len);
        for (name, words) in [
            ("damage", cause),
            ("code", finding.code),
            ("message", &finding.message),
        ] {
            text.raw(b",\"");
            text.raw(name.as_bytes());
            text.raw(b"\":");
            text.string_bytes(words.as_bytes());
        }
        text.byte(b'}');
        if self.form == LogForm::Lines {
            text.byte(b'\n');
        }
    }

    /// Hands out what was written.
    pub(super) fn take(&mut self, pieces: &mut Pieces<'_>) {
        if !self.text.is_empty() {
            let next = pieces.buffer();
            pieces.chunk(self.text.take(next));
        }
    }

    #[inline]
    fn object(
        &mut self,
        at: u64,
        len: u64,
        position: &Position,
        command: &Command<'_>,
        pieces: &mut Pieces<'_>,
    ) {
        let text = &mut self.text;
        text.raw(&self.head);
        text.uint(at);
        text.raw(b",\"len\":");
        text.uint(len);
        text.raw(b",\"n\":");
        text.uint(position.commands + 1);
        text.raw(b",\"db\":");
        text.uint(u64::from(position.db));
        text.raw(b",\"time\":");
        match position.time {
            Some(seconds) => text.uint(seconds),
            None => text.raw(b"null"),
        }
        text.raw(b",\"cmd\":");
        let mut args = command.args();
        if let Some(name) = args.next() {
            self.string(name, pieces);
        }
        self.text.raw(b",\"args\":[");
        for (n, arg) in args.enumerate() {
            if n > 0 {
                self.text.byte(b',');
            }
            self.string(arg, pieces);
        }
        self.text.raw(match self.form {
            LogForm::Document => b"]}",
            _ => b"]}\n",
        });
        if self.text.len() > FULL {
            self.take(pieces);
        }
    }

    #[inline]
    fn string(&mut self, bytes: &[u8], pieces: &mut Pieces<'_>) {
        if bytes.len() < LONG {
            self.text.string_bytes(bytes);
            return;
        }
        let mut long = self.text.long(bytes);
        while self.text.long_part(&mut long) {
            if self.text.len() > FULL {
                self.take(pieces);
            }
        }
    }

    fn line(
        &mut self,
        at: u64,
        position: &Position,
        command: &Command<'_>,
        pieces: &mut Pieces<'_>,
    ) {
        self.offset(at);
        self.text.raw(b"  ");
        self.moment(position.time);
        self.text.raw(b"  [");
        self.text.uint(u64::from(position.db));
        self.text.raw(b"]");
        let argc = command.argc();
        let shown = match self.full || argc <= ARGS_SHOWN {
            true => argc,
            // The line that says how many more there are is worth something only for several.
            false => ARGS_SHOWN - 1,
        };
        for (n, arg) in command.args().take(shown).enumerate() {
            self.text.raw(if n == 0 { b"  " } else { b" " });
            self.argument(arg, pieces);
        }
        if shown < argc {
            let more = counted((argc - shown) as u64, "argument");
            self.text.raw(format!(" \u{2026} {more} more").as_bytes());
        }
        self.end(pieces);
    }

    /// An argument as one would type it: in quotes where it is anything but plain characters.
    #[inline]
    fn argument(&mut self, arg: &[u8], pieces: &mut Pieces<'_>) {
        let shortened = match self.full || arg.len() <= SHOWN {
            true => arg,
            false => arg
                .get(..character_boundary(arg, SHOWN))
                .unwrap_or_default(),
        };
        if !shortened.is_empty() && shortened.iter().all(|b| is_plain(*b)) {
            for part in shortened.chunks(FULL) {
                self.text.raw(part);
                if self.text.len() > FULL {
                    self.take(pieces);
                }
            }
        } else {
            self.text.byte(b'"');
            let mut rest = shortened;
            while !rest.is_empty() {
                let (part, after) = rest.split_at(character_boundary(rest, LONG));
                self.text.raw(printable(part).as_bytes());
                rest = after;
                if self.text.len() > FULL {
                    self.take(pieces);
                }
            }
            self.text.byte(b'"');
        }
        if shortened.len() < arg.len() {
            let more = counted((arg.len() - shortened.len()) as u64, "byte");
            self.text.raw(format!("\u{2026}(+{more})").as_bytes());
        }
    }

    /// A place as other commands take it. The offsets of a single file stand below each other.
    fn offset(&mut self, at: u64) {
        let mut number = itoa::Buffer::new();
        let number = number.format(at).as_bytes();
        if self.place.is_empty() {
            let pad = b"          ";
            self.text.raw(pad.get(number.len()..).unwrap_or_default());
        }
        self.text.raw(&self.place);
        self.text.raw(number);
    }

    fn moment(&mut self, time: Option<u64>) {
        let Some(seconds) = time else {
            return self.text.byte(b'-');
        };
        if self
            .time
            .as_ref()
            .is_none_or(|(known, _)| *known != seconds)
        {
            let ms = i64::try_from(seconds)
                .ok()
                .and_then(|s| s.checked_mul(1000));
            let words = ms.and_then(rfc3339);
            self.time = Some((seconds, words.unwrap_or_else(|| seconds.to_string())));
        }
        if let Some((_, words)) = &self.time {
            self.text.raw(words.as_bytes());
        }
    }

    fn end(&mut self, pieces: &mut Pieces<'_>) {
        self.text.byte(b'\n');
        if self.text.len() > FULL {
            self.take(pieces);
        }
    }
}

/// A byte that needs no quotes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'\'')
}

/// The last place at or before `most` where no UTF-8 character is cut in two.
fn character_boundary(bytes: &[u8], most: usize) -> usize {
    if bytes.len() <= most {
        return bytes.len();
    }
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|b| b & 0xc0 == 0x80);
    let mut places = (most.saturating_sub(3)..=most).rev();
    places.find(|at| !is_inside(at)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        let text = "aü€𝄞".repeat(20);
        for most in 1..text.len() {
            let at = character_boundary(text.as_bytes(), most);
            assert!(text.is_char_boundary(at) && at <= most, "{most}");
            assert!(at > 0 || most < 4, "{most}");
        }
        assert_eq!(character_boundary(&[0x80; 20], 10), 10);
    }
}
