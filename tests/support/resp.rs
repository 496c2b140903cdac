//! A client for the tests: RESP2 over a unix socket, every reply kept as bytes.
//!
//! What goes wrong between client and server is a failed test, so the methods panic with what
//! happened; the `try_` ones return it.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Sends one command: `cmd!(client, "SET", key, value)`, each argument anything that is
/// `AsRef<[u8]>`. Gives its [`Reply`](crate::support::resp::Reply).
#[macro_export]
macro_rules! cmd {
    ($client:expr, $($argument:expr),+ $(,)?) => {
        $client.cmd(&[$(::core::convert::AsRef::<[u8]>::as_ref(&$argument)),+])
    };
}

/// How long a reply may take before the test is failed instead of hanging for ever.
const REPLY_LIMIT: Duration = Duration::from_secs(300);

const BUFFER: usize = 256 * 1024;

/// What a server answers, errors included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// The bytes of a bulk string; panics on anything else, nil included.
    #[track_caller]
    pub(crate) fn bulk(self) -> Vec<u8> {
        match self {
            Reply::Bulk(Some(bytes)) => bytes,
            other => other.not("a bulk string"),
        }
    }

    /// A status or bulk string as text; panics on anything else.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        match self {
            Reply::Status(bytes) | Reply::Bulk(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => panic!("wanted text, got {:?}", error.as_bytes().escape_ascii()),
            },
            other => other.not("text"),
        }
    }

    /// An integer; panics on anything else.
    #[track_caller]
    pub(crate) fn int(self) -> i64 {
        match self {
            Reply::Int(number) => number,
            other => other.not("an integer"),
        }
    }

    /// The items of an array; panics on anything else, nil included.
    #[track_caller]
    pub(crate) fn array(self) -> Vec<Reply> {
        match self {
            Reply::Array(Some(items)) => items,
            other => other.not("an array"),
        }
    }

    /// Panics on anything but `+OK`.
    #[track_caller]
    pub(crate) fn ok(self) {
        if self != Reply::Status(b"OK".to_vec()) {
            self.not::<()>("OK");
        }
    }

    /// The text of an error reply; panics on anything else.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        match self {
            Reply::Error(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => other.not("an error"),
        }
    }

    /// Itself; panics on an error reply.
    #[track_caller]
    pub(crate) fn no_error(self) -> Reply {
        match self {
            Reply::Error(_) => self.not("no error"),
            other => other,
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Whether it is the nil of a bulk string or of an array.
    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Reply::Bulk(None) | Reply::Array(None))
    }

    #[track_caller]
    fn not<T>(self, wanted: &str) -> T {
        let shown = match self {
            Reply::Status(bytes) => format!("+{}", bytes.escape_ascii()),
            Reply::Error(bytes) => format!("-{}", bytes.escape_ascii()),
            other => format!("{other:?}"),
        };
        let cut = shown.chars().take(400).collect::<String>();
        panic!("wanted {wanted}, got {cut}")
    }
}

