//! Lines of plain, gzip and zstd files, with the byte where each starts in the uncompressed text.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits;

/// Reads a file line by line into one buffer.
pub(super) struct Lines {
    input: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are filled, and where the next line starts in them.
    filled: usize,
    next: usize,
    /// The uncompressed byte that `buffer` starts at.
    base: u64,
    ended: bool,
}

/// One line without its end.
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    /// The uncompressed byte it starts at.
    pub(super) start: u64,
}

/// Whether a file can only be read from its start.
pub(super) fn is_compressed(path: &Path) -> bool {
    matches!(path.extension().and_then(|e| e.to_str()), Some("gz" | "zst"))
}

impl Lines {
    /// Opens a file at an uncompressed byte where a line starts.
    pub(super) fn open(path: &Path, start: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut skip = start;
        let input: Box<dyn Read> = match path.extension().and_then(|e| e.to_str()) {
            // A recording may be several gzip members behind each other.
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file))),
            Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
            _ => {
                file.seek(SeekFrom::Start(start))?;
                skip = 0;
                Box::new(file)
            }
        };
        let mut lines = Self {
            input,
            buffer: vec![0; limits::RECORDED_READ_BYTES],
            filled: 0,
            next: 0,
            base: start - skip,
            ended: false,
        };
        lines.read_past(start)?;
        Ok(lines)
    }

    /// Goes on to an uncompressed byte where a line starts, at or behind where the reading stands.
    pub(super) fn skip_to(&mut self, path: &Path, start: u64) -> io::Result<()> {
        let far = start - self.base > (self.filled + limits::RECORDED_READ_BYTES) as u64;
        if far && !is_compressed(path) {
            *self = Self::open(path, start)?;
            return Ok(());
        }
        self.read_past(start)
    }

    fn read_past(&mut self, start: u64) -> io::Result<()> {
        while self.base + (self.filled as u64) < start {
            self.base += self.filled as u64;
            (self.filled, self.next) = (0, 0);
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.next = usize::try_from(start - self.base).expect("within the buffer");
        Ok(())
    }

    /// Whether the next line starts before that uncompressed byte.
    pub(super) fn stands_before(&self, end: u64) -> bool {
        self.base + (self.next as u64) < end
    }

    /// The next line; `None` at the end of the file. An unended last line is a line, an empty one is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = self.next;
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                return Ok(Some(self.line(searched + length, 1)));
            }
            searched = self.filled;
            if self.ended {
                return Ok(if self.next == self.filled { None } else { Some(self.line(self.filled, 0)) });
            }
            if self.next > 0 {
                self.buffer.copy_within(self.next..self.filled, 0);
                self.base += self.next as u64;
                self.filled -= self.next;
                searched -= self.next;
                self.next = 0;
            }
            self.ended = self.fill()? == 0;
        }
    }

    fn line(&mut self, end: usize, newline: usize) -> Line<'_> {
        let from = self.next;
        self.next = end + newline;
        Line { bytes: &self.buffer[from..end], start: self.base + from as u64 }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.filled == self.buffer.len() {
            if self.filled >= limits::RECORDED_LINE_BYTES_MAX {
                return Err(io::Error::other("a line longer than any message"));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.filled += count;
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(path: &Path, start: u64) -> Vec<(u64, String)> {
        let mut lines = Lines::open(path, start).expect("opens");
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("reads") {
            found.push((line.start, String::from_utf8_lossy(line.bytes).into_owned()));
        }
        found
    }

    #[test]
    fn plain_gzip_and_zstd_files_have_the_same_lines_from_any_start() {
        let dir = tempfile::tempdir().expect("a folder");
        let long = "x".repeat(3 * limits::RECORDED_READ_BYTES);
        let text = format!("first\n\n{long}\nlast");
        let plain = dir.path().join("a.jsonl");
        std::fs::write(&plain, &text).expect("written");
        let gzip = dir.path().join("a.jsonl.gz");
        // Two members, cut inside a line.
        let mut bytes = Vec::new();
        for part in [&text[..20], &text[20..]] {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).expect("compresses");
            bytes.extend(encoder.finish().expect("compresses"));
        }
        std::fs::write(&gzip, bytes).expect("written");
        let zst = dir.path().join("a.jsonl.zst");
        std::fs::write(&zst, zstd::encode_all(text.as_bytes(), 1).expect("compresses")).expect("written");

        let last = 8 + long.len() as u64;
        let expected = vec![(0, "first".to_owned()), (6, String::new()), (7, long), (last, "last".to_owned())];
        for path in [&plain, &gzip, &zst] {
            assert_eq!(all(path, 0), expected, "{path:?}");
            for from in 1..4 {
                assert_eq!(all(path, expected[from].0), expected[from..], "{path:?}");
            }
        }
        std::fs::write(&plain, "").expect("written");
        assert_eq!(all(&plain, 0), []);
    }

    #[test]
    fn a_truncated_compressed_file_is_an_error_and_not_an_early_end() {
        let dir = tempfile::tempdir().expect("a folder");
        let text: String = (0..5_000).map(|i| format!("{}\n", i * 7919)).collect();
        for (name, bytes) in [
            ("a.zst", zstd::encode_all(text.as_bytes(), 1).expect("compresses")),
            ("a.gz", {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text.as_bytes()).expect("compresses");
                encoder.finish().expect("compresses")
            }),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
            let mut lines = Lines::open(&path, 0).expect("opens");
            let outcome = loop {
                match lines.next() {
                    Ok(Some(_)) => {}
                    other => break other.map(|_| ()),
                }
            };
            assert!(outcome.is_err(), "{name}");
        }
    }
}
