//! What is to change in which file: data only, made before anything is changed.

use std::ops::Range;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::aof::manifest::{FileEntry, Manifest};
use crate::error::{Error, Result};
use crate::io::source::{Identity, Origin};

/// What is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// In a single file.
    File(FilePlan),
    /// In the files of a multi-part AOF.
    Set(SetPlan),
}

impl Plan {
    /// True where nothing would change.
    pub fn is_unchanged(&self) -> bool {
        match self {
            Plan::File(file) => file.is_unchanged(),
            Plan::Set(set) => set.is_unchanged(),
        }
    }

    /// The files concerned, unchanged ones included, in load order.
    pub fn files(&self) -> &[FilePlan] {
        match self {
            Plan::File(file) => std::slice::from_ref(file),
            Plan::Set(set) => &set.files,
        }
    }
}

/// Bytes that go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Offset of the first one.
    pub start: u64,
    /// Offset behind the last one.
    pub end: u64,
    /// Why: the code of a finding.
    pub why: &'static str,
}

/// Bytes that come in, as a SELECT whose place was damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Offset in the original of the byte that they stand before; not inside what goes.
    pub at: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What the file was when the plan was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Which file it was, where the system tells.
    pub identity: Option<Identity>,
    /// When it was last modified, where the system tells.
    pub modified: Option<SystemTime>,
}

impl Seen {
    /// What was seen when an input was opened.
    pub fn of(origin: &Origin) -> Seen {
        Seen {
            identity: origin.identity(),
            modified: origin.modified(),
        }
    }
}

/// What is to change in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// Its path; what a symbolic link leads to is meant.
    pub path: PathBuf,
    /// Its size when the plan was made.
    pub size: u64,
    /// What else was known of it then. What is known must still be so when the plan is applied.
    pub seen: Seen,
    /// What goes: sorted, none empty, none touching or overlapping the next without need.
    pub removed: Vec<Removed>,
    /// What comes in, sorted; several at one place stand in this order.
    pub inserted: Vec<Inserted>,
}

/// A part of what a file becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// These bytes of the original.
    Kept(Range<u64>),
    /// These new bytes.
    New(&'p [u8]),
}

impl FilePlan {
    /// Nothing changes yet.
    pub fn new(path: impl Into<PathBuf>, size: u64) -> FilePlan {
        FilePlan {
            path: path.into(),
            size,
            seen: Seen::default(),
            removed: Vec::new(),
            inserted: Vec::new(),
        }
    }

    /// Nothing changes yet in this input; `None` for one that is no plain file.
    pub fn of(origin: &Origin) -> Option<FilePlan> {
        let plan = FilePlan::new(origin.path()?, origin.content_size()?);
        let seen = Seen::of(origin);
        Some(FilePlan { seen, ..plan })
    }

    /// What the file becomes, in order; no part is empty.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut inserted = self.inserted.iter().peekable();
        let mut at = 0;
        let end = Removed {
            start: self.size,
            end: self.size,
            why: "",
        };
        for removed in self.removed.iter().chain([&end]) {
            while let Some(new) = inserted.next_if(|new| new.at <= removed.start) {
                if at < new.at {
                    parts.push(Part::Kept(at..new.at));
                    at = new.at;
                }
                if !new.bytes.is_empty() {
                    parts.push(Part::New(&new.bytes));
                }
            }
            if at < removed.start {
                parts.push(Part::Kept(at..removed.start));
            }
            at = removed.end;
        }
        parts
    }

    /// The bytes of the original that stay, as ranges that are apart from each other.
    pub fn kept(&self) -> Vec<Range<u64>> {
        let mut kept: Vec<Range<u64>> = Vec::new();
        for part in self.parts() {
            match (part, kept.last_mut()) {
                (Part::Kept(range), Some(last)) if last.end == range.start => last.end = range.end,
                (Part::Kept(range), _) => kept.push(range),
                (Part::New(_), _) => {}
            }
        }
        kept
    }

    /// Bytes that go.
    pub fn removed_size(&self) -> u64 {
        let sizes = self
            .removed
            .iter()
            .map(|removed| removed.end.saturating_sub(removed.start));
        sizes.sum()
    }

    /// The size that the file will have.
    pub fn new_size(&self) -> u64 {
        let new: u64 = self.inserted.iter().map(|new| new.bytes.len() as u64).sum();
        self.size
            .saturating_sub(self.removed_size())
            .saturating_add(new)
    }

    /// True where nothing changes.
    pub fn is_unchanged(&self) -> bool {
        self.removed.is_empty() && self.inserted.iter().all(|new| new.bytes.is_empty())
    }

    /// True where all that changes is that the file ends earlier.
    pub fn only_cuts_tail(&self) -> bool {
        let mut at = self.new_size();
        let touching = self.removed.iter().all(|removed| {
            let touches = removed.start == at;
            at = removed.end;
            touches
        });
        !self.removed.is_empty()
            && touching
            && at == self.size
            && self.inserted.iter().all(|new| new.bytes.is_empty())
    }

    /// Holds the plan against its own rules.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self) -> Result<()> {
        let mut at = 0;
        for removed in &self.removed {
            if removed.start < at || removed.end <= removed.start {
                return Err(broken("regions overlap, are empty or out of order"));
            }
            at = removed.end;
        }
        if at > self.size {
            return Err(broken("a region goes beyond the end of the file"));
        }
        let mut at = 0;
        for new in &self.inserted {
            let inside = |removed: &Removed| removed.start < new.at && new.at < removed.end;
            if new.at < at || new.at > self.size || self.removed.iter().any(inside) {
                return Err(broken(
                    "new bytes stand out of order or in a region that goes",
                ));
            }
            at = new.at;
        }
        Ok(())
    }
}

