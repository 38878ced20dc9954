//! Scans: batches, positions, row groups, exact rows, and row groups too large to hold.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use futures::StreamExt;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use validator_core::value::Value;
use validator_table::{
    FaultKind, FileReader, Pinned, Positions, ReadLimits, RowGroups, ScanItem, SnapshotSelector, Storage,
};

use crate::failing_store::FailingStore;
use crate::lake::{Lake, column, field, load_in, read, shown};
use crate::parquet_bytes::{chunk, flip};

const WINDOWS: ReadLimits = ReadLimits { row_group_bytes: 0, window_bytes: 100, read_ahead_bytes: 0 };

/// A table of `id` long and `text` string with one file of row groups of these rows.
async fn lake(rows: i64, group_rows: usize) -> Lake {
    let mut lake = Lake::new(vec![column(1, "id", "long"), column(2, "text", "string")]);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|id| format!("text of row {id}"))));
    let columns = vec![(field(1, "id", DataType::Int64), ids), (field(2, "text", DataType::Utf8), texts)];
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(50)
        .set_write_batch_size(50)
        .build();
    let file = lake.write_with("f.parquet", columns, properties);
    lake.append(vec![file]).await;
    lake
}

async fn open(lake: &Lake, limits: ReadLimits) -> (Pinned, FileReader) {
    let storage = Storage::local().with_limits(limits);
    let pinned = load_in(&lake.save(), storage).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    (pinned, reader)
}

fn expected(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    ids.into_iter().map(|id| format!("id={id}, text=text of row {id}")).collect()
}

#[tokio::test]
async fn batches_come_in_file_order_with_their_positions() {
    let lake = lake(20_000, 12_000).await;
    let (_, reader) = open(&lake, ReadLimits::default()).await;
    let groups: Vec<_> =
        reader.row_groups().iter().map(|group| (group.index, group.first_position, group.rows)).collect();
    assert_eq!((groups, reader.rows()), (vec![(0, 0, 12_000), (1, 12_000, 8_000)], 20_000));
    let mut next = 0;
    let mut sizes = Vec::new();
    let mut items = reader.scan(&RowGroups::All);
    while let Some(item) = items.next().await {
        match item {
            ScanItem::End(end) => sizes.push((end.row_group, end.yielded as usize)),
            ScanItem::Rows(rows) => {
                assert_eq!(rows.batch.schema_ref(), reader.schema());
                assert_eq!(rows.positions, Positions::From(next));
                next += rows.batch.num_rows() as u64;
                sizes.push((rows.row_group, rows.batch.num_rows()));
            }
        }
    }
    assert_eq!(sizes, [(0, 8_192), (0, 3_808), (0, 12_000), (1, 8_000), (1, 8_000)]);
}

#[tokio::test]
async fn streams_that_share_a_file_read_each_row_group_once_and_one_that_ends_early_leaves_the_rest() {
    let lake = lake(2_000, 100).await;
    for limits in [ReadLimits::default(), WINDOWS] {
        let (pinned, reader) = open(&lake, limits).await;
        let unread = reader.unread(&RowGroups::All);
        let whole = unread.bytes();
        let mut streams = [unread.stream(), unread.stream(), unread.stream()];
        let mut items: Vec<Vec<ScanItem>> = vec![Vec::new(); 3];
        // Each takes one while the others have theirs.
        for (stream, items) in streams.iter_mut().zip(&mut items) {
            items.push(stream.next().await.unwrap());
        }
        assert!(items.iter().all(|items| matches!(items[0], ScanItem::Rows(_))));
        assert!(unread.bytes() < whole);
        for (stream, items) in streams.iter_mut().zip(&mut items) {
            while let Some(item) = stream.next().await {
                items.push(item);
            }
        }
        assert_eq!(unread.bytes(), 0);
        let mut groups: Vec<u32> = Vec::new();
        for items in &items {
            let ends: Vec<u32> = shown(items.clone(), &pinned).1.iter().map(|end| end.row_group).collect();
            assert!(ends.is_sorted(), "in file order: {ends:?}");
            groups.extend(ends);
        }
        groups.sort_unstable();
        assert_eq!(groups, (0..20).collect::<Vec<_>>());
        let mut rows: Vec<u64> = items.iter().flatten().flat_map(listed_positions).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..2_000).collect::<Vec<_>>());
        let unread = reader.unread(&RowGroups::All);
        drop(unread.stream().next().await);
        let (_, ends) = shown(unread.stream().collect().await, &pinned);
        let rest: Vec<u32> = ends.iter().map(|end| end.row_group).collect();
        assert!(rest == (1..20).collect::<Vec<_>>() || rest == (2..20).collect::<Vec<_>>(), "{rest:?}");
    }
}

