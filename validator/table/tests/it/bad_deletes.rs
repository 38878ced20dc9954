//! Delete files that cannot be read or contradict what names them: what a person is told, and that deleted rows never
//! come back. Decision 0011.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use fixtures_warehouse::puffin::{assemble, blob, framed, treemap};
use iceberg::spec::{DataContentType, DataFile, DataFileFormat, Struct};
use parquet::file::properties::WriterProperties;
use validator_core::verdict::TableVerdict;
use validator_table::{FaultKind, FileFault, Pinned, SnapshotSelector, Storage, TableFinding};

use crate::delete_files::{data, delete, deletes, lake, live, of_file, vector_entry, vectors};
use crate::failing_store::FailingStore;
use crate::lake::{Lake, field, load_in};
use crate::parquet_bytes::{cut, flip};

/// Of which data file and where a deletion vector is said to be that is of this one and there.
type Wrong = fn(&DataFile, (i64, i64)) -> (String, (i64, i64));

/// The fault of the one data file, whose deletes are not known, and the findings on the table.
async fn refused(lake: &Lake) -> (FileFault, Vec<TableFinding>) {
    let pinned = lake.pin().await.unwrap();
    let fault = pinned.open(&pinned.files[0], &pinned.schema.fields).await.map(|_| ()).unwrap_err();
    assert_eq!((fault.kind, fault.row_groups.clone()), (FaultKind::Unreadable, None), "{fault:?}");
    assert!(fault.path.ends_with("/a.parquet"), "{fault:?}");
    assert!(fault.detail.starts_with("which of its rows are deleted is not known: "), "{fault:?}");
    (fault, pinned.delete_findings())
}

fn one(findings: &[TableFinding]) -> (TableVerdict, &'static str, &str) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    let name = findings[0].path.rsplit('/').next().unwrap();
    (findings[0].verdict, findings[0].cause, name)
}

/// A table of one data file of 25 rows and what `entries` makes of it.
async fn table(version: u8, entries: impl FnOnce(&Lake, &DataFile) -> Vec<DataFile>) -> Lake {
    let mut lake = lake(version);
    let a = data(&lake, "a.parquet", 0, 25);
    let gone = entries(&lake, &a);
    lake.append(vec![a]).await;
    delete(&mut lake, gone).await;
    lake
}

async fn with_deletes() -> (Lake, PathBuf) {
    let lake = table(2, |lake, a| vec![of_file(lake, "d.parquet", a, &[1, 2, 3])]).await;
    let path = lake.path("data/d.parquet");
    (lake, path)
}

async fn with_vector() -> (Lake, PathBuf) {
    let lake = table(3, |lake, a| vectors(lake, "dv.puffin", &[(a, &[1, 2, 3])])).await;
    let path = lake.path("data/dv.puffin");
    (lake, path)
}