#[cold]
fn broken(why: &str) -> Error {
    Error::usage(format!("the plan is not one: {why}"))
}

/// What is to change in the files of a multi-part AOF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPlan {
    /// Their folder.
    pub folder: PathBuf,
    /// The bare name of the manifest, also where there is none yet.
    pub manifest_name: Vec<u8>,
    /// The bytes of the manifest as it is; nothing where there is none.
    pub old_manifest: Option<Vec<u8>>,
    /// The manifest as it shall be, but with the names that the files have now. A file that it no
    /// longer names is left where it is.
    pub manifest: Manifest,
    /// The manifest was made anew, because there is none or it cannot be read.
    pub rebuilt: bool,
    /// What changes in each file that is loaded, in load order: one for each of
    /// [`Manifest::in_load_order`].
    pub files: Vec<FilePlan>,
}

impl SetPlan {
    /// True where nothing would change.
    pub fn is_unchanged(&self) -> bool {
        self.keeps_manifest() && self.files.iter().all(FilePlan::is_unchanged)
    }

    /// True where the manifest as it is says the same as it shall.
    pub fn keeps_manifest(&self) -> bool {
        use crate::aof::manifest::Dialect::{Redis, Valkey8, Valkey9};
        let is_wanted = |bytes: &Vec<u8>| {
            let read = [Redis, Valkey8, Valkey9].map(|dialect| Manifest::parse_as(bytes, dialect));
            read.iter().flatten().any(|old| *old == self.manifest)
        };
        !self.rebuilt && self.old_manifest.as_ref().is_some_and(is_wanted)
    }

    /// True where all that changes is that the last file ends earlier: then it is cut in place.
    pub fn only_cuts_tail(&self) -> bool {
        let Some((last, others)) = self.files.split_last() else {
            return false;
        };
        // A file that is loaded twice would be cut in both places.
        let twice = || others.iter().any(|other| other.path == last.path);
        self.keeps_manifest()
            && last.only_cuts_tail()
            && others.iter().all(FilePlan::is_unchanged)
            && !twice()
    }

    /// Holds the plan against its own rules.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self) -> Result<()> {
        if self.files.len() != self.manifest.in_load_order().count() {
            return Err(broken(
                "it has not one file for each that the manifest names",
            ));
        }
        if self.files.is_empty() {
            return Err(broken("no file is left"));
        }
        let name = self.manifest_name.as_slice();
        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
            return Err(broken("the name of the manifest is none"));
        }
        let is_of = |(file, entry): (&FilePlan, &FileEntry)| {
            let name = file.path.file_name().unwrap_or_default();
            name.as_encoded_bytes() == entry.name
        };
        if !self
            .files
            .iter()
            .zip(self.manifest.in_load_order())
            .all(is_of)
        {
            return Err(broken("a file is not the one that the manifest names"));
        }
        self.files.iter().try_for_each(FilePlan::check)
    }
}