#[tokio::test]
async fn what_is_left_weighs_what_its_row_groups_weigh() {
    let lake = lake(1_000, 100).await;
    // Nothing is fetched ahead: what is taken is what is read.
    let (_, reader) = open(&lake, WINDOWS).await;
    let weights = |reader: &FileReader| reader.row_groups().iter().map(|group| group.bytes).collect::<Vec<u64>>();
    let unread = reader.unread(&RowGroups::All);
    let mut stream = unread.stream();
    for taken in 1..=10 {
        assert!(matches!(stream.next().await, Some(ScanItem::Rows(_))));
        assert_eq!(unread.bytes(), weights(&reader)[taken..].iter().sum::<u64>());
        assert!(matches!(stream.next().await, Some(ScanItem::End(_))));
    }
    assert_eq!((unread.bytes(), stream.next().await.is_none()), (0, true));
    let unread = reader.unread(&RowGroups::Only([3, 4].into()));
    assert_eq!(unread.bytes(), weights(&reader)[3..5].iter().sum::<u64>());
    assert_eq!(unread.stream().collect::<Vec<_>>().await.len(), 4);
    assert_eq!(unread.bytes(), 0);
}

#[tokio::test]
async fn only_the_asked_row_groups_are_read() {
    let lake = lake(1_000, 100).await;
    let (pinned, reader) = open(&lake, ReadLimits::default()).await;
    let (rows, ends) = read(&reader, &RowGroups::Only([2, 7].into()), &pinned).await;
    assert_eq!(ends.iter().map(|end| end.row_group).collect::<Vec<_>>(), [2, 7]);
    assert_eq!(rows, expected((200..300).chain(700..800)));
}

#[tokio::test]
async fn a_footer_claims_bounds_of_whole_numbers_and_none_of_texts_or_of_what_is_not_there() {
    let lake = lake(1_000, 100).await;
    let (pinned, _) = open(&lake, ReadLimits::default()).await;
    let claims = pinned.claims(&pinned.files[0]).await.expect("the footer reads");
    assert_eq!(claims.row_groups().collect::<Vec<_>>(), (0..10).map(|group| (group, 100)).collect::<Vec<_>>());
    let (id, text) = (&pinned.schema.fields[0], &pinned.schema.fields[1]);
    assert_eq!(claims.bounds(2, id), Some((Value::integer(200), Value::integer(299))));
    assert_eq!(claims.bounds(2, text), None);
    assert_eq!(claims.bounds(10, id), None, "there are ten row groups");
    assert_eq!(claims.bounds(2, &validator_core::schema::Field { id: 9, ..id.clone() }), None);
}

#[tokio::test]
async fn exact_rows_are_read_in_their_order_with_their_positions() {
    let lake = lake(1_000, 300).await;
    for limits in [ReadLimits::default(), WINDOWS] {
        let (pinned, reader) = open(&lake, limits).await;
        for positions in [vec![], vec![0], vec![999], vec![1, 2, 3, 299, 300, 301, 640, 899, 900], (0..1_000).collect()]
        {
            let items: Vec<ScanItem> = reader.rows_at(&positions).collect().await;
            let listed: Vec<u64> = items.iter().flat_map(listed_positions).collect();
            assert_eq!(listed, positions);
            assert_eq!(shown(items, &pinned).0, expected(positions));
        }
    }
}

#[tokio::test]
async fn exact_rows_are_read_of_the_asked_row_groups_alone() {
    let lake = lake(1_000, 100).await;
    let (_, reader) = open(&lake, ReadLimits::default()).await;
    let positions: Vec<u64> = (150..450).collect();
    let unread = reader.unread_at(&positions, &RowGroups::Except([2, 9].into()));
    let items: Vec<ScanItem> = unread.stream().collect().await;
    let listed: Vec<u64> = items.iter().flat_map(listed_positions).collect();
    assert_eq!(listed, (150..200).chain(300..450).collect::<Vec<_>>());
}

fn listed_positions(item: &ScanItem) -> Vec<u64> {
    match item {
        ScanItem::Rows(rows) => (0..rows.batch.num_rows()).map(|row| rows.positions.get(row)).collect(),
        ScanItem::End(end) => {
            assert_eq!(end.fault, None);
            Vec::new()
        }
    }
}

#[tokio::test]
#[should_panic(expected = "positions must be ascending and unique")]
async fn positions_out_of_order_are_a_mistake_of_the_caller() {
    let lake = lake(10, 10).await;
    let (_, reader) = open(&lake, ReadLimits::default()).await;
    let _ = reader.rows_at(&[2, 1]);
}

