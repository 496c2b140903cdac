//! Where bytes come from: a mapped file or a stream, with what is known about it; and, since the
//! map needs it, the one place of this directory where `unsafe` stands.
//!
//! A regular file is mapped read-only. No advice is given about it: on a full pass over 240 MB in
//! the page cache, sequential, will-need, populate (at once, or 1 to 16 MiB ahead) and huge pages
//! were all within 3% of none, and from a cold cache too.
//!
//! A file that is cut short while it is mapped raises SIGBUS in whoever touches the pages that are
//! gone. A handler answers that with one line and exit status 3; it takes only faults inside a
//! live map of a source for its own.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut, Range};
use std::path::Path;

use memmap2::{Mmap, MmapMut, MmapOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::io::decompress::decoder;
use crate::io::kind::{Kind, sniff};

pub use crate::io::origin::{Identity, Origin};
pub(crate) use behind::{Behind, Strewn};

mod behind;

/// How a source is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Map regular files; else they are read as streams.
    pub mmap: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { mmap: true }
    }
}

/// An input: its content, and where that comes from.
#[derive(Debug)]
pub struct Source {
    origin: Origin,
    content: Content,
}

/// The bytes of a source.
pub enum Content {
    /// All at hand.
    Map(Map),
    /// To be read from the start to the end; decompressed where the source is compressed.
    Stream(Box<dyn Read + Send>),
}

impl Source {
    /// Opens a file for reading. `-` and the names of the standard input give [`stdin`](Self::stdin).
    ///
    /// A regular file is mapped where that is wanted and possible; pipes, devices and compressed
    /// files are streams. What the content is, and whether it is compressed, is told by its first
    /// bytes, so a few of them are read here; a FIFO is waited for.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::WrongKind`] for a directory; damaged or unreadable
    /// compressed data, unless there were good bytes before the damage: then the stream says it.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Source> {
        if STANDARD_INPUT.iter().any(|name| path == Path::new(name)) {
            return Source::stdin();
        }
        let file = match File::open(path) {
            Ok(file) => file,
            // Where directories cannot be opened at all.
            Err(_) if path.is_dir() => return Err(a_directory()),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(a_directory());
        }
        Source::of(file, Origin::of_path(path, &metadata), options)
    }

    /// The standard input, as a stream from where it stands.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn stdin() -> Result<Source> {
        let options = OpenOptions { mmap: false };
        Source::of(standard_input()?, Origin::nameless(), options)
    }

    /// A stream that somebody else has opened.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn of_reader(reader: Box<dyn Read + Send>) -> Result<Source> {
        Source::of_stream(reader, None, Origin::nameless())
    }

    fn of(file: File, origin: Origin, options: OpenOptions) -> Result<Source> {
        let mapped = if options.mmap && origin.size().is_some_and(|size| size > 0) {
            // A file system that cannot map can still be read.
            Map::of_file(&file).ok()
        } else {
            None
        };
        Source::of_stream(Box::new(file), mapped, origin)
    }

    /// Of a stream, or of the map of the same bytes where there is one.
    fn of_stream(
        stream: Box<dyn Read + Send>,
        mapped: Option<Map>,
        mut origin: Origin,
    ) -> Result<Source> {
        let (kind, mut stream) = sniff(stream)?;
        origin.kind = kind;
        for _ in 0..LAYERS {
            let Kind::Compressed(codec) = origin.kind else {
                break;
            };
            origin.codec.get_or_insert(codec);
            (origin.kind, stream) = sniff(decoder(codec, stream))?;
        }
        let content = match (origin.kind, mapped) {
            (Kind::Compressed(_), _) => {
                let text = format!("the input is compressed more than {LAYERS} times");
                return Err(Error::new(ErrorKind::Unsupported(text)));
            }
            (_, Some(map)) if origin.codec.is_none() => Content::Map(map),
            (Kind::Empty, _) if origin.codec.is_none() => Content::Map(Map::empty()),
            _ => Content::Stream(stream),
        };
        Ok(Source { origin, content })
    }

    /// The bytes alone.
    pub fn into_content(self) -> Content {
        self.content
    }

    /// Where the bytes come from, and the bytes.
    pub fn into_parts(self) -> (Origin, Content) {
        (self.origin, self.content)
    }

    /// The bytes.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Where the bytes come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the content is: that of the decompressed bytes where the source is compressed.
    pub fn kind(&self) -> Kind {
        self.origin.kind
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Map(map) => write!(f, "Map({} bytes)", map.len()),
            Content::Stream(_) => f.write_str("Stream"),
        }
    }
}

