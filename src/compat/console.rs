//! What a checker prints and is answered.

use std::io::{self, BufRead, Write};

/// The streams of a checker.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    input: &'a mut dyn BufRead,
}

/// What ends a checker early.
#[derive(Debug)]
pub enum Stop {
    /// It has said what there is to say.
    Exit(u8),
    /// Nobody can be told.
    Output(io::Error),
}

/// What goes on, or ends the checker.
pub(super) type Flow<T = ()> = Result<T, Stop>;

/// Ends the checker as one that found something wrong.
pub(super) const FAILED: Stop = Stop::Exit(1);

impl<'a> Console<'a> {
    /// These streams: what is printed, what is said aside, what is answered.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, input: &'a mut dyn BufRead) -> Self {
        Console { out, err, input }
    }

    /// Prints the parts one behind the other.
    pub(super) fn print(&mut self, parts: &[&[u8]]) -> Flow {
        for part in parts {
            self.out.write_all(part).map_err(Stop::Output)?;
        }
        Ok(())
    }

    /// Prints a text that holds nothing from a file.
    pub(super) fn text(&mut self, text: &str) -> Flow {
        self.print(&[text.as_bytes()])
    }

    /// Says something that the tool itself would not say, or would say on stderr.
    pub(super) fn aside(&mut self, parts: &[&[u8]]) {
        for part in parts {
            // Whoever closed stderr does not want to know.
            let _ = self.err.write_all(part);
        }
        let _ = self.err.flush();
    }

    /// Whether the answer starts with a `y`.
    pub(super) fn agreed(&mut self) -> Flow<bool> {
        self.flush().map_err(Stop::Output)?;
        // An answer that cannot be read is none.
        let first = self
            .input
            .fill_buf()
            .ok()
            .and_then(|answer| answer.first().copied());
        Ok(matches!(first, Some(b'y' | b'Y')))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
