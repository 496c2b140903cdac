//! Where an output goes: a file, a pipe, or a folder with the files of a set.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::aof::manifest::{FileEntry, Manifest, Role};
use crate::error::{Error, ErrorKind, Result};
use crate::io::draft_folder::DraftFolder;
use crate::io::echo::Echo;
use crate::io::output::{Existing, Output, cannot_write, empty};
use crate::io::source::{Content, Map, OpenOptions, Source};
use crate::task::mend::Place;
use crate::task::writing::{Layout, Watch};

/// An output under way.
pub(crate) struct Destination {
    to: To,
    /// All is read back as it is written.
    is_read_back: bool,
}

enum To {
    /// A file or a pipe.
    File(Output),
    /// A folder.
    Folder(Box<Folder>),
}

/// A folder under way.
struct Folder {
    draft: DraftFolder,
    place: Place,
    out: PathBuf,
    stem: String,
    base: File,
    echo: Echo,
    written: u64,
    lost: Vec<&'static str>,
}

/// What was written, once it has its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Files with their sizes.
    pub(crate) files: Vec<(String, u64)>,
    /// What could not be carried over or cleared away.
    pub(crate) warnings: Vec<String>,
}

impl Destination {
    /// Opens it. What is read must not be written to; `folder` is the one of the input's files, and
    /// `stem` begins the names of files in a set.
    pub(crate) fn create(
        out: &Path,
        layout: Layout,
        existing: Existing,
        watch: &Watch,
        folder: Option<&Path>,
        stem: &str,
    ) -> Result<Destination> {
        if watch.has(out) {
            return Err(Error::usage(format!("{} is the input", out.display())));
        }
        if layout != Layout::Multipart {
            let output = Output::create(out, existing)?;
            output.refuse_terminal()?;
            return Destination::of(To::File(output));
        }
        let place = Place::of(out, existing, folder, &[])?;
        if watch.is_in(&place.there) {
            return Err(place.holds_input());
        }
        let failed = |error| cannot_write(&out.display().to_string(), error);
        let mut draft = DraftFolder::new(&place.target).map_err(failed)?;
        let mut lost = Vec::new();
        if let Some(replaced) = &place.replaced {
            lost = draft.carry_over(&place.target, replaced).map_err(failed)?;
        }
        let base_name = base_name(stem);
        let base = draft.create(Path::new(&base_name)).map_err(failed)?;
        let echo = Echo::of(&draft.path().join(&base_name)).map_err(failed)?;
        Destination::of(To::Folder(Box::new(Folder {
            draft,
            place,
            out: out.to_path_buf(),
            stem: stem.to_owned(),
            base,
            echo,
            written: 0,
            lost,
        })))
    }

    fn of(mut to: To) -> Result<Destination> {
        let is_read_back = match &mut to {
            To::File(output) => output.read_back()?,
            To::Folder(_) => true,
        };
        Ok(Destination { to, is_read_back })
    }

