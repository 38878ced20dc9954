//! Files that were read and then are not what they were: parts that a drill cannot read, objects that are not there.
//!
//! Contract: a live file whose drill shows more than its scan is read again, and no segment of it is drilled until what was
//! read has taken its place. A missing object is believed only of a file that a look which began later still finds live: else
//! compaction and expiry took it while it was looked at. Nothing of it is stored: a new process asks once more.

use std::collections::BTreeMap;

use validator_core::shadow::Shadow;
use validator_core::shadow::file::FileId;
use validator_table::FileFault;

/// See the module.
#[derive(Debug, Default)]
pub struct Doubts {
    /// By file: its path, and what its scan could not read.
    scanned: BTreeMap<FileId, (String, Vec<FileFault>)>,
    /// Live files to be read again.
    due: BTreeMap<FileId, Due>,
    /// By path: objects that were not there.
    missing: BTreeMap<String, Missing>,
}

#[derive(Debug)]
struct Due {
    path: String,
    /// It was, and waits for the look that puts it in its place.
    is_read: bool,
}

/// What is known of a file whose object is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// No look began since.
    Seen,
    /// A look began since: what it reads is of metadata that is younger.
    Sought,
    /// A look that began since was applied, and the file is live.
    Live,
}

impl Doubts {
    /// An object is not there. Whether that is news: no look has begun since it was first seen.
    pub fn miss(&mut self, path: &str) -> bool {
        *self.missing.entry(path.to_owned()).or_insert(Missing::Seen) == Missing::Seen
    }

    /// Whether only a look tells what became of a file.
    pub fn awaits_look(&self, path: &str) -> bool {
        self.missing.get(path).is_some_and(|missing| *missing != Missing::Live)
    }

    /// Whether a missing object is of a file that a later look found live.
    pub fn is_lost(&self, path: &str) -> bool {
        self.missing.get(path) == Some(&Missing::Live)
    }

    /// The metadata is about to be asked for.
    pub fn look_begins(&mut self) {
        for missing in self.missing.values_mut().filter(|missing| **missing == Missing::Seen) {
            *missing = Missing::Sought;
        }
    }

    /// A look was applied to its end.
    pub fn looked(&mut self, is_live: impl Fn(&str) -> bool) {
        self.scanned.retain(|_, (path, _)| is_live(path));
        self.missing.retain(|path, missing| {
            if *missing == Missing::Seen {
                return true;
            }
            *missing = Missing::Live;
            is_live(path)
        });
    }

    /// A scan was taken.
    pub fn scanned(&mut self, file: FileId, path: &str, faults: Vec<FileFault>, is_gone: bool, shadow: &Shadow) {
        if !is_gone {
            self.missing.remove(path);
        }
        // Of a path: what is live, and what waits to be.
        self.scanned.retain(|id, (of, _)| shadow.file(*id).is_some() || *of != *path);
        if !faults.is_empty() {
            self.scanned.insert(file, (path.to_owned(), faults));
        }
    }

    /// A drill could not read this of a live file. Whether its scan did not say so.
    pub fn doubt(&mut self, file: FileId, path: &str, fault: &FileFault) -> bool {
        let is_known = self.scanned.get(&file).is_some_and(|(_, known)| covers(known, fault));
        if !is_known {
            self.due.entry(file).or_insert_with(|| Due { path: path.to_owned(), is_read: false });
        }
        !is_known
    }

    /// Whether one of these files is to be read again before it is drilled.
    pub fn holds<'a>(&self, files: impl IntoIterator<Item = &'a FileId>) -> bool {
        files.into_iter().any(|file| self.due.contains_key(file))
    }

    /// The paths to be read again now.
    pub fn due(&self) -> impl Iterator<Item = &str> {
        let due = self.due.values().filter(move |due| !due.is_read && !self.awaits_look(&due.path));
        due.map(|due| due.path.as_str())
    }

    /// A live file was read again.
    pub fn read_again(&mut self, path: &str) {
        self.due.values_mut().filter(|due| due.path == path).for_each(|due| due.is_read = true);
    }

    /// Whether something that was read again waits for its place.
    pub fn has_read(&self) -> bool {
        self.due.values().any(|due| due.is_read)
    }

    /// Files whose place was taken are in doubt no longer.
    pub fn settle(&mut self, shadow: &Shadow) {
        self.due.retain(|file, _| shadow.file(*file).is_some());
    }
}

/// Whether all that a fault takes is known to be lost.
fn covers(known: &[FileFault], fault: &FileFault) -> bool {
    let is_lost = |group: &u32| known.iter().filter_map(|one| one.row_groups.as_ref()).any(|lost| lost.contains(group));
    known.iter().any(|one| one.row_groups.is_none())
        || fault.row_groups.as_ref().is_some_and(|groups| groups.iter().all(is_lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_object_is_believed_after_a_look_that_began_later() {
        let mut doubts = Doubts::default();
        assert!(doubts.miss("a"), "expiry may have taken it");
        assert!(doubts.miss("a"), "no look began since");
        doubts.look_begins();
        assert!(!doubts.miss("a"), "metadata that is younger still names it");
        assert!(doubts.awaits_look("a") && !doubts.is_lost("a"));
        doubts.looked(|_| true);
        assert!(doubts.is_lost("a") && !doubts.awaits_look("a"));
        doubts.looked(|_| false);
        assert!(doubts.miss("a"), "it was live no longer, and is another one");
    }

    #[test]
    fn what_is_missed_during_a_look_is_not_told_by_that_look() {
        let mut doubts = Doubts::default();
        doubts.look_begins();
        assert!(doubts.miss("a"));
        doubts.looked(|_| true);
        assert!(!doubts.is_lost("a"));
    }
}
