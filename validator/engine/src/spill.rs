//! One temporary file for many parts: a file for each would use up the descriptors of the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use datafusion::execution::disk_manager::RefCountedTempFile;
use datafusion::execution::runtime_env::RuntimeEnv;

/// A file that is made with its first part.
#[derive(Debug)]
pub struct Spill {
    what: &'static str,
    open: Mutex<Option<Open>>,
    runtime: Arc<RuntimeEnv>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    end: u64,
    _kept: RefCountedTempFile,
}

impl Spill {
    /// For parts of this kind, in a temporary file of `runtime`.
    pub fn new(what: &'static str, runtime: Arc<RuntimeEnv>) -> Self {
        Self { what, open: Mutex::default(), runtime }
    }

    /// Appends a part; where it begins.
    ///
    /// # Errors
    /// There is no room.
    pub fn append(&self, bytes: &[u8]) -> Result<u64> {
        let (file, at) = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let open = match &mut *open {
                Some(open) => open,
                none => none.insert(self.create()?),
            };
            let at = open.end;
            open.end += bytes.len() as u64;
            (Arc::clone(&open.file), at)
        };
        file.write_all_at(bytes, at)?;
        Ok(at)
    }

    fn create(&self) -> Result<Open> {
        let kept = self.runtime.disk_manager.create_tmp_file(self.what)?;
        let file = File::options().read(true).write(true).open(kept.path())?;
        Ok(Open { file: Arc::new(file), end: 0, _kept: kept })
    }

    /// So many bytes from there on.
    ///
    /// # Errors
    /// They cannot be read back.
    pub fn read(&self, at: u64, bytes: usize) -> Result<Vec<u8>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = open.as_ref().map(|open| Arc::clone(&open.file));
        drop(open);
        let mut part = vec![0; bytes];
        match file {
            Some(file) => file.read_exact_at(&mut part, at)?,
            None if bytes == 0 => {}
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
        Ok(part)
    }

    /// Gives the file back: nobody reads its parts any more.
    pub fn clear(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Bytes that lie in the file.
    pub fn bytes(&self) -> u64 {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |open| open.end)
    }
}

/// What was read back is not what was written.
pub fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a temporary file is not as it was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_many_threads_come_back_whole() {
        let spill = Spill::new("parts of a test", Arc::default());
        assert_eq!((spill.bytes(), spill.read(0, 0).expect("nothing is there")), (0, Vec::new()));
        assert!(spill.read(0, 1).is_err());
        let write = |thread: u8| (0..200_u8).map(|n| (spill.append(&vec![thread ^ n; usize::from(n)]), n)).collect();
        let parts: Vec<Vec<_>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || -> Vec<_> { write(thread) })).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        for (thread, parts) in (0..).zip(parts) {
            for (at, n) in parts {
                let part = spill.read(at.expect("there is room"), usize::from(n)).expect("it is there");
                assert_eq!(part, vec![thread ^ n; usize::from(n)]);
            }
        }
        assert_eq!(spill.bytes(), 4 * (0..200).sum::<u64>());
        assert!(spill.read(spill.bytes(), 1).is_err());
        spill.clear();
        assert_eq!(spill.append(&[1]).expect("there is room"), 0);
    }
}
