//! Damage to the bytes of Parquet files on disk.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};

pub fn footer(path: &Path) -> ParquetMetaData {
    ParquetMetaDataReader::new().parse_and_finish(&File::open(path).unwrap()).unwrap()
}

pub fn chunk(path: &Path, group: usize, column: usize) -> ColumnChunkMetaData {
    footer(path).row_group(group).column(column).clone()
}

/// Flips one bit of the byte at `offset`.
pub fn flip(path: &Path, offset: u64) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

/// Cuts the file to `length` bytes.
pub fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Appends bytes.
pub fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

pub fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

/// Overwrites the first page headers of a row group, so that it does not decode.
pub fn break_row_group(path: &Path, group: usize) {
    let (start, length) = chunk(path, group, 0).byte_range();
    let mut bytes = std::fs::read(path).unwrap();
    bytes[start as usize..(start + length.min(8)) as usize].fill(0xFF);
    std::fs::write(path, bytes).unwrap();
}
