//! A small writer of Puffin files with deletion vectors, by the text of the specification and with nothing of the
//! reader: the set is written as array containers, the checksum bit by bit.

use std::collections::BTreeMap;

/// One deletion vector: the data file it is of, and the positions it deletes.
pub struct Vector<'a> {
    pub referenced: &'a str,
    pub positions: &'a [u64],
}

/// A Puffin file, and the place of each vector's blob: offset and length.
pub fn puffin(vectors: &[Vector<'_>]) -> (Vec<u8>, Vec<(i64, i64)>) {
    let blobs: Vec<Vec<u8>> = vectors.iter().map(|vector| blob(vector.positions)).collect();
    let cardinalities: Vec<usize> = vectors.iter().map(|vector| vector.positions.len()).collect();
    let referenced: Vec<&str> = vectors.iter().map(|vector| vector.referenced).collect();
    assemble(&blobs, &referenced, &cardinalities)
}

/// A Puffin file of these blobs, whatever they hold.
pub fn assemble(blobs: &[Vec<u8>], referenced: &[&str], cardinalities: &[usize]) -> (Vec<u8>, Vec<(i64, i64)>) {
    let (mut bytes, mut places, mut listed) = (b"PFA1".to_vec(), Vec::new(), Vec::new());
    for ((blob, referenced), cardinality) in blobs.iter().zip(referenced).zip(cardinalities) {
        let (offset, length) = (bytes.len(), blob.len());
        bytes.extend(blob);
        places.push((offset as i64, length as i64));
        listed.push(format!(
            r#"{{"type":"deletion-vector-v1","fields":[2147483545],"snapshot-id":-1,"sequence-number":-1,"offset":{offset},"length":{length},"properties":{{"referenced-data-file":"{referenced}","cardinality":"{cardinality}"}}}}"#
        ));
    }
    let payload = format!(r#"{{"blobs":[{}],"properties":{{}}}}"#, listed.join(","));
    bytes.extend(b"PFA1");
    bytes.extend(payload.as_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(b"PFA1");
    (bytes, places)
}

/// The blob of a set of positions.
pub fn blob(positions: &[u64]) -> Vec<u8> {
    framed(&treemap(positions))
}

/// Length, magic, these bytes and their checksum.
pub fn framed(vector: &[u8]) -> Vec<u8> {
    let body = [&[0xD1, 0xD3, 0x39, 0x64], vector].concat();
    [&(body.len() as u32).to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
}

/// The portable form of a 64-bit roaring bitmap.
pub fn treemap(positions: &[u64]) -> Vec<u8> {
    let mut high: BTreeMap<u32, BTreeMap<u16, Vec<u16>>> = BTreeMap::new();
    for position in positions {
        let containers = high.entry((position >> 32) as u32).or_default();
        containers.entry((position >> 16) as u16).or_default().push(*position as u16);
    }
    let mut bytes = (high.len() as u64).to_le_bytes().to_vec();
    for (key, containers) in high {
        bytes.extend(key.to_le_bytes());
        bytes.extend(12_346_u32.to_le_bytes());
        bytes.extend((containers.len() as u32).to_le_bytes());
        let mut at = 8 + 8 * containers.len();
        let (mut head, mut offsets, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for (key, mut low) in containers {
            low.sort_unstable();
            assert!(low.len() <= 4_096, "array containers only");
            head.extend(key.to_le_bytes());
            head.extend((low.len() as u16 - 1).to_le_bytes());
            offsets.extend((at as u32).to_le_bytes());
            at += 2 * low.len();
            held.extend(low.iter().flat_map(|low| low.to_le_bytes()));
        }
        bytes.extend([head, offsets, held].concat());
    }
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