#[cold]
fn a_directory() -> Error {
    Error::new(ErrorKind::WrongKind {
        found: "a directory",
        expected: "a file",
    })
}

#[cfg(unix)]
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdin().as_handle().try_clone_to_owned()?.into())
}

/// Names of the standard input; opening them anew can fail where reading it does not.
const STANDARD_INPUT: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
/// Compression within compression that is followed: an archived snapshot that Valkey compressed,
/// on a medium that compresses.
const LAYERS: usize = 3;

/// A file mapped read-only. The file may be changed by others while it is mapped; nothing here
/// relies on a byte staying what it was.
pub struct Map {
    _guard: Option<live::Guard>,
    bytes: Option<Mmap>,
}

impl Map {
    /// The map of nothing.
    pub fn empty() -> Map {
        Map {
            _guard: None,
            bytes: None,
        }
    }

    /// Maps all of a file that others may cut short.
    pub(crate) fn of_file(file: &File) -> io::Result<Map> {
        live::install();
        // SAFETY: the bytes are read as plain `u8`, and every reader of them is total on any
        // bytes, also on bytes that change between two looks. Where the file is cut short, an
        // access raises SIGBUS, and the handler installed above ends the process.
        let bytes = unsafe { Mmap::map(file)? };
        let range = bytes.as_ptr().addr()..bytes.as_ptr().addr() + bytes.len();
        Ok(Map {
            _guard: Some(live::Guard::new(range)?),
            bytes: Some(bytes),
        })
    }

    /// Lets go of a range's pages; they are read again where they are looked at again. Pages
    /// that are partly outside stay.
    #[cfg(unix)]
    fn release(&self, range: Range<u64>) {
        use memmap2::UncheckedAdvice;
        let Some(bytes) = &self.bytes else { return };
        let at = |offset: u64| {
            usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(bytes.len())
        };
        let (start, end) = (
            at(range.start).next_multiple_of(PAGES as usize),
            at(range.end) / PAGES as usize * PAGES as usize,
        );
        if start < end {
            // SAFETY: the map is read-only and backed by a file, so that a page that is gone is
            // read from it again: no byte changes for whoever looks. Advice that fails is no harm.
            let _ = unsafe {
                bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
            };
        }
    }

    /// Has what stands from an offset on not mapped by huge pages, which come and go as one.
    #[cfg(target_os = "linux")]
    fn in_small_pages(&self, offset: u64) {
        let Some(bytes) = &self.bytes else { return };
        let from = usize::try_from(offset).map_or(bytes.len(), |from| from.min(bytes.len()));
        // Advice that fails is no harm.
        let _ = bytes.advise_range(memmap2::Advice::NoHugePage, from, bytes.len() - from);
    }

    /// Other systems are not told.
    #[cfg(not(target_os = "linux"))]
    fn in_small_pages(&self, _: u64) {}

    /// Where a map takes no advice, the system lets go of pages as it sees fit.
    #[cfg(not(unix))]
    fn release(&self, _: Range<u64>) {}

    /// Maps a part of a temporary file that nobody else has, and that is never cut.
    pub(super) fn of_spool(file: &File, range: Range<u64>) -> io::Result<Map> {
        let len = length(range.end.saturating_sub(range.start))?;
        if len == 0 {
            return Ok(Map::empty());
        }
        // SAFETY: the file has no name, its only handle is in `SpoolFile`, which appends and does
        // nothing else; the caller gives a range within what was written.
        let bytes = unsafe { MmapOptions::new().offset(range.start).len(len).map(file)? };
        Ok(Map {
            _guard: None,
            bytes: Some(bytes),
        })
    }
}

/// Pages are let go of in groups of so many bytes, in which the system maps them.
const PAGES: u64 = 64 << 10;

impl Deref for Map {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}

