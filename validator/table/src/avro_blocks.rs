//! The blocks of an Avro container file, looked at before its parser is let loose: how many records each claims, and what
//! it unpacks to. The parser believes both, and ends the process when there is no memory for a lie.
//!
//! Source: Avro 1.12, "Object Container Files".

use std::io::{self, Read};
use std::sync::OnceLock;

use flate2::read::DeflateDecoder;
use thiserror::Error;

use crate::limits::{AVRO_ALLOCATION_BYTES_MAX, MANIFEST_UNPACKED_BYTES_MAX};

const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC_BYTES: usize = 16;

/// Why bytes are no container that is worth parsing.
#[derive(Debug, Error)]
pub(crate) enum BlockError {
    #[error("no Avro file: it does not begin with `Obj` and 1")]
    Magic,
    #[error("it ends within {0}")]
    Ends(&'static str),
    #[error("block {block} says that it has {claimed} records in {bytes} bytes")]
    Count { block: u64, claimed: i64, bytes: u64 },
    #[error("block {block} does not end with the file's mark")]
    Mark { block: u64 },
    #[error("block {block} does not unpack")]
    Unpack { block: u64, source: io::Error },
    #[error("it unpacks to more than {0} bytes")]
    TooLarge(u64),
}

/// Checks every block.
///
/// # Errors
/// The first that cannot be what it says.
pub(crate) fn check(bytes: &[u8]) -> Result<(), BlockError> {
    bound_the_parser();
    check_within(bytes, MANIFEST_UNPACKED_BYTES_MAX)
}

fn check_within(bytes: &[u8], most: u64) -> Result<(), BlockError> {
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or(BlockError::Magic)?;
    let codec = header(&mut rest)?.unwrap_or_default();
    let mark = take(&mut rest, SYNC_BYTES, "its header")?;
    let (mut block, mut unpacked) = (0, 0);
    while !rest.is_empty() {
        let claimed = long(&mut rest, "a block's head")?;
        let size = length(&mut rest, "a block's head")?;
        let packed = take(&mut rest, size, "a block")?;
        if take(&mut rest, SYNC_BYTES, "a block")? != mark {
            return Err(BlockError::Mark { block });
        }
        let left = most - unpacked;
        let bytes = unpacked_bytes(packed, codec, left).map_err(|source| BlockError::Unpack { block, source })?;
        if bytes > left {
            return Err(BlockError::TooLarge(most));
        }
        // No record of Iceberg's takes less than one byte.
        if u64::try_from(claimed).map_or(true, |claimed| claimed > bytes) {
            return Err(BlockError::Count { block, claimed, bytes });
        }
        unpacked += bytes;
        block += 1;
    }
    Ok(())
}

/// The parser's own bound is 512 MiB for text, and as many elements of an array, each tens of bytes.
fn bound_the_parser() {
    static BOUND: OnceLock<usize> = OnceLock::new();
    BOUND.get_or_init(|| apache_avro::util::max_allocation_bytes(AVRO_ALLOCATION_BYTES_MAX));
}

/// The header's map of names to bytes; what it says of the codec.
fn header<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BlockError> {
    const HEADER: &str = "its header";
    let mut codec = None;
    loop {
        let mut entries = long(rest, HEADER)?;
        if entries == 0 {
            return Ok(codec);
        }
        if entries < 0 {
            long(rest, HEADER)?;
            entries = entries.checked_neg().ok_or(BlockError::Ends(HEADER))?;
        }
        for _ in 0..entries {
            let key = length(rest, HEADER).and_then(|size| take(rest, size, HEADER))?;
            let value = length(rest, HEADER).and_then(|size| take(rest, size, HEADER))?;
            if key == b"avro.codec" {
                codec = Some(value);
            }
        }
    }
}

/// Bytes of an unpacked block, counted no further than just beyond `most`.
fn unpacked_bytes(packed: &[u8], codec: &[u8], most: u64) -> io::Result<u64> {
    let count = |unpacking: &mut dyn Read| io::copy(&mut unpacking.take(most + 1), &mut io::sink());
    match codec {
        b"deflate" => count(&mut DeflateDecoder::new(packed)),
        b"zstandard" => count(&mut zstd::stream::read::Decoder::new(packed)?),
        // It says so in front, and its own decoder holds it to that.
        b"snappy" => Ok(varint(&mut &*packed).ok_or(io::ErrorKind::UnexpectedEof)?),
        // None, or one that the parser refuses by name.
        _ => Ok(packed.len() as u64),
    }
}

fn take<'a>(rest: &mut &'a [u8], size: usize, within: &'static str) -> Result<&'a [u8], BlockError> {
    let (taken, left) = rest.split_at_checked(size).ok_or(BlockError::Ends(within))?;
    *rest = left;
    Ok(taken)
}

fn length(rest: &mut &[u8], within: &'static str) -> Result<usize, BlockError> {
    usize::try_from(long(rest, within)?).map_err(|_| BlockError::Ends(within))
}

fn long(rest: &mut &[u8], within: &'static str) -> Result<i64, BlockError> {
    let raw = varint(rest).ok_or(BlockError::Ends(within))?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn zigzag(value: i64) -> Vec<u8> {
        let mut raw = ((value << 1) ^ (value >> 63)) as u64;
        let mut out = Vec::new();
        while raw >= 0x80 {
            out.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        out.push(raw as u8);
        out
    }

    fn sized(bytes: &[u8]) -> Vec<u8> {
        [zigzag(bytes.len() as i64), bytes.to_vec()].concat()
    }

    /// A file of one block.
    fn file(codec: &str, records: i64, packed: &[u8]) -> Vec<u8> {
        let header = [MAGIC.to_vec(), zigzag(1), sized(b"avro.codec"), sized(codec.as_bytes()), zigzag(0)].concat();
        [header, vec![7; 16], zigzag(records), sized(packed), vec![7; 16]].concat()
    }

    fn said(bytes: &[u8]) -> String {
        check(bytes).map_or_else(|error| error.to_string(), |()| "sound".to_owned())
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        deflate.write_all(bytes).unwrap();
        deflate.finish().unwrap()
    }

    #[test]
    fn sound_files_pass_with_every_codec() {
        assert_eq!(said(&file("null", 3, b"abc")), "sound");
        assert_eq!(said(&file("deflate", 3, &deflated(b"abc"))), "sound");
        assert_eq!(said(&file("zstandard", 3, &zstd::encode_all(&b"abc"[..], 0).unwrap())), "sound");
        assert_eq!(said(&file("snappy", 3, b"\x03\x08abcCRC!")), "sound");
    }

    #[test]
    fn a_block_of_more_records_than_bytes_is_refused() {
        assert_eq!(said(&file("null", 4, b"abc")), "block 0 says that it has 4 records in 3 bytes");
        assert_eq!(
            said(&file("null", i64::MAX, b"")),
            format!("block 0 says that it has {} records in 0 bytes", i64::MAX)
        );
        assert_eq!(said(&file("null", -1, b"abc")), "block 0 says that it has -1 records in 3 bytes");
    }

    #[test]
    fn a_block_that_blows_up_is_refused() {
        let zeros = vec![0; 10_000];
        for (codec, packed) in [
            ("deflate", deflated(&zeros)),
            ("zstandard", zstd::encode_all(&zeros[..], 0).unwrap()),
            ("snappy", b"\x90\x4e".to_vec()),
            ("null", zeros.clone()),
        ] {
            let whole = file(codec, 1, &packed);
            assert!(check_within(&whole, 10_000).is_ok(), "{codec}");
            let error = check_within(&whole, 9_999).unwrap_err();
            assert_eq!(error.to_string(), "it unpacks to more than 9999 bytes", "{codec}");
        }
    }

    #[test]
    fn cut_and_foreign_bytes_are_refused_at_every_length() {
        let whole = file("deflate", 3, &deflated(b"abc"));
        let header = whole.len() - 1 - sized(&deflated(b"abc")).len() - 16;
        for end in (0..whole.len()).filter(|end| *end != header) {
            assert_ne!(said(&whole[..end]), "sound", "{end} bytes");
        }
        assert_eq!(said(b"PAR1"), "no Avro file: it does not begin with `Obj` and 1");
        let mut marked = whole.clone();
        *marked.last_mut().unwrap() = 8;
        assert_eq!(said(&marked), "block 0 does not end with the file's mark");
        assert_eq!(said(&file("deflate", 3, b"\xff\xff")), "block 0 does not unpack");
    }
}
