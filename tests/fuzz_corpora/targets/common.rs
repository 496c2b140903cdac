//! What the targets share: limits, files in memory, and values as they are told.

use std::fs;
use std::path::{Path, PathBuf};

use redkit::bytes::{Element, Problem};
use redkit::error::{Error, Place, Result};
use redkit::io::progress::Quiet;
use redkit::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use redkit::record::{DataType, ValueVisitor};
use redkit::report::Findings;
use redkit::task::Run;
use redkit::task::dump::ChunkSink;

/// Memory that a run may take on top of what the process has: commands of few bytes can ask for much.
const MEMORY: u64 = 8 << 20;

/// Memory that the process may take.
pub(super) fn memory() -> u64 {
    redkit::io::memory::resident().unwrap_or(1 << 30) + MEMORY
}

pub(super) fn run(threads: usize) -> Run<'static> {
    Run {
        threads,
        mmap: true,
        max_spool: 64 << 20,
        max_memory: memory(),
        progress: &Quiet,
    }
}

/// A folder in memory where there is such a file system; gone with what is in it.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Folder {
        let in_memory = Path::new("/dev/shm");
        let folder = match in_memory.is_dir() {
            true => tempfile::tempdir_in(in_memory),
            false => tempfile::tempdir(),
        };
        Folder(folder.expect("a folder for temporary files"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn with(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("room for a small file");
        path
    }
}

/// Takes text.
#[derive(Default)]
pub(super) struct Text(pub(super) Vec<u8>);

impl ChunkSink for Text {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

/// Every finding is about bytes that are there.
pub(super) fn inside(findings: &Findings, size: u64) {
    for finding in findings.list() {
        assert!(finding.place.offset <= size, "{finding:?}");
        assert!(finding.start <= finding.end, "{finding:?}");
        assert!(finding.end <= size, "{finding:?}");
    }
}

/// An error may be anything but the program's own.
pub(super) fn not_ours(error: &Error) {
    let text = format!("{error} {error:?}");
    assert!(!text.contains("fault of redkit"), "{text}");
}

/// What a value is told to consist of, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) lines: Vec<String>,
    pub(super) flaws: Vec<Problem>,
    /// Leave out the expiry of fields.
    pub(super) no_field_expiry: bool,
    pub(super) is_ordered: bool,
}

fn text(element: Element<'_>) -> String {
    element.to_bytes().escape_ascii().to_string()
}

impl Told {
    /// The same where order means nothing: what is told of anything but lists and streams, sorted.
    pub(super) fn settled(mut self) -> Vec<String> {
        if !self.is_ordered {
            self.lines.sort();
        }
        self.lines
    }

    /// Whether an element, a field or a member is told twice.
    pub(super) fn has_twice(&self) -> bool {
        if self.is_ordered {
            return false;
        }
        let name = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut names: Vec<_> = self.lines.iter().map(name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        names.len() != all
    }
}

impl ValueVisitor for Told {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.lines.push(format!("string {}", text(value)));
        Ok(())
    }

    fn begin(&mut self, of: DataType, _count: Option<u64>) -> Result<()> {
        self.is_ordered = matches!(of, DataType::List | DataType::Stream | DataType::Array);
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.lines.push(format!("element {}", text(element)));
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let expiry = expires_at.filter(|_| !self.no_field_expiry);
        let (name, value) = (text(name), text(value));
        self.lines.push(format!("field {name} {value} {expiry:?}"));
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        // The two zeros are one score, and servers lose the sign in one form.
        let score = if score == 0.0 { 0.0 } else { score };
        let line = format!("member {} {:x}", text(member), score.to_bits());
        self.lines.push(line);
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        // A name may stand as a number or as its digits.
        let words: Vec<Vec<u8>> = match event {
            StreamEvent::Field(name, value) => {
                vec![name.to_bytes().into(), value.to_bytes().into()]
            }
            StreamEvent::Group { name, .. }
            | StreamEvent::Consumer { name, .. }
            | StreamEvent::Producer { id: name, .. }
            | StreamEvent::Message { iid: name, .. }
            | StreamEvent::Pending {
                consumer: Some(name),
                ..
            } => vec![name.to_bytes().into()],
            _ => Vec::new(),
        };
        let word = |n: usize| Element::Bytes(words.get(n).map_or(&[], Vec::as_slice));
        let mut event = event;
        match &mut event {
            StreamEvent::Field(name, value) => (*name, *value) = (word(0), word(1)),
            StreamEvent::Group { name, .. }
            | StreamEvent::Consumer { name, .. }
            | StreamEvent::Producer { id: name, .. }
            | StreamEvent::Message { iid: name, .. }
            | StreamEvent::Pending {
                consumer: Some(name),
                ..
            } => *name = word(0),
            _ => {}
        }
        self.lines.push(format!("{event:?}"));
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        self.lines.push(format!("{event:?}"));
        Ok(())
    }

    fn slot(&mut self, index: u64, item: ArrayItem<'_>) -> Result<()> {
        self.lines.push(format!("slot {index} {item:?}"));
        Ok(())
    }

    fn flaw(&mut self, problem: Problem, _place: Place) -> Result<()> {
        self.flaws.push(problem);
        Ok(())
    }
}
