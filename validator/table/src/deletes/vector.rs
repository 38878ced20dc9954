//! A deletion vector: one blob `deletion-vector-v1` of a Puffin file.
//!
//! Contract: magic, length, checksum, the set itself, its number of positions and the data file it belongs to are all
//! checked; a vector that fails one check says nothing. Source: Iceberg specification, "deletion-vector-v1".

use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::contain::contained;
use crate::limits::DELETES_OF_FILE_BYTES_MAX;
use crate::manifest::inconsistent;
use crate::reader::footer::{store_fault, whole};
use crate::storage::canonical_location;
use crate::{DataFile, FaultKind, Storage};

use super::plan::DeleteFile;
use super::puffin::{Footer, Footers};
use super::{Loaded, Unknown};

const KIND: &str = "deletion-vector-v1";
const MAGIC: [u8; 4] = [0xD1, 0xD3, 0x39, 0x64];
/// Length of magic and vector, before it, and the checksum, behind it: both 4 bytes, big-endian.
const AROUND_BYTES: usize = 8;

/// Reads it.
///
/// # Errors
/// It is not there, is broken, or is not what its manifest entry says.
pub(crate) async fn read(storage: &Storage, footers: &Footers, delete: &DeleteFile) -> Result<Loaded, Unknown> {
    let file = &delete.file;
    let (Some(referenced), Some((offset, length))) = (&delete.referenced, delete.blob) else {
        let detail = "its manifest entry does not say which data file or where the deletion vector lies".to_owned();
        return Err(Unknown::inconsistent("deletion_vector_entry", &file.path, detail));
    };
    if length > DELETES_OF_FILE_BYTES_MAX {
        let detail = format!("a deletion vector of {length} bytes is larger than {DELETES_OF_FILE_BYTES_MAX}");
        return Err(Unknown::of_fault(whole(file, FaultKind::Unreadable, detail)));
    }
    let (object, footer) = footers.of(storage, file).await.map_err(Unknown::of_fault)?;
    let range = blob_range(&footer, delete, (offset, length), referenced)?;
    let read = object.ranges(std::slice::from_ref(&range)).await;
    let read = read.map_err(|error| Unknown::of_fault(store_fault(&error, file)))?;
    let decoded = read.first().ok_or_else(|| "short read".to_owned()).and_then(|blob| decode(blob));
    let set = decoded.map_err(|detail| {
        let detail = format!("the deletion vector at {offset} does not read: {detail}");
        Unknown::of_fault(whole(file, FaultKind::Corrupt, detail))
    })?;
    check_cardinality(file, offset, set.len(), file.record_count, "manifest entry")?;
    let mut findings = Vec::new();
    if footer.size != file.size {
        let detail = format!("the file has {} bytes, its manifest entry says {}", footer.size, file.size);
        findings.push(inconsistent("size_mismatch", &file.path, detail));
    }
    Ok(Loaded { by_path: [(referenced.clone(), Arc::new(set))].into(), findings })
}

/// Holds the place that the manifest names against the footer.
fn blob_range(
    footer: &Footer,
    delete: &DeleteFile,
    (offset, length): (u64, u64),
    referenced: &str,
) -> Result<std::ops::Range<u64>, Unknown> {
    let path = &delete.file.path;
    let range = offset.checked_add(length).filter(|end| *end <= footer.blobs_end).map(|end| offset..end);
    let Some(range) = range else {
        let detail =
            format!("its manifest entry places {length} bytes at {offset}, the blobs end at {}", footer.blobs_end);
        return Err(Unknown::inconsistent("deletion_vector_place", path, detail));
    };
    let Some(blobs) = &footer.blobs else { return Ok(range) };
    let Some(blob) = blobs.get(&(offset, length)).filter(|blob| blob.kind == KIND) else {
        let detail = format!("the file has no deletion vector of {length} bytes at {offset}");
        return Err(Unknown::inconsistent("deletion_vector_place", path, detail));
    };
    if let Some(other) = blob.referenced.as_deref().filter(|other| canonical_location(other) != referenced) {
        let detail = format!("the deletion vector at {offset} is of {other}, its manifest entry says {referenced}");
        return Err(Unknown::inconsistent("delete_target", path, detail));
    }
    if let Some(said) = blob.cardinality {
        check_cardinality(&delete.file, offset, delete.file.record_count, said, "footer")?;
    }
    Ok(range)
}

fn check_cardinality(file: &DataFile, offset: u64, has: u64, said: u64, by: &str) -> Result<(), Unknown> {
    if has == said {
        return Ok(());
    }
    let detail = format!("the deletion vector at {offset} has {has} positions, its {by} says {said}");
    Err(Unknown::inconsistent("deletion_vector_cardinality", &file.path, detail))
}

fn decode(blob: &[u8]) -> Result<RoaringTreemap, String> {
    let short = || format!("{} bytes are no deletion vector", blob.len());
    let (length, rest) = blob.split_first_chunk().ok_or_else(short)?;
    let (body, checksum) = rest.split_last_chunk().ok_or_else(short)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length != body.len() {
        return Err(format!("it says that it has {length} bytes, and has {}", blob.len() - AROUND_BYTES));
    }
    let vector = body.strip_prefix(&MAGIC).ok_or("it does not begin with its magic")?;
    let mut crc = flate2::Crc::new();
    crc.update(body);
    if crc.sum() != u32::from_be_bytes(*checksum) {
        return Err("its checksum is wrong".to_owned());
    }
    let read = contained(|| {
        let mut rest = vector;
        RoaringTreemap::deserialize_from(&mut rest).map(|set| (set, rest.len()))
    });
    match read.map_err(|panicked| panicked.to_string())?.map_err(|error| error.to_string())? {
        (set, 0) => Ok(set),
        (_, left) => Err(format!("{left} bytes are left behind its positions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(set: &RoaringTreemap) -> Vec<u8> {
        let mut body = MAGIC.to_vec();
        set.serialize_into(&mut body).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        [&(body.len() as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat()
    }

    fn marks() -> RoaringTreemap {
        (0..9_000).step_by(3).chain([1 << 33, (1 << 40) + 7]).collect()
    }

    #[test]
    fn a_deletion_vector_is_the_set_that_was_written() {
        for set in [marks(), RoaringTreemap::new(), (0..100_000).collect()] {
            assert_eq!(decode(&blob(&set)).unwrap(), set);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_deletion_vector_is_noticed() {
        let whole = blob(&(0..300).step_by(7).collect());
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                assert!(decode(&bytes).is_err(), "bit {bit} of byte {at}");
            }
            assert!(decode(&whole[..at]).is_err(), "cut to {at} bytes");
        }
    }

    #[test]
    fn bytes_that_are_no_set_are_an_error_also_under_a_right_checksum() {
        for vector in
            [&b""[..], &[1; 40], &[255; 40], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 48, 0, 0, 255, 255, 0, 0]]
        {
            let body = [&MAGIC[..], vector].concat();
            let mut crc = flate2::Crc::new();
            crc.update(&body);
            let bytes = [&(body.len() as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat();
            assert!(decode(&bytes).is_err(), "{vector:?}");
        }
    }
}
