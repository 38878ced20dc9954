//! Answers in files: each is whole or not there, and no two go to the same file.
//!
//! Contract: a file is written beside its place under another name and put there when it is whole, so that a reader, or a
//! run that ends early, never leaves half of one. What is no regular file (a pipe, `/dev/stdout`) is written directly.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written and not yet in its place.
#[must_use = "it is put in its place by `keep`"]
#[derive(Debug)]
pub struct WrittenFile {
    path: PathBuf,
    /// None where it was written directly.
    temporary: Option<NamedTempFile>,
}

/// Writes a file; nothing is in its place until it is kept.
///
/// # Errors
/// Those of the file and of `write`.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>,
) -> io::Result<WrittenFile> {
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let mut out = BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
        write(&mut out)?;
        out.flush()?;
        return Ok(WrittenFile { path: path.to_owned(), temporary: None });
    }
    // A link stays one: the file that it leads to is replaced.
    let path = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".validator-").suffix(".partial");
    #[cfg(unix)]
    let mode = {
        use std::os::unix::fs::PermissionsExt;
        // As a file that is made by its name: the mask of the process applies.
        there.as_ref().map_or(0o666, |there| there.permissions().mode() & 0o777)
    };
    #[cfg(unix)]
    builder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode));
    let temporary = builder.tempfile_in(folder_of(&path))?;
    let mut out = BufWriter::new(temporary.as_file().try_clone()?);
    write(&mut out)?;
    out.flush()?;
    Ok(WrittenFile { path, temporary: Some(temporary) })
}

impl WrittenFile {
    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep(self) -> io::Result<()> {
        match self.temporary {
            Some(temporary) => temporary.persist(&self.path).map(drop).map_err(|error| error.error),
            None => Ok(()),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The first file that is named twice, whatever it is called.
pub fn named_twice<'a>(paths: impl IntoIterator<Item = (&'a str, &'a Path)>) -> Option<(&'a str, &'a str)> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (flag, path) in paths {
        let one = place_of(path);
        if let Some((other, _)) = seen.iter().find(|(_, seen)| *seen == one) {
            return Some((other, flag));
        }
        seen.push((flag, one));
    }
    None
}

/// A path without links and detours; of a file that is not there, that of its folder and its name.
fn place_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let folder = fs::canonicalize(folder_of(path)).unwrap_or_else(|_| folder_of(path).to_owned());
        path.file_name().map_or(folder.clone(), |name| folder.join(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_not_there_until_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.html");
        fs::write(&path, "before").expect("the folder takes files");
        let failed = write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no room"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "before");
        let written = write_whole(&path, |out| out.write_all(b"whole")).expect("there is room");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "before");
        written.keep().expect("it can be replaced");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_who_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "before").expect("the folder takes files");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("it is ours");
        std::os::unix::fs::symlink(&real, &link).expect("the folder takes links");
        write_whole(&link, |out| out.write_all(b"after")).and_then(WrittenFile::keep).expect("there is room");
        assert_eq!(fs::read_to_string(&real).expect("it is there"), "after");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::metadata(&real).expect("it is there").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_is_named_twice_however_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (plain, detour, other) =
            (path("a.html"), path("../").join(folder.path().file_name().expect("a name")).join("a.html"), path("b"));
        assert_eq!(named_twice([("--html", plain.as_path()), ("--junit", &other)]), None);
        assert_eq!(named_twice([("--html", plain.as_path()), ("--junit", &detour)]), Some(("--html", "--junit")));
    }
}
