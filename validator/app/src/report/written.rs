//! Answers in files: each is whole or not there, and no two go to the same file.
//!
//! Contract: a file is written beside its place under another name and put there when it is whole, so that a run that ends
//! early never leaves half of one, and no reader sees one. What is no regular file (a pipe, `/dev/stdout`) is written
//! directly; where a file may be written but nothing beside it, it is written elsewhere first, and then copied.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written. Dropped, it leaves nothing behind, and what was in its place is still there.
#[derive(Debug)]
pub struct BegunFile {
    path: PathBuf,
    out: BufWriter<fs::File>,
    /// None where it is written directly.
    temporary: Option<NamedTempFile>,
}

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
    let mut begun = begin(path)?;
    write(begun.writer())?;
    begun.whole()
}

/// Begins a file for who writes it bit by bit.
///
/// # Errors
/// Those of the file.
pub fn begin(path: &Path) -> io::Result<BegunFile> {
    let there = fs::metadata(path).ok();
    if let Some(direct) = direct(path, there.as_ref())? {
        return Ok(BegunFile { path: path.to_owned(), out: BufWriter::new(direct), temporary: None });
    }
    // A link stays one: the file that it leads to is replaced.
    let path = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
    if there.is_some() {
        // One that must not be changed is not replaced either.
        fs::OpenOptions::new().write(true).open(&path)?;
    }
    let temporary = temporary(&path, there.as_ref())?;
    let out = BufWriter::new(temporary.as_file().try_clone()?);
    Ok(BegunFile { path, out, temporary: Some(temporary) })
}

impl BegunFile {
    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is written directly: what was written is read by now.
    pub fn is_direct(&self) -> bool {
        self.temporary.is_none()
    }

    /// Takes what it is to hold.
    pub fn writer(&mut self) -> &mut BufWriter<fs::File> {
        &mut self.out
    }

    /// A second handle, for who brings a buffer of its own.
    ///
    /// # Errors
    /// Those of the process: too many files are open.
    pub fn handle(&self) -> io::Result<fs::File> {
        self.out.get_ref().try_clone()
    }

    /// All of it is written.
    ///
    /// # Errors
    /// Those of the file.
    pub fn whole(mut self) -> io::Result<WrittenFile> {
        self.out.flush()?;
        if let Some(temporary) = &self.temporary {
            // The new name must not be on the disk before what it names.
            temporary.as_file().sync_all()?;
        }
        Ok(WrittenFile { path: self.path, temporary: self.temporary })
    }
}

/// Tries whether a file can be written, and leaves all as it is. Of what is no regular file only writing tells.
///
/// # Errors
/// Those of the file and its folder.
pub fn try_place(path: &Path) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    if is_direct(path, there.as_ref()) {
        return Ok(());
    }
    if there.is_some() {
        fs::OpenOptions::new().write(true).open(path)?;
    }
    let path = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
    temporary(&path, there.as_ref()).map(drop)
}

/// A file beside its place; elsewhere where only the content of the place can be changed.
fn temporary(path: &Path, there: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As a file that is made by its name: the mask of the process applies.
    let mode = there.map_or(0o666, |there| there.permissions().mode() & 0o777);
    builder.prefix(".validator-").suffix(".partial").permissions(fs::Permissions::from_mode(mode));
    match builder.tempfile_in(folder_of(path)) {
        Err(_) if there.is_some() => builder.tempfile(),
        beside => beside,
    }
    .map_err(of_system)
}

/// What the system said, without the name of a file that nobody asked for.
fn of_system(error: io::Error) -> io::Error {
    let (kind, words) = (error.kind(), error.to_string());
    words.split_once(" at path ").map_or(error, |(system, _)| io::Error::new(kind, system.to_owned()))
}

/// Whether what is there is no file of its own: a device, a pipe, or a stream of a process, which is written where it stands.
fn is_direct(path: &Path, there: Option<&fs::Metadata>) -> bool {
    let is_stream = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|streams| path.starts_with(streams));
    there.is_some_and(|there| is_stream || !there.is_file())
}

/// What is written directly: the streams of this process, devices and pipes.
fn direct(path: &Path, there: Option<&fs::Metadata>) -> io::Result<Option<fs::File>> {
    // Opened by its name, a stream that leads to a file would begin at its start once more.
    match path.to_str() {
        Some("/dev/stdout") => return io::stdout().as_fd().try_clone_to_owned().map(fs::File::from).map(Some),
        Some("/dev/stderr") => return io::stderr().as_fd().try_clone_to_owned().map(fs::File::from).map(Some),
        _ => {}
    }
    if is_direct(path, there) { fs::OpenOptions::new().append(true).open(path).map(Some) } else { Ok(None) }
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
            Some(temporary) => match temporary.persist(&self.path) {
                Ok(_) => Ok(()),
                // Another file system, or a place that only its content can be changed of.
                Err(error) if self.path.is_file() => fs::copy(error.file.path(), &self.path).map(drop),
                Err(error) => Err(error.error),
            },
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

    #[test]
    fn a_link_stays_a_link_and_a_file_keeps_who_may_read_it() {
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

    /// What lies below /dev is not all devices: in a container `/dev/shm` is the usual place for files.
    #[test]
    fn a_file_below_dev_is_one_as_any_other() {
        let folder = tempfile::tempdir_in("/dev/shm").expect("Linux has it");
        let path = folder.path().join("r.html");
        for text in ["first and long", "second"] {
            write_whole(&path, |out| out.write_all(text.as_bytes()))
                .and_then(WrittenFile::keep)
                .expect("there is room");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
        }
        write_whole(Path::new("/dev/null"), |out| out.write_all(b"gone"))
            .and_then(WrittenFile::keep)
            .expect("a device");
        assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
    }

    /// A descriptor that leads to a file is written where it stands, and the file is not replaced below its owner.
    #[test]
    fn a_descriptor_is_written_where_it_stands() {
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut log = fs::File::create(&path).expect("the folder takes files");
        log.write_all(b"before ").expect("there is room");
        let name = format!("/dev/fd/{}", log.as_raw_fd());
        write_whole(Path::new(&name), |out| out.write_all(b"after")).and_then(WrittenFile::keep).expect("it is open");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "before after");
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
