//! Files that cannot be read, whole or in part: each is a fault of that part, and the rest goes on.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use iceberg::spec::{DataFile, DataFileFormat};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use validator_core::verdict::TableVerdict;
use validator_table::{FaultKind, RowGroupEnd, RowGroups, SnapshotSelector, Storage};

use crate::failing_store::FailingStore;
use crate::lake::{Lake, column, field, load_in, read};
use crate::parquet_bytes::{append, chunk, cut, flip, size};

/// A table of `id` long and `symbol` string with one file of `groups` row groups of 100 rows, all of one symbol.
fn lake_of(groups: usize, compression: Compression) -> (Lake, DataFile, PathBuf) {
    let lake = Lake::new(vec![column(1, "id", "long"), column(2, "symbol", "string")]);
    let rows = groups * 100;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
    let symbols: ArrayRef = Arc::new(StringArray::from(vec!["BTCUSDT"; rows]));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(100))
        .set_compression(compression)
        .set_column_dictionary_enabled("id".into(), false)
        .build();
    let columns = vec![(field(1, "id", DataType::Int64), ids), (field(2, "symbol", DataType::Utf8), symbols)];
    let file = lake.write_with("f.parquet", columns, properties);
    let path = lake.path("data").join("f.parquet");
    (lake, file, path)
}

/// Copies the committed file with page checksums into a table of its own.
fn lake_with_checksums() -> (Lake, DataFile, PathBuf) {
    let lake =
        Lake::new(vec![column(1, "id", "long"), column(2, "symbol", "string"), column(3, "price", "decimal(18, 8)")]);
    let path = lake.path("data").join("f.parquet");
    let fixture = "../../fixtures/data/parquet/page_crc.parquet";
    std::fs::copy(fixture, &path).unwrap();
    let file = lake.describe("f.parquet", 200);
    (lake, file, path)
}

async fn scan(mut lake: Lake, file: DataFile) -> (Vec<String>, Vec<RowGroupEnd>) {
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    read(&reader, &RowGroups::All, &pinned).await
}

#[tokio::test]
async fn a_file_with_page_checksums_reads_whole() {
    let (lake, file, _) = lake_with_checksums();
    let (rows, ends) = scan(lake, file).await;
    assert_eq!(rows.len(), 200);
    assert_eq!(rows[123], "id=123, symbol=BTCUSDT, price=0.00000123");
    assert!(ends.iter().all(|end| end.fault.is_none() && end.yielded == 100));
}

#[tokio::test]
async fn a_bit_flipped_under_a_page_checksum_loses_its_row_group_alone() {
    for column in 0..3 {
        let (lake, file, path) = lake_with_checksums();
        let damaged = chunk(&path, 1, column);
        let (start, length) = damaged.byte_range();
        flip(&path, start + length - 1);
        let (rows, ends) = scan(lake, file).await;
        assert_eq!(ends.len(), 2, "column {column}");
        assert_eq!(ends[0].fault, None);
        let fault = ends[1].fault.clone().unwrap();
        assert_eq!(fault.detail, "row group 1: Page CRC checksum mismatch", "column {column}");
        assert_eq!((fault.kind, fault.row_groups.clone(), fault.rows), (FaultKind::Corrupt, Some(vec![1]), Some(100)));
        let finding = fault.finding().unwrap();
        assert_eq!(
            (finding.verdict, finding.row_groups, finding.rows),
            (TableVerdict::StorageCorrupt, vec![1], Some(100))
        );
        assert_eq!(rows.len(), 100 + ends[1].yielded as usize);
    }
}

#[tokio::test]
async fn a_constant_column_is_read_from_its_pages_and_not_from_its_statistics() {
    let (lake, file, path) = lake_with_checksums();
    let symbols = chunk(&path, 0, 1);
    flip(&path, symbols.dictionary_page_offset().unwrap() as u64 + symbols.compressed_size() as u64 - 3);
    let (_, ends) = scan(lake, file).await;
    assert!(ends[0].fault.is_some());

    let (lake, file, path) = lake_of(1, Compression::UNCOMPRESSED);
    let symbols = chunk(&path, 0, 1);
    let bytes = std::fs::read(&path).unwrap();
    let start = symbols.dictionary_page_offset().unwrap() as usize;
    let at = bytes[start..].windows(7).position(|window| window == b"BTCUSDT").unwrap() + start;
    flip(&path, at as u64);
    let (rows, ends) = scan(lake, file).await;
    assert_eq!(ends[0].fault, None);
    assert_eq!(rows[7], "id=7, symbol=RTCUSDT");
}