#[tokio::test]
async fn a_row_group_too_large_to_hold_reads_the_same_through_windows() {
    let lake = lake(20_000, 12_000).await;
    let (pinned, reader) = open(&lake, WINDOWS).await;
    let (rows, ends) = read(&reader, &RowGroups::All, &pinned).await;
    assert_eq!(
        ends.iter().map(|end| (end.yielded, end.fault.is_none())).collect::<Vec<_>>(),
        [(12_000, true), (8_000, true)]
    );
    assert_eq!(rows, expected(0..20_000));
}

#[tokio::test]
async fn a_stream_through_windows_may_be_dropped_early() {
    let lake = lake(100_000, 100_000).await;
    let (_, reader) = open(&lake, WINDOWS).await;
    let mut items = reader.scan(&RowGroups::All);
    assert!(matches!(items.next().await, Some(ScanItem::Rows(_))));
    drop(items);
}

#[tokio::test]
async fn faults_through_windows_are_told_as_they_are() {
    let lake = lake(1_000, 500).await;
    let path = lake.path("data").join("f.parquet");
    let second = chunk(&path, 1, 0).byte_range().0;
    let bytes = std::fs::read(&path).unwrap();
    flip(&path, second);
    let (pinned, reader) = open(&lake, WINDOWS).await;
    let (_, ends) = read(&reader, &RowGroups::All, &pinned).await;
    assert_eq!(ends[0].fault, None);
    assert_eq!(ends[1].fault.as_ref().unwrap().kind, FaultKind::Corrupt);

    let prefix = format!("file://{}/data/", lake.dir.path().display());
    let store = FailingStore::serving(bytes, second..second + 1);
    let storage = Storage::local().with_limits(WINDOWS).with_store(prefix, Arc::new(store));
    let pinned = load_in(&lake.save(), storage).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (rows, ends) = read(&reader, &RowGroups::All, &pinned).await;
    assert_eq!((rows.len(), ends[0].fault.is_none()), (500, true));
    let fault = ends[1].fault.as_ref().unwrap();
    assert_eq!(fault.kind, FaultKind::Unreadable);
    assert!(fault.detail.starts_with("row group 1: the store failed: "), "{}", fault.detail);
}

#[tokio::test]
async fn huge_values_come_in_short_batches() {
    let mut lake = Lake::new(vec![column(1, "text", "string")]);
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|i| i.to_string().repeat(1 << 20))));
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let file = lake.write_with("f.parquet", vec![(field(1, "text", DataType::Utf8), texts)], properties);
    lake.append(vec![file]).await;
    let (_, reader) = open(&lake, ReadLimits::default()).await;
    let items: Vec<ScanItem> = reader.scan(&RowGroups::All).collect().await;
    let sizes: Vec<usize> = items
        .iter()
        .filter_map(|item| match item {
            ScanItem::Rows(rows) => Some(rows.batch.num_rows()),
            ScanItem::End(_) => None,
        })
        .collect();
    assert_eq!((sizes.iter().sum::<usize>(), sizes[0]), (100, 33));
}

#[tokio::test]
async fn an_empty_file_has_no_rows_and_no_fault() {
    let lake = lake(0, 100).await;
    let (pinned, reader) = open(&lake, ReadLimits::default()).await;
    assert_eq!(read(&reader, &RowGroups::All, &pinned).await, (vec![], vec![]));
    assert_eq!(reader.rows(), 0);
}

#[tokio::test]
async fn int96_is_exact_from_year_1_to_9999() {
    const JULIAN_DAY_OF_EPOCH: i64 = 2_440_588;
    let mut lake = Lake::new(vec![column(1, "at", "timestamptz"), column(2, "wall", "timestamp")]);
    let path = lake.path("data").join("f.parquet");
    let schema = Arc::new(parse_message_type("message m { optional int96 a = 1; optional int96 b = 2; }").unwrap());
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, Default::default()).unwrap();
    let days = [-719_162, -1, 0, 19_723, 2_932_896];
    let values: Vec<Int96> = days
        .iter()
        .map(|day| {
            let (nanos, julian) = (86_399_999_999_000_u64, (day + JULIAN_DAY_OF_EPOCH) as u32);
            let mut value = Int96::new();
            value.set_data(nanos as u32, (nanos >> 32) as u32, julian);
            value
        })
        .collect();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        column.typed::<Int96Type>().write_batch(&values, Some(&[1; 5]), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let file = lake.describe("f.parquet", 5);
    lake.append(vec![file]).await;
    let rows = lake.rows().await;
    let dates = ["0001-01-01", "1969-12-31", "1970-01-01", "2024-01-01", "9999-12-31"];
    let at = dates.map(|date| format!("at={date}T23:59:59.999999Z, wall={date}T23:59:59.999999"));
    assert_eq!(rows, at);
}