/// A temporary file mapped for writing.
#[derive(Debug)]
pub(super) struct Room(Option<MmapMut>);

impl Room {
    /// Room of `len` zero bytes in a new file without a name, its blocks set aside.
    pub(super) fn zeroed(file: &File, len: u64) -> io::Result<Room> {
        if len == 0 {
            return Ok(Room(None));
        }
        let size = length(len)?;
        set_aside(file, len)?;
        // SAFETY: the caller made the file just now, without a name, and drops its only handle
        // after this call: nobody else can change or cut it. Its blocks exist, so a full disk
        // raises no SIGBUS.
        let bytes = unsafe { MmapOptions::new().len(size).map_mut(file)? };
        Ok(Room(Some(bytes)))
    }
}

impl Deref for Room {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

fn length(len: u64) -> io::Result<usize> {
    usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Makes a new file `len` bytes long, with blocks on disk for all of them.
fn set_aside(file: &File, len: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        use std::os::fd::AsRawFd;
        let end = libc::off_t::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        loop {
            // SAFETY: a plain system call on a descriptor that `file` keeps open.
            match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, end) } {
                0 => return Ok(()),
                libc::EINTR => {}
                libc::EOPNOTSUPP | libc::ENOSYS => break,
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
    // Where the system cannot set blocks aside, zeros that are written take them. The length is
    // set first, since a file system that cannot hold it says so at once.
    file.set_len(len)?;
    io::copy(&mut io::repeat(0).take(len), &mut &*file).map(drop)
}

pub(super) use live::Doomed;

#[cfg(unix)]
mod live {
    //! What signal handlers have to know: which addresses are maps of sources, and which temporary
    //! files must go when the process is ended. Tables of fixed size, made of atomics: a handler
    //! may neither wait nor allocate.

    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::io;
    use std::ops::Range;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
    use std::sync::{Once, OnceLock};

    /// Keeps a range of addresses known as a live map.
    pub(super) struct Guard(&'static Slot);

    struct Slot {
        start: AtomicUsize,
        end: AtomicUsize,
    }

    impl Guard {
        /// # Errors
        /// More maps at once than the table has room for: such a file is read as a stream.
        pub(super) fn new(range: Range<usize>) -> io::Result<Guard> {
            let free = |slot: &&Slot| {
                let old = (FREE, TAKEN);
                slot.start
                    .compare_exchange(old.0, old.1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            };
            let slot = MAPS.iter().find(free).ok_or(io::ErrorKind::OutOfMemory)?;
            slot.end.store(range.end, Ordering::Release);
            slot.start.store(range.start, Ordering::Release);
            Ok(Guard(slot))
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.end.store(0, Ordering::Release);
            self.0.start.store(FREE, Ordering::Release);
        }
    }

    fn is_mapped(address: usize) -> bool {
        MAPS.iter().any(|slot| {
            let start = slot.start.load(Ordering::Acquire);
            start > TAKEN && (start..slot.end.load(Ordering::Acquire)).contains(&address)
        })
    }

    /// Installs the SIGBUS handler, once.
    pub(super) fn install() {
        static ONCE: Once = Once::new();
        // SAFETY: `sigaction` is called with structures that are valid for its whole run; all zero
        // bytes are a valid `sigaction`. The handler keeps to what signal handlers may do.
        ONCE.call_once(|| unsafe {
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, ptr::null(), &mut previous) != 0 {
                return;
            }
            let _ = PREVIOUS.set(previous);
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_sigbus;
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
        });
    }

    /// A page of a source is gone: one line, and status 3. Any other fault comes again on return
    /// and goes to the handler that was there before; a signal that was sent ends the process.
    extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the kernel passes a valid `siginfo_t` to a handler with SA_SIGINFO; everything
        // called is async-signal-safe (`write`, `unlink`, `_exit`, `pause`, `sigaction`,
        // `signal`, `raise`), and `OnceLock::get` is one atomic load.
        unsafe {
            let is_fault = (*info).si_code > 0;
            if is_fault && is_mapped((*info).si_addr().addr()) {
                // Several threads may come to the gap at once: one tells it, and ends all.
                while ENDS.swap(true, Ordering::SeqCst) {
                    libc::pause();
                }
                libc::write(2, CUT_SHORT.as_ptr().cast(), CUT_SHORT.len());
                remove_doomed();
                libc::_exit(3);
            }
            match PREVIOUS.get() {
                Some(previous) if is_fault => {
                    libc::sigaction(signal, previous, ptr::null_mut());
                }
                _ => {
                    libc::signal(signal, libc::SIG_DFL);
                    libc::raise(signal);
                }
            }
        }
    }

    /// A temporary file or folder that is removed when a signal ends the process while this lives.
    #[derive(Debug)]
    pub(in crate::io) struct Doomed(Option<&'static AtomicPtr<c_char>>);

    impl Doomed {
        /// Names a file before it is made; the table being full, or a name with a NUL, is no
        /// reason not to make it.
        pub(in crate::io) fn new(path: &Path) -> Doomed {
            catch_signals();
            let Ok(name) = CString::new(path.as_os_str().as_bytes()) else {
                return Doomed(None);
            };
            // Never freed: a handler may be reading it. A process makes few outputs.
            let name = name.into_raw();
            let free = |slot: &&AtomicPtr<c_char>| {
                let old = ptr::null_mut();
                slot.compare_exchange(old, name, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            };
            Doomed(DOOMED.iter().find(free))
        }
    }

    impl Drop for Doomed {
        fn drop(&mut self) {
            if let Some(slot) = self.0 {
                slot.store(ptr::null_mut(), Ordering::Release);
            }
        }
    }

    /// Files first, then the folders that they were in. Async-signal-safe.
    fn remove_doomed() {
        for remove in [libc::unlink, libc::rmdir] {
            for slot in &DOOMED {
                let name = slot.load(Ordering::Acquire);
                if !name.is_null() {
                    // SAFETY: the table holds names made by `CString::into_raw` and never freed.
                    unsafe { remove(CStr::from_ptr(name).as_ptr()) };
                }
            }
        }
    }

    /// Lets the signals that end a process remove its temporary files first. One that is ignored,
    /// as `nohup` ignores SIGHUP, stays ignored.
    fn catch_signals() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for signal in ENDING {
                if is_ignored(signal) {
                    continue;
                }
                let end = move || {
                    remove_doomed();
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                };
                // SAFETY: `remove_doomed` and `emulate_default_handler` are async-signal-safe.
                // Where registering fails, a signal leaves a temporary file behind, no more.
                let _ = unsafe { signal_hook::low_level::register(signal, end) };
            }
        });
    }

    fn is_ignored(signal: c_int) -> bool {
        // SAFETY: asks for the action of a signal; all zero bytes are a valid `sigaction`.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, ptr::null(), &mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        }
    }

    static MAPS: [Slot; 1024] = [const {
        Slot {
            start: AtomicUsize::new(FREE),
            end: AtomicUsize::new(0),
        }
    }; 1024];
    static DOOMED: [AtomicPtr<c_char>; 64] = [const { AtomicPtr::new(ptr::null_mut()) }; 64];
    /// A thread has found a page gone, and ends the process.
    static ENDS: AtomicBool = AtomicBool::new(false);
    /// What was to happen on SIGBUS before: the standard library tells stack overflows there.
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    /// Starts of a slot that no map has.
    const FREE: usize = 0;
    const TAKEN: usize = 1;
    const ENDING: [c_int; 6] = [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGXCPU,
        libc::SIGXFSZ,
    ];
    const CUT_SHORT: &str = "error: the file was cut short while it was read\n  \
        hint: with `--no-mmap` everything before the cut is still read\n";
}

#[cfg(not(unix))]
mod live {
    //! Where there is no SIGBUS, and the end of a process removes no files.

    use std::io;
    use std::ops::Range;
    use std::path::Path;

    pub(super) struct Guard;

    impl Guard {
        pub(super) fn new(_: Range<usize>) -> io::Result<Guard> {
            Ok(Guard)
        }
    }

    pub(super) fn install() {}

    #[derive(Debug)]
    pub(in crate::io) struct Doomed;

    impl Doomed {
        pub(in crate::io) fn new(_: &Path) -> Doomed {
            Doomed
        }
    }
}

#[cfg(test)]
mod tests;