#[tokio::test]
async fn a_bit_flipped_without_a_checksum_is_a_wrong_value_where_nothing_is_compressed() {
    let (lake, file, path) = lake_of(2, Compression::UNCOMPRESSED);
    let ids = chunk(&path, 1, 0);
    flip(&path, ids.data_page_offset() as u64 + ids.compressed_size() as u64 - 8 * 10);
    let (rows, ends) = scan(lake, file).await;
    assert!(ends.iter().all(|end| end.fault.is_none()));
    assert_eq!(rows.iter().enumerate().filter(|(i, row)| !row.starts_with(&format!("id={i},"))).count(), 1);
}

#[tokio::test]
async fn a_bit_flipped_in_a_compressed_page_is_a_fault_of_its_row_group() {
    let (lake, file, path) = lake_of(3, Compression::ZSTD(ZstdLevel::default()));
    let ids = chunk(&path, 1, 0);
    let middle = ids.data_page_offset() as u64 + ids.compressed_size() as u64 / 2;
    (middle - 4..middle + 4).for_each(|offset| flip(&path, offset));
    let (_, ends) = scan(lake, file).await;
    let faults: Vec<bool> = ends.iter().map(|end| end.fault.is_some()).collect();
    assert_eq!(faults, [false, true, false]);
}

#[tokio::test]
async fn a_lost_row_group_can_be_left_out_of_the_next_scan() {
    let (mut lake, file, path) = lake_of(3, Compression::ZSTD(ZstdLevel::default()));
    let ids = chunk(&path, 1, 0);
    let middle = ids.data_page_offset() as u64 + ids.compressed_size() as u64 / 2;
    (middle - 4..middle + 4).for_each(|offset| flip(&path, offset));
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (rows, ends) = read(&reader, &RowGroups::Except([1].into()), &pinned).await;
    assert_eq!(ends.iter().map(|end| end.row_group).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((rows.len(), rows[100].as_str()), (200, "id=200, symbol=BTCUSDT"));
}

#[tokio::test]
async fn every_flipped_byte_of_a_file_is_a_fault_or_a_value_and_never_a_panic() {
    let (mut lake, file, path) = lake_of(1, Compression::SNAPPY);
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(reader) = pinned.open(&pinned.files[0], &pinned.schema.fields).await {
            let (rows, ends) = read(&reader, &RowGroups::All, &pinned).await;
            for end in ends {
                assert!(end.fault.is_some() || end.yielded == end.rows, "byte {at}");
            }
            assert!(rows.len() <= 100 || !reader.findings().is_empty(), "byte {at}");
        }
    }
}

#[tokio::test]
async fn a_missing_file_is_lost_whole() {
    let (mut lake, file, path) = lake_of(1, Compression::SNAPPY);
    lake.append(vec![file]).await;
    std::fs::remove_file(path).unwrap();
    let fault = lake.open_fault().await;
    assert_eq!((fault.kind, fault.row_groups.clone(), fault.rows), (FaultKind::Missing, None, Some(100)));
    let finding = fault.finding().unwrap();
    assert_eq!((finding.verdict, finding.cause), (TableVerdict::StorageCorrupt, "missing_file"));
    assert_eq!(fault.detail, "the file is not there");
}

#[tokio::test]
async fn a_truncated_file_is_lost_whole() {
    for (what, keep) in [("half", 0.5), ("nothing", 0.0)] {
        let (mut lake, file, path) = lake_of(1, Compression::SNAPPY);
        lake.append(vec![file]).await;
        let before = size(&path);
        cut(&path, (before as f64 * keep) as u64);
        let fault = lake.open_fault().await;
        assert_eq!(fault.kind, FaultKind::Corrupt, "{what}");
        assert!(fault.detail.contains(&format!("the manifest says {before}")), "{}", fault.detail);
    }
}

#[tokio::test]
async fn a_footer_cut_by_one_byte_is_lost_whole() {
    let (mut lake, file, path) = lake_of(1, Compression::SNAPPY);
    lake.append(vec![file]).await;
    let before = size(&path);
    cut(&path, before - 1);
    let fault = lake.open_fault().await;
    assert_eq!(fault.kind, FaultKind::Corrupt);
    let sizes = format!("the file has {} bytes, the manifest says {before}", before - 1);
    assert!(
        fault.detail.starts_with("the footer does not read: ") && fault.detail.ends_with(&sizes),
        "{}",
        fault.detail
    );
}