#[tokio::test]
async fn a_missing_delete_file_is_storage_corrupt_and_its_data_file_cannot_be_looked_at() {
    for (lake, path) in [with_deletes().await, with_vector().await] {
        std::fs::remove_file(&path).unwrap();
        let (fault, findings) = refused(&lake).await;
        assert!(fault.detail.ends_with(": the file is not there"), "{fault:?}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(one(&findings), (TableVerdict::StorageCorrupt, "missing_file", name));
        assert_eq!(findings[0].detail, "the file is not there; which rows it deletes is not known");
        assert_eq!((findings[0].rows, findings[0].row_groups.len()), (None, 0), "no rows of the table");
    }
}

#[tokio::test]
async fn every_cut_of_a_delete_file_is_noticed() {
    for (lake, path) in [with_deletes().await, with_vector().await] {
        let whole = std::fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(13) {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (_, findings) = refused(&lake).await;
            let (verdict, _, _) = one(&findings);
            assert_eq!(verdict, TableVerdict::StorageCorrupt, "cut to {length}");
        }
        std::fs::write(&path, whole).unwrap();
        assert_eq!(live(&lake.pin().await.unwrap()).await.len(), 22);
    }
}

#[tokio::test]
async fn every_flipped_byte_of_a_deletion_vector_s_file_deletes_the_same_rows_or_is_noticed() {
    let (lake, path) = with_vector().await;
    let whole = std::fs::read(&path).unwrap();
    let pinned = lake.pin().await.unwrap();
    let expected = live(&pinned).await;
    for at in 0..whole.len() as u64 {
        flip(&path, at);
        let pinned = lake.pin().await.unwrap();
        match pinned.open(&pinned.files[0], &pinned.schema.fields).await {
            Err(fault) => assert_eq!(fault.kind, FaultKind::Unreadable),
            Ok(_) => assert_eq!(live(&pinned).await, expected, "byte {at}"),
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[tokio::test]
async fn a_bit_flipped_under_a_page_checksum_of_a_delete_file_is_noticed() {
    // Its rows are of a file that is not live: the entry names no data file, so that every one of the partition is read
    // with it.
    let fixture = "../../fixtures/data/parquet/position_deletes_crc.parquet";
    let lake = table(2, |lake, _| {
        std::fs::copy(fixture, lake.path("data/d.parquet")).unwrap();
        let size = std::fs::metadata(fixture).unwrap().len();
        let mut builder = lake.builder("d.parquet", 3, size);
        vec![builder.content(DataContentType::PositionDeletes).partition(Struct::empty()).build().unwrap()]
    });
    let lake = lake.await;
    assert_eq!(live(&lake.pin().await.unwrap()).await.len(), 25);
    let path = lake.path("data/d.parquet");
    let (start, length) = crate::parquet_bytes::chunk(&path, 0, 1).byte_range();
    flip(&path, start + length - 1);
    let (fault, findings) = refused(&lake).await;
    assert!(fault.detail.contains("CRC"), "{}", fault.detail);
    assert_eq!(one(&findings), (TableVerdict::StorageCorrupt, "unreadable_bytes", "d.parquet"));
}

#[tokio::test]
async fn a_deletion_vector_with_a_wrong_checksum_magic_or_length_is_storage_corrupt() {
    let sound = blob(&[1, 2, 3]);
    let changed = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = sound.len() - 1;
    let cases = [
        (changed(last), "its checksum is wrong"),
        (changed(4), "it does not begin with its magic"),
        (changed(3), "it says that it has"),
        (framed(&[7; 20]), "unknown cookie value"),
        (framed(&[treemap(&[1, 2, 3]), vec![0]].concat()), "1 bytes are left behind its positions"),
    ];
    for (blob, why) in cases {
        let lake = table(3, |lake, a| {
            let (bytes, places) = assemble(&[blob], &[a.file_path()], &[3]);
            std::fs::write(lake.path("data/dv.puffin"), bytes).unwrap();
            vec![vector_entry(lake, "dv.puffin", a.file_path(), places[0], 3)]
        });
        let (fault, findings) = refused(&lake.await).await;
        assert_eq!(one(&findings), (TableVerdict::StorageCorrupt, "unreadable_bytes", "dv.puffin"), "{why}");
        assert!(fault.detail.contains(&format!("the deletion vector at 4 does not read: {why}")), "{}", fault.detail);
    }
}

#[tokio::test]
async fn a_deletion_vector_whose_number_of_positions_is_another_is_inconsistent() {
    for (in_entry, in_footer, by) in [(4, 3, "footer"), (4, 4, "manifest entry"), (3, 4, "footer")] {
        let lake = table(3, |lake, a| {
            let (bytes, places) = assemble(&[blob(&[1, 2, 3])], &[a.file_path()], &[in_footer]);
            std::fs::write(lake.path("data/dv.puffin"), bytes).unwrap();
            vec![vector_entry(lake, "dv.puffin", a.file_path(), places[0], in_entry)]
        });
        let (_, findings) = refused(&lake.await).await;
        assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, "deletion_vector_cardinality", "dv.puffin"));
        assert!(findings[0].detail.contains(&format!("its {by} says")), "{}", findings[0].detail);
    }
}

#[tokio::test]
async fn a_deletion_vector_that_is_not_where_or_of_what_its_entry_says_is_inconsistent() {
    let cases: [(&str, Wrong); 4] = [
        ("delete_target", |_, place| ("file:///elsewhere.parquet".to_owned(), place)),
        ("deletion_vector_place", |a, (offset, length)| (a.file_path().to_owned(), (offset, length - 1))),
        ("deletion_vector_place", |a, (_, length)| (a.file_path().to_owned(), (1 << 40, length))),
        ("deletion_vector_place", |a, (_, length)| (a.file_path().to_owned(), (i64::MAX, length))),
    ];
    for (cause, wrong) in cases {
        let lake = table(3, |lake, a| {
            let (_, place) = assemble(&[blob(&[1])], &[a.file_path()], &[1]);
            let (referenced, place) = wrong(a, place[0]);
            let (bytes, _) = assemble(&[blob(&[1])], &[&referenced], &[1]);
            std::fs::write(lake.path("data/dv.puffin"), bytes).unwrap();
            vec![vector_entry(lake, "dv.puffin", a.file_path(), place, 1)]
        });
        let (_, findings) = refused(&lake.await).await;
        assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, cause, "dv.puffin"), "{findings:?}");
    }
}