/// What becomes of the bytes that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// They are put into this folder, with an index. Else beside their file.
    pub quarantine: Option<PathBuf>,
    /// They are not kept at all.
    pub discard_removed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(size: u64, removed: &[(u64, u64)], inserted: &[(u64, &str)]) -> FilePlan {
        let removed = removed.iter().map(|&(start, end)| Removed {
            start,
            end,
            why: "x",
        });
        let inserted = inserted.iter().map(|(at, text)| Inserted {
            at: *at,
            bytes: text.as_bytes().to_vec(),
        });
        FilePlan {
            removed: removed.collect(),
            inserted: inserted.collect(),
            ..FilePlan::new("a", size)
        }
    }

    fn shown(plan: &FilePlan) -> String {
        let original: String = ('a'..='z').collect();
        let parts = plan.parts();
        let text = parts.iter().map(|part| match part {
            Part::Kept(range) => {
                &original
                    [usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
            }
            Part::New(bytes) => std::str::from_utf8(bytes).unwrap(),
        });
        text.collect()
    }

    #[test]
    fn what_a_file_becomes_is_what_stays_and_what_comes_in() {
        for (removed, inserted, becomes) in [
            (&[][..], &[][..], "abcdefghij"),
            (&[(0, 3)], &[], "defghij"),
            (&[(7, 10)], &[], "abcdefg"),
            (&[(2, 4), (4, 5), (8, 9)], &[], "abfghj"),
            (&[(0, 10)], &[], ""),
            (&[(2, 4)], &[(2, "1"), (4, "2")], "ab12efghij"),
            (
                &[],
                &[(0, "1"), (5, "2"), (5, "3"), (10, "4")],
                "1abcde23fghij4",
            ),
            (&[(0, 10)], &[(0, "1"), (10, "2")], "12"),
            (&[(2, 4), (4, 6)], &[(4, "1")], "ab1ghij"),
        ] {
            let plan = plan(10, removed, inserted);
            plan.check().unwrap();
            assert_eq!(shown(&plan), becomes);
            assert_eq!(plan.new_size(), becomes.len() as u64);
            assert_eq!(plan.is_unchanged(), becomes == "abcdefghij");
        }
    }

    #[test]
    fn a_plan_that_breaks_its_rules_is_none() {
        for (removed, inserted) in [
            (&[(3, 3)][..], &[][..]),
            (&[(4, 3)], &[]),
            (&[(3, 11)], &[]),
            (&[(3, 6), (5, 7)], &[]),
            (&[(5, 7), (1, 2)], &[]),
            (&[(3, 6)], &[(4, "x")]),
            (&[], &[(11, "x")]),
            (&[], &[(5, "x"), (4, "y")]),
        ] {
            plan(10, removed, inserted).check().unwrap_err();
        }
    }

    #[test]
    fn only_a_cut_tail_is_one() {
        assert!(plan(10, &[(7, 10)], &[]).only_cuts_tail());
        assert!(plan(10, &[(5, 7), (7, 10)], &[]).only_cuts_tail());
        assert!(plan(10, &[(0, 10)], &[]).only_cuts_tail());
        assert!(!plan(10, &[], &[]).only_cuts_tail());
        assert!(!plan(10, &[(7, 9)], &[]).only_cuts_tail());
        assert!(!plan(10, &[(1, 2), (7, 10)], &[]).only_cuts_tail());
        assert!(!plan(10, &[(7, 10)], &[(7, "x")]).only_cuts_tail());
    }

    proptest! {
        #[test]
        fn kept_and_removed_make_the_whole(cuts in prop::collection::btree_set(0_u64..100, 0..12)) {
            let cuts: Vec<u64> = cuts.into_iter().collect();
            let removed: Vec<(u64, u64)> = cuts.chunks_exact(2).map(|c| (c[0], c[1])).collect();
            let plan = plan(100, &removed, &[(100, "")]);
            plan.check().unwrap();
            let kept = plan.kept();
            prop_assert!(kept.windows(2).all(|pair| pair[0].end < pair[1].start));
            let mut all: Vec<u64> = kept.into_iter().flatten().collect();
            prop_assert_eq!(all.len() as u64, plan.new_size());
            all.extend(removed.iter().flat_map(|&(start, end)| start..end));
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..100));
        }
    }
}