#[tokio::test]
async fn bytes_appended_behind_the_manifest_s_size_are_found_and_the_rows_stay() {
    for tail in [b"garbage".to_vec(), vec![0; 100_000]] {
        let (mut lake, file, path) = lake_of(1, Compression::SNAPPY);
        lake.append(vec![file]).await;
        append(&path, &tail);
        let pinned = lake.pin().await.unwrap();
        let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
        let finding = &reader.findings()[0];
        assert_eq!((finding.verdict, finding.cause), (TableVerdict::MetadataInconsistent, "size_mismatch"));
        assert_eq!(read(&reader, &RowGroups::All, &pinned).await.0.len(), 100);
    }
}

#[tokio::test]
async fn a_manifest_with_a_wrong_size_or_count_is_found_and_the_rows_stay() {
    for (size_factor, rows, causes) in [
        (97, 100, vec!["size_mismatch"]),
        (1, 9_700, vec!["record_count"]),
        (97, 9_700, vec!["size_mismatch", "record_count"]),
    ] {
        let (lake, file, _) = lake_of(1, Compression::SNAPPY);
        let wrong = lake.builder("f.parquet", rows, file.file_size_in_bytes() * size_factor).build().unwrap();
        let mut lake = lake;
        lake.append(vec![wrong]).await;
        let pinned = lake.pin().await.unwrap();
        let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
        assert_eq!(reader.findings().iter().map(|finding| finding.cause).collect::<Vec<_>>(), causes);
        assert_eq!(read(&reader, &RowGroups::All, &pinned).await.0.len(), 100);
    }
}

#[tokio::test]
async fn a_manifest_size_smaller_than_the_file_s_is_told_from_a_cut_file() {
    let (mut lake, file, _) = lake_of(1, Compression::SNAPPY);
    let wrong = lake.builder("f.parquet", 100, file.file_size_in_bytes() - 50).build().unwrap();
    lake.append(vec![wrong]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    assert_eq!(reader.findings()[0].cause, "size_mismatch");
}

#[tokio::test]
async fn an_orc_file_is_unreadable_and_says_nothing_about_the_table() {
    let (mut lake, _, _) = lake_of(1, Compression::SNAPPY);
    let orc = lake.builder("f.orc", 10, 100).file_format(DataFileFormat::Orc).build().unwrap();
    lake.append(vec![orc]).await;
    let fault = lake.open_fault().await;
    assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Unreadable, "data files of format ORC are not read"));
    assert_eq!(fault.finding(), None);
}

#[tokio::test]
async fn a_store_that_fails_makes_a_file_unreadable_and_not_missing() {
    let (mut lake, _, _) = lake_of(1, Compression::SNAPPY);
    let elsewhere = lake.builder("x", 1, 1).file_path("s3://bucket/f.parquet".to_owned()).build().unwrap();
    lake.append(vec![elsewhere]).await;
    let fault = lake.open_fault().await;
    assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Unreadable, "no store is configured for its location"));

    let location = lake.save();
    let storage = Storage::local().with_store("s3://bucket/", Arc::new(FailingStore::always("503 slow down")));
    let pinned = load_in(&location, storage).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap();
    let fault = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert!(
        fault.detail.starts_with("the store failed: ") && fault.detail.contains("503 slow down"),
        "{}",
        fault.detail
    );
}

#[tokio::test]
async fn a_store_that_fails_in_mid_file_makes_that_row_group_unreadable() {
    let (mut lake, file, path) = lake_of(2, Compression::SNAPPY);
    let size = file.file_size_in_bytes();
    let elsewhere = lake.builder("x", 200, size).file_path("s3://bucket/f.parquet".to_owned()).build().unwrap();
    lake.append(vec![elsewhere]).await;
    let second = chunk(&path, 1, 0).data_page_offset() as u64;
    let store = FailingStore::serving(std::fs::read(&path).unwrap(), second..second + 1);
    let storage = Storage::local().with_store("s3://bucket/", Arc::new(store));
    let pinned = load_in(&lake.save(), storage).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (rows, ends) = read(&reader, &RowGroups::All, &pinned).await;
    assert_eq!((rows.len(), ends[0].fault.is_none()), (100, true));
    assert_eq!(ends[1].fault.as_ref().unwrap().kind, FaultKind::Unreadable);
}
