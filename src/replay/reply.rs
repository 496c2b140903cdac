//! What a command answers, and what it is refused with.

use std::borrow::Cow;
use std::fmt;

/// What a command did to the keyspace is done; this is what a server would answer. Only scripts and
/// tests look at it, so that a handler makes strings and arrays only where the context asks for
/// them ([`Context::wants_reply`](super::Context::wants_reply)).
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A missing string (or array: see [`Reply::NilArray`]).
    Nil,
    /// A missing array, which RESP2 tells apart.
    NilArray,
    /// A status, such as `OK`.
    Status(&'static str),
    /// A status that a script made.
    Said(String),
    /// A number.
    Int(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// A list of answers.
    Array(Vec<Reply>),
    /// An error within an array.
    Error(String),
}

impl Reply {
    /// The status `OK`.
    pub const OK: Reply = Reply::Status("OK");

    /// A count.
    #[inline]
    pub fn count(n: usize) -> Reply {
        Reply::Int(n as i64)
    }

    /// A string or nil.
    pub fn bulk(bytes: Option<&[u8]>) -> Reply {
        bytes.map_or(Reply::Nil, |bytes| Reply::Bulk(bytes.to_vec()))
    }
}

/// Why a command has no effect, or not all of it. One word wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Box<Reason>);

/// Kinds of [`Rejection`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server answers with this error, and so has no effect either: the text with its code,
    /// as `ERR syntax error`.
    Error(Cow<'static, str>),
    /// The server would do something that cannot be done here: why.
    Unplayable(String),
    /// It wants so many bytes of memory, more than it may have.
    Memory(u64),
    /// The server would crash: why.
    Crash(String),
}

impl Rejection {
    /// The server answers with this error; the text begins with its code.
    #[cold]
    pub fn error(text: impl Into<Cow<'static, str>>) -> Rejection {
        Rejection(Box::new(Reason::Error(text.into())))
    }

    /// The server does what cannot be done here.
    #[cold]
    pub fn unplayable(why: impl Into<String>) -> Rejection {
        Rejection(Box::new(Reason::Unplayable(why.into())))
    }

    /// More memory is wanted than may be had.
    #[cold]
    pub fn memory(bytes: u64) -> Rejection {
        Rejection(Box::new(Reason::Memory(bytes)))
    }

    /// The server would crash.
    #[cold]
    pub fn crash(why: impl Into<String>) -> Rejection {
        Rejection(Box::new(Reason::Crash(why.into())))
    }

    /// The key holds another type.
    #[cold]
    pub fn wrong_type() -> Rejection {
        Rejection::error("WRONGTYPE Operation against a key holding the wrong kind of value")
    }

    /// The arguments are not as they must be.
    #[cold]
    pub fn syntax() -> Rejection {
        Rejection::error("ERR syntax error")
    }

    /// An argument or value is no 64-bit integer.
    #[cold]
    pub fn not_an_integer() -> Rejection {
        Rejection::error("ERR value is not an integer or out of range")
    }

    /// An argument or value is no double.
    #[cold]
    pub fn not_a_float() -> Rejection {
        Rejection::error("ERR value is not a valid float")
    }

    /// There is no such key.
    #[cold]
    pub fn no_such_key() -> Rejection {
        Rejection::error("ERR no such key")
    }

    /// An index is beyond what there is.
    #[cold]
    pub fn out_of_range() -> Rejection {
        Rejection::error("ERR index out of range")
    }

    /// What kind it is.
    pub fn reason(&self) -> &Reason {
        &self.0
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Reason::Error(text) => f.write_str(text),
            Reason::Unplayable(why) => f.write_str(why),
            Reason::Memory(bytes) => write!(f, "needs {bytes} bytes more memory than it may have"),
            Reason::Crash(why) => write!(f, "crashes a server: {why}"),
        }
    }
}

/// What a handler gives.
pub type Outcome = Result<Reply, Rejection>;