    /// Writes bytes, and reads them back unless they go through a pipe.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.to {
            To::File(output) => output.write_all(bytes),
            To::Folder(folder) => {
                let name = || folder.out.display().to_string();
                let written = folder.echo.write(&mut folder.base, bytes);
                written.map_err(|error| cannot_write(&name(), error))?;
                folder.written += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// Whether what was written can be taken back.
    pub(crate) fn can_begin_anew(&self) -> bool {
        match &self.to {
            To::File(output) => output.temporary().is_some(),
            To::Folder(_) => true,
        }
    }

    /// Takes back all that was written, where that is [possible](Self::can_begin_anew).
    pub(crate) fn begin_anew(&mut self) -> Result<()> {
        match &mut self.to {
            To::File(output) => output.begin_anew(),
            To::Folder(folder) => {
                let emptied = empty(&mut folder.base);
                emptied.map_err(|error| cannot_write(&folder.out.display().to_string(), error))?;
                folder.echo.begin_anew();
                folder.written = 0;
                Ok(())
            }
        }
    }

    /// Whether all of it was found to be there as it was written.
    pub(crate) fn is_read_back(&self) -> bool {
        self.is_read_back
    }

    /// What was written so far; none where it went through a pipe.
    pub(crate) fn written(&mut self) -> Result<Option<Map>> {
        let path = match &mut self.to {
            To::File(output) => {
                output.flush()?;
                match output.temporary() {
                    Some(path) => path.to_path_buf(),
                    None => return Ok(None),
                }
            }
            To::Folder(folder) => folder.draft.path().join(base_name(&folder.stem)),
        };
        // Bytes of ours, which nobody cuts short.
        let source = Source::open(&path, OpenOptions { mmap: true })?;
        match source.into_content() {
            Content::Map(map) => Ok(Some(map)),
            Content::Stream(_) => Err(Error::new(ErrorKind::Unsupported(format!(
                "{} cannot be read back",
                path.display()
            )))),
        }
    }

    /// Gives it its name, with commands that stand behind the snapshot.
    pub(crate) fn finish(self, behind: &[u8]) -> Result<Given> {
        match self.to {
            To::File(mut output) => {
                output.write_all(behind)?;
                let name = output.name().to_owned();
                let lost = output.lost().iter();
                let warnings = lost.map(|lost| lost_of(&name, lost)).collect();
                let size = output.finish()?;
                let files = vec![(name, size)];
                Ok(Given { files, warnings })
            }
            To::Folder(folder) => folder.finish(behind),
        }
    }
}

impl Folder {
    fn finish(self, behind: &[u8]) -> Result<Given> {
        let Folder {
            mut draft,
            place,
            out,
            stem,
            base,
            echo: _,
            written,
            lost,
        } = self;
        let shown = out.display().to_string();
        let failed = |error| cannot_write(&shown, error);
        draft.sync(&base).map_err(failed)?;
        let incr_name = format!("{stem}.1.incr.aof");
        let mut incr = draft.create(Path::new(&incr_name)).map_err(failed)?;
        let echo = Echo::of(&draft.path().join(&incr_name));
        let written_back = |file: &mut File, echo: io::Result<Echo>, bytes: &[u8]| {
            echo.and_then(|mut echo| echo.write(file, bytes))
                .map_err(failed)
        };
        written_back(&mut incr, echo, behind)?;
        draft.sync(&incr).map_err(failed)?;

        let mut manifest = Manifest::default();
        let entries = [
            FileEntry::new(Role::Base, 1, base_name(&stem)),
            FileEntry::new(Role::Incremental, 1, incr_name.as_str()),
        ];
        for entry in entries {
            let pushed = manifest.push(entry);
            pushed.map_err(|problem| Error::usage(format!("{stem}: {problem}")))?;
        }
        let mut bytes = Vec::new();
        let unwritable = |problem| Error::usage(format!("{stem}: {problem}"));
        manifest.write(&mut bytes).map_err(unwritable)?;
        let manifest_name = format!("{stem}.manifest");
        let mut file = draft.create(Path::new(&manifest_name)).map_err(failed)?;
        let echo = Echo::of(&draft.path().join(&manifest_name));
        written_back(&mut file, echo, &bytes)?;
        draft.sync(&file).map_err(failed)?;

        let leftover = place.commit(draft)?;
        let named = |name: &str| out.join(name).display().to_string();
        let mut warnings: Vec<String> = lost.iter().map(|lost| lost_of(&shown, lost)).collect();
        if let Some(left) = leftover {
            let left = left.display();
            warnings.push(format!("what was there before is still in {left}"));
        }
        Ok(Given {
            files: vec![
                (named(&base_name(&stem)), written),
                (named(&incr_name), behind.len() as u64),
                (named(&manifest_name), bytes.len() as u64),
            ],
            warnings,
        })
    }
}

fn base_name(stem: &str) -> String {
    format!("{stem}.1.base.rdb")
}

fn lost_of(name: &str, what: &str) -> String {
    format!("{name}: its {what} could not be kept")
}