#[tokio::test]
async fn a_deletion_vector_of_no_data_file_makes_those_of_its_partition_unknown() {
    let lake = table(3, |lake, a| {
        vectors(lake, "dv.puffin", &[(a, &[1])]);
        let mut builder = lake.builder("dv.puffin", 1, 100);
        builder.content(DataContentType::PositionDeletes).file_format(DataFileFormat::Puffin);
        vec![builder.partition(Struct::empty()).build().unwrap()]
    });
    let (_, findings) = refused(&lake.await).await;
    assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, "deletion_vector_entry", "dv.puffin"));
}

#[tokio::test]
async fn two_deletion_vectors_of_one_data_file_are_inconsistent() {
    let lake = table(3, |lake, a| {
        [vectors(lake, "one.puffin", &[(a, &[1])]), vectors(lake, "two.puffin", &[(a, &[2])])].concat()
    });
    let (_, findings) = refused(&lake.await).await;
    assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, "two_deletion_vectors", "a.parquet"));
}

#[tokio::test]
async fn a_deletion_vector_older_than_its_data_file_is_inconsistent() {
    let mut lake = lake(3);
    let (a, b) = (data(&lake, "a.parquet", 0, 5), data(&lake, "b.parquet", 10, 5));
    let gone = vectors(&lake, "dv.puffin", &[(&a, &[1])]);
    lake.append(vec![b]).await;
    delete(&mut lake, gone).await;
    lake.append(vec![a]).await;
    let (_, findings) = refused(&lake).await;
    assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, "sequence_number", "dv.puffin"));
}

#[tokio::test]
async fn one_entry_twice_deletes_once_and_is_told() {
    let lake = table(3, |lake, a| {
        let entries = vectors(lake, "dv.puffin", &[(a, &[1])]);
        [entries.clone(), entries].concat()
    });
    let lake = lake.await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await.len(), 24);
    assert_eq!(one(&pinned.findings), (TableVerdict::MetadataInconsistent, "double_reference", "dv.puffin"));
}

#[tokio::test]
async fn positions_behind_the_last_row_delete_nothing_and_are_told() {
    let by_position = table(2, |lake, a| vec![of_file(lake, "d", a, &[1, 25, 1_000])]).await;
    let by_vector = table(3, |lake, a| vectors(lake, "d", &[(a, &[1, 25, 1_000])])).await;
    for lake in [by_position, by_vector] {
        let pinned = lake.pin().await.unwrap();
        let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
        let (verdict, cause, name) = one(reader.findings());
        assert_eq!((verdict, cause, name), (TableVerdict::MetadataInconsistent, "delete_out_of_range", "d"));
        let detail = &reader.findings()[0].detail;
        assert!(detail.starts_with("it deletes row 1000 of ") && detail.ends_with(", which has 25 rows"), "{detail}");
        assert_eq!(live(&pinned).await.len(), 24);
    }
}

#[tokio::test]
async fn negative_positions_delete_nothing_and_are_told() {
    let lake = table(2, |lake, a| vec![of_file(lake, "d", a, &[-1, 4, i64::MIN])]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await.len(), 24);
    let findings = pinned.delete_findings();
    assert_eq!(one(&findings), (TableVerdict::MetadataInconsistent, "delete_out_of_range", "d"));
    assert_eq!(findings[0].detail, "2 of its rows have a negative position, which deletes nothing");
}

/// A file of these two columns in the place of a delete file.
async fn odd(columns: impl FnOnce(&str) -> Vec<(arrow_schema::Field, ArrayRef)>) -> Lake {
    table(2, |lake, a| {
        lake.write_with("d.parquet", columns(a.file_path()), WriterProperties::builder().build());
        let size = std::fs::metadata(lake.path("data/d.parquet")).unwrap().len();
        let mut builder = lake.builder("d.parquet", 2, size);
        vec![builder.content(DataContentType::PositionDeletes).partition(Struct::empty()).build().unwrap()]
    })
    .await
}