/// One connection.
pub(crate) struct Client {
    reader: BufReader<UnixStream>,
    writer: BufWriter<UnixStream>,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> io::Result<Client> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(REPLY_LIMIT))?;
        stream.set_write_timeout(Some(REPLY_LIMIT))?;
        Ok(Client {
            reader: BufReader::with_capacity(BUFFER, stream.try_clone()?),
            writer: BufWriter::with_capacity(BUFFER, stream),
        })
    }

    /// Sends one command and gives its reply. See also the macro `cmd!`.
    #[track_caller]
    pub(crate) fn cmd(&mut self, arguments: &[&[u8]]) -> Reply {
        match self.try_cmd(arguments) {
            Ok(reply) => reply,
            Err(error) => panic!(
                "no reply to {}: {error}",
                arguments
                    .first()
                    .copied()
                    .unwrap_or_default()
                    .escape_ascii()
            ),
        }
    }

    pub(crate) fn try_cmd(&mut self, arguments: &[&[u8]]) -> io::Result<Reply> {
        write_command(&mut self.writer, arguments)?;
        self.writer.flush()?;
        read_reply(&mut self.reader)
    }

    /// Sends the commands without waiting in between, and gives as many replies.
    ///
    /// Commands and replies may be of any size: they are written and read at the same time.
    #[track_caller]
    pub(crate) fn pipeline<A: AsRef<[u8]> + Sync>(&mut self, commands: &[Vec<A>]) -> Vec<Reply> {
        match self.try_pipeline(commands) {
            Ok(replies) => replies,
            Err(error) => panic!("a pipeline of {} commands: {error}", commands.len()),
        }
    }

    pub(crate) fn try_pipeline<A: AsRef<[u8]> + Sync>(
        &mut self,
        commands: &[Vec<A>],
    ) -> io::Result<Vec<Reply>> {
        let Client { reader, writer } = self;
        std::thread::scope(|scope| {
            let sent = scope.spawn(move || {
                for command in commands {
                    write_command(writer, command)?;
                }
                writer.flush()
            });
            let replies: io::Result<Vec<Reply>> =
                commands.iter().map(|_| read_reply(reader)).collect();
            if replies.is_err() {
                // Else the writer might wait for a server that waits for this reader.
                let _ = reader.get_ref().shutdown(Shutdown::Both);
            }
            let sent = sent.join().expect("the writer does not panic");
            let replies = replies?;
            sent.map(|()| replies)
        })
    }
}

fn write_command<A: AsRef<[u8]>>(writer: &mut impl Write, arguments: &[A]) -> io::Result<()> {
    write!(writer, "*{}\r\n", arguments.len())?;
    for argument in arguments {
        let argument = argument.as_ref();
        write!(writer, "${}\r\n", argument.len())?;
        writer.write_all(argument)?;
        writer.write_all(b"\r\n")?;
    }
    Ok(())
}

fn read_reply(reader: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the server closed the connection",
        ));
    }
    let Some((kind, rest)) = line.split_first() else {
        return Err(malformed(&line));
    };
    let Some(rest) = rest.strip_suffix(b"\r\n") else {
        return Err(malformed(&line));
    };
    match kind {
        b'+' => Ok(Reply::Status(rest.to_vec())),
        b'-' => Ok(Reply::Error(rest.to_vec())),
        b':' => number(rest).map(Reply::Int),
        b'$' => match length(rest)? {
            None => Ok(Reply::Bulk(None)),
            Some(length) => read_bulk(reader, length).map(|bytes| Reply::Bulk(Some(bytes))),
        },
        b'*' => match length(rest)? {
            None => Ok(Reply::Array(None)),
            Some(length) => {
                let items: io::Result<Vec<Reply>> =
                    (0..length).map(|_| read_reply(reader)).collect();
                items.map(|items| Reply::Array(Some(items)))
            }
        },
        _ => Err(malformed(&line)),
    }
}

fn read_bulk(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    // Room for all of it at once, not zeroed first: replies may be of hundreds of MiB.
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    let read = reader.take(length).read_to_end(&mut bytes)?;
    let mut end = [0; 2];
    reader.read_exact(&mut end)?;
    if u64::try_from(read) != Ok(length) || end != *b"\r\n" {
        return Err(malformed(&end));
    }
    Ok(bytes)
}

/// The length of a bulk string or array; `None` is the nil of RESP2, `-1`.
fn length(text: &[u8]) -> io::Result<Option<u64>> {
    match number(text)? {
        -1 => Ok(None),
        length => u64::try_from(length).map(Some).map_err(|_| malformed(text)),
    }
}

fn number(text: &[u8]) -> io::Result<i64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed(text))
}

fn malformed(bytes: &[u8]) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not RESP2: {}", bytes.escape_ascii()),
    )
}