#[tokio::test]
async fn a_delete_file_with_a_row_without_path_or_position_says_nothing() {
    let paths = |path: &str, second: bool| -> ArrayRef {
        Arc::new(StringArray::from(vec![Some(path), second.then_some(path)]))
    };
    let positions = |second: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(1), second])) };
    let (path_field, position_field) =
        (field(2_147_483_546, "file_path", DataType::Utf8), field(2_147_483_545, "pos", DataType::Int64));
    let columns = |path: &str, has_path, position| {
        vec![(path_field.clone(), paths(path, has_path)), (position_field.clone(), positions(position))]
    };
    let without_path = odd(|path| columns(path, false, Some(2))).await;
    let without_position = odd(|path| columns(path, true, None)).await;
    let no_column = odd(|path| vec![(path_field.clone(), paths(path, true))]).await;
    for (lake, why) in [
        (without_path, "its row 1 has no path"),
        (without_position, "its row 1 has no position"),
        (no_column, "its row 0 has no position"),
    ] {
        let (fault, findings) = refused(&lake).await;
        assert!(fault.detail.ends_with(why), "{}", fault.detail);
        assert_eq!(one(&findings), (TableVerdict::StorageCorrupt, "unreadable_bytes", "d.parquet"));
    }
}

#[tokio::test]
async fn a_delete_file_without_field_ids_is_read_by_name() {
    let lake = odd(|path| {
        let bare = |name: &str, ty| arrow_schema::Field::new(name, ty, false);
        vec![
            (bare("file_path", DataType::Utf8), Arc::new(StringArray::from(vec![path, path])) as ArrayRef),
            (bare("pos", DataType::Int64), Arc::new(Int64Array::from(vec![0, 24])) as ArrayRef),
        ]
    });
    let lake = lake.await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, (1..24).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_delete_file_of_another_format_cannot_be_looked_at_and_says_nothing_about_the_table() {
    for format in [DataFileFormat::Orc, DataFileFormat::Avro] {
        let lake = table(2, |lake, _| {
            let mut builder = lake.builder("d.orc", 1, 10);
            builder.content(DataContentType::PositionDeletes).file_format(format).partition(Struct::empty());
            vec![builder.build().unwrap()]
        });
        let (fault, findings) = refused(&lake.await).await;
        assert!(fault.detail.ends_with(" are not read") && findings.is_empty(), "{} {findings:?}", fault.detail);
    }
}

#[tokio::test]
async fn a_delete_file_that_names_others_than_its_entry_says_is_told() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 3), data(&lake, "b.parquet", 10, 3));
    let (at_a, at_b) = (a.file_path().to_owned(), b.file_path().to_owned());
    let gone = deletes(&lake, "d.parquet", &[(&at_a, 0), (&at_b, 0)], Struct::empty(), Some(&at_a));
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![gone]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [1, 2, 10, 11, 12], "the entry decides");
    assert_eq!(one(&pinned.delete_findings()), (TableVerdict::MetadataInconsistent, "delete_target", "d.parquet"));
}

#[tokio::test]
async fn a_wrong_size_or_count_of_a_readable_delete_file_is_told_and_it_deletes() {
    let lake = table(2, |lake, a| {
        of_file(lake, "d.parquet", a, &[1, 2]);
        let mut builder = lake.builder("d.parquet", 7, 3);
        vec![builder.content(DataContentType::PositionDeletes).partition(Struct::empty()).build().unwrap()]
    });
    let lake = lake.await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await.len(), 23);
    let causes: Vec<&str> = pinned.delete_findings().iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, ["record_count", "size_mismatch"]);
}

#[tokio::test]
async fn a_broken_delete_file_leaves_data_files_alone_that_it_cannot_touch() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 3), data(&lake, "b.parquet", 10, 3));
    let named = deletes(&lake, "d.parquet", &[(a.file_path(), 0)], Struct::empty(), Some(a.file_path()));
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![named]).await;
    let c = data(&lake, "c.parquet", 20, 3);
    lake.append(vec![c]).await;
    cut(&lake.path("data/d.parquet"), 20);
    let pinned = lake.pin().await.unwrap();
    let opened = |pinned: Pinned| async move {
        let mut opened = Vec::new();
        for file in &pinned.files {
            opened.push(pinned.open(file, &pinned.schema.fields).await.is_ok());
        }
        opened
    };
    assert_eq!(opened(pinned).await, [false, true, true]);
}

#[tokio::test]
async fn a_data_file_that_is_gone_itself_is_told_before_its_deletes() {
    let (lake, path) = with_deletes().await;
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(lake.path("data/a.parquet")).unwrap();
    assert_eq!(lake.open_fault().await.kind, FaultKind::Missing);
}

#[tokio::test]
async fn a_file_entered_twice_with_deletes_of_one_entry_only_cannot_be_looked_at() {
    let mut lake = lake(2);
    let a = data(&lake, "a.parquet", 0, 5);
    let gone = of_file(&lake, "d.parquet", &a, &[1]);
    lake.append(vec![a.clone()]).await;
    delete(&mut lake, vec![gone]).await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, [0, 2, 3, 4]);
    // The second entry is newer than the deletes: its rows are all live.
    lake.append(vec![a]).await;
    let (fault, _) = refused(&lake).await;
    assert!(fault.detail.contains("deletes touch some of its live entries only"), "{}", fault.detail);
}

#[tokio::test]
async fn a_store_that_fails_hides_the_data_file_and_says_nothing_about_the_table() {
    for (version, name) in [(2, "d.parquet"), (3, "dv.puffin")] {
        let location = format!("s3://bucket/{name}");
        let mut lake = lake(version);
        let a = data(&lake, "a.parquet", 0, 5);
        let mut builder = lake.builder(name, 1, 100);
        builder.content(DataContentType::PositionDeletes).file_path(location).partition(Struct::empty());
        if version == 3 {
            builder.file_format(DataFileFormat::Puffin).referenced_data_file(Some(a.file_path().to_owned()));
            builder.content_offset(Some(4)).content_size_in_bytes(Some(50));
        }
        let gone = builder.build().unwrap();
        lake.append(vec![a]).await;
        delete(&mut lake, vec![gone]).await;
        let storage = Storage::local().with_store("s3://bucket/", Arc::new(FailingStore::always("503 slow down")));
        let table = load_in(&lake.save(), storage).await.unwrap();
        let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
        let fault = pinned.open(&pinned.files[0], &pinned.schema.fields).await.map(|_| ()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unreadable);
        assert!(fault.detail.contains("503 slow down"), "{}", fault.detail);
        assert!(pinned.delete_findings().is_empty(), "{:?}", pinned.delete_findings());
    }
}

#[tokio::test]
async fn a_vector_that_says_it_is_huge_is_not_read() {
    let lake = table(3, |lake, a| {
        vectors(lake, "dv.puffin", &[(a, &[1])]);
        vec![vector_entry(lake, "dv.puffin", a.file_path(), (4, 1 << 31), 1)]
    });
    let (fault, findings) = refused(&lake.await).await;
    assert!(fault.detail.contains("a deletion vector of 2147483648 bytes is larger than"), "{}", fault.detail);
    assert!(findings.is_empty());
}

#[tokio::test]
async fn a_vector_of_more_rows_than_there_can_be_takes_no_memory_and_no_time() {
    // 2^32 positions in 65,536 runs, of which the first 25 are rows.
    let mut full = 1_u64.to_le_bytes().to_vec();
    full.extend(0_u32.to_le_bytes());
    full.extend((12_347_u32 | (65_535 << 16)).to_le_bytes());
    full.extend([0xFF; 8_192]);
    (0..=u16::MAX).for_each(|key| full.extend([key.to_le_bytes(), [0xFF, 0xFF]].concat()));
    // Offsets of containers, which nobody needs who reads them in order.
    full.extend(vec![0; 4 * 65_536]);
    (0..=u16::MAX).for_each(|_| full.extend([1, 0, 0, 0, 0xFF, 0xFF]));
    let lake = table(3, |lake, a| {
        let (bytes, places) = assemble(&[framed(&full)], &[a.file_path()], &[1 << 32]);
        std::fs::write(lake.path("data/dv.puffin"), bytes).unwrap();
        vec![vector_entry(lake, "dv.puffin", a.file_path(), places[0], 1 << 32)]
    });
    let lake = lake.await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [0; 0]);
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    assert_eq!(one(reader.findings()).1, "delete_out_of_range");
}
