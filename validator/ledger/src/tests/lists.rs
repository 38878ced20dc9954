//! Findings are listed each once, page by page, by everything that can be asked for, and in groups.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::finding::FindingId;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::SegmentKey;
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::{
    Change, Delta, FileChange, FileRow, FileStanding, FindingChange, FindingPlace, PageRow, RunChange,
};
use validator_core::shadow::event::{Event, NewLane};
use validator_core::shadow::file::{FileId, PathHash};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::segment::Segment;
use validator_core::shadow::terms::{Cut, Terms, TimedBy};
use validator_core::shadow::told::Facts;
use validator_core::verdict::{Cause, Damage, MessageVerdict, RowVerdict, Verdict};

use super::{NOW, Place, trades, within};
use crate::{
    About, Book, Evidence, FindingFilter, FindingRow, FindingState, GroupId, Listed, Place as At, Posting, ReadLedger,
    ResolvedBy,
};

const CORRUPTED: Verdict = Verdict::Message(MessageVerdict::Corrupted);
const MISSING: Verdict = Verdict::Message(MessageVerdict::Missing);
const PHANTOM: Verdict = Verdict::Row(RowVerdict::Phantom);
const LOST: Option<Cause> = Some(Cause::Lost);
const PRECISION: Option<Cause> = Some(Cause::Damage(Damage::PrecisionLost));

fn tp(partition: i32) -> TopicPartition {
    TopicPartition { topic: "trades".into(), partition }
}

fn path(file: u32) -> String {
    format!("s3://lake/trades/{file}.parquet")
}

/// A finding about a message, with a row in a file.
fn of_message(verdict: Verdict, cause: Option<Cause>, lane: u32, offset: i64, file: Option<u32>) -> FindingChange {
    let partition = i32::try_from(lane).expect("small");
    FindingChange {
        id: FindingId::of_message("trades", verdict, &tp(partition), offset),
        verdict,
        cause,
        place: FindingPlace::Message { lane: PartitionIndex(lane), offset },
        change: Change::Opened,
        at_ms: NOW,
        facts: Facts {
            timestamp_ms: Some(NOW - offset),
            rows: file.map(|file| (FileId(file), 3)).into_iter().collect(),
            ..Facts::default()
        }
        .to_bytes(),
    }
}

fn of_row(file: u32, position: u64) -> FindingChange {
    FindingChange {
        id: FindingId::of_row("trades", PHANTOM, &path(file), position),
        verdict: PHANTOM,
        cause: Some(Cause::Unexplained),
        place: FindingPlace::Row { file: FileId(file), position },
        change: Change::Opened,
        at_ms: NOW,
        facts: Facts { rows: vec![(FileId(file), position)], ..Facts::default() }.to_bytes(),
    }
}

fn run(index: i64, messages: u64) -> RunChange {
    let segment = SegmentKey::Offsets { partition: PartitionIndex(1), index };
    RunChange { segment, verdict: MISSING, cause: LOST, messages, change: Change::Opened, at_ms: NOW }
}

fn file(number: u32) -> FileRow {
    let (id, path) = (FileId(number), path(number));
    let path_hash = PathHash::of(&path);
    FileRow {
        file: FileChange { id, path, path_hash, standing: FileStanding::Live, facts: Vec::new() },
        body: Vec::new(),
    }
}

/// Two partitions, as the state machine writes them.
fn lanes(delta: &mut Delta) {
    let terms = Terms {
        pipeline: "trades".into(),
        settle_ms: 0,
        give_up_ms: 0,
        retention_ms: None,
        width: validator_core::segment::OffsetWidth::new(4096).expect("a power of two"),
        whole_topic: false,
        timed: TimedBy::Nobody,
        cut: Cut::Offsets,
    };
    let mut shadow = Shadow::new(terms);
    let lane = |partition| NewLane { tp: tp(partition), start: 0, declared: false, log_start: 0, high_watermark: 0 };
    shadow.apply(Event::Partitions(vec![lane(0), lane(1)])).expect("partitions");
    let begun = shadow.delta();
    (delta.lanes, delta.state, delta.totals) = (begun.lanes, begun.state, begun.totals);
}

/// 1,200 messages of two kinds, 30 rows, and three runs of which one is whole.
fn first() -> Delta {
    let mut delta = Delta { checkpoint: 1, judged_at_ms: NOW, snapshot: Some(41), ..Delta::default() };
    lanes(&mut delta);
    delta.files_new = (1..=3).map(file).collect();
    delta.findings.extend((0..600).map(|offset| of_message(MISSING, LOST, 0, offset, None)));
    delta.findings.extend((600..1_200).map(|offset| of_message(CORRUPTED, PRECISION, 0, offset, Some(2))));
    delta.findings.extend((0..30).map(|position| of_row(1 + (position % 2) as u32, position)));
    let segment = |from, upto| Some(Box::new(Segment { from, upto, ..Segment::default() }));
    let mut page = Page::default();
    page.slots[0] = segment(0, 4_096);
    page.slots[1] = segment(4_096, 8_192);
    let key = PageKey { kind: 1, a: 1, b: 0 };
    delta.pages.push(PageRow { key, unsettled: page.is_unsettled(), body: page.to_bytes() });
    delta.runs = vec![run(0, 4_096), run(1, 7), run(2, 9)];
    delta
}

async fn pages(reader: &mut ReadLedger, filter: &FindingFilter, limit: usize) -> Vec<Listed> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = reader.findings("trades", filter, after.as_deref(), limit).await.expect("a page");
        assert!(page.listed.len() <= limit && (page.next.is_none() || page.listed.len() == limit), "a short page");
        all.extend(page.listed);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

fn ids(listed: &[Listed]) -> BTreeSet<String> {
    let id = |one: &Listed| match one {
        Listed::Finding(finding) => finding.id.to_string(),
        Listed::Run(run) => run.segment.to_string(),
    };
    listed.iter().map(id).collect()
}

async fn listed(place: &Place) {
    let (_ledger, mut book, _) = place.book().await;
    book.checkpoint(&Posting::of(&first(), NOW)).await.expect("written");
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let all = FindingFilter::default();
    for limit in [1_000, 100, 7] {
        let listed = pages(&mut reader, &all, limit).await;
        assert_eq!((listed.len(), ids(&listed).len()), (1_233, 1_233), "{limit} a page");
    }
    let mut streamed = Vec::new();
    let each = reader.each_finding("trades", &all, |one| {
        streamed.push(one);
        Ok(())
    });
    each.await.expect("streamed");
    assert_eq!(streamed, pages(&mut reader, &all, 500).await);

    let some = |change: &dyn Fn(&mut FindingFilter)| {
        let mut filter = FindingFilter::default();
        change(&mut filter);
        filter
    };
    for (many, filter) in [
        (600, some(&|filter| filter.verdict = Some(CORRUPTED))),
        (603, some(&|filter| filter.cause = LOST)),
        (1, some(&|filter| (filter.partition, filter.offset) = (Some(0), Some(17)))),
        (2, some(&|filter| filter.offset = Some(17))),
        (1, some(&|filter| filter.offset = Some(5_000))),
        (0, some(&|filter| filter.topic = Some("quotes".into()))),
        (1_203, some(&|filter| filter.topic = Some("trades".into()))),
        (615, some(&|filter| filter.file = Some(path(2)))),
        (0, some(&|filter| filter.file = Some(path(3)))),
        (0, some(&|filter| filter.states = vec![FindingState::Resolved])),
        (1_233, some(&|filter| filter.states = vec![FindingState::Open, FindingState::Ignored])),
        (
            15,
            some(&|filter| {
                let about = About::File(path(2));
                filter.group = Some(GroupId::of(PHANTOM, Some(Cause::Unexplained), Some(&about)));
            }),
        ),
    ] {
        assert_eq!(pages(&mut reader, &filter, 100).await.len(), many, "{filter:?}");
    }
    let unknown = reader.findings("trades", &all, Some("x"), 10).await;
    assert!(matches!(unknown, Err(crate::LedgerError::Cursor { .. })), "{unknown:?}");
}

#[test]
fn findings_are_listed_each_once_in_pages_and_by_what_is_asked() {
    within(listed(&Place::sqlite()));
    within(listed(&Place::postgres()));
}

async fn found(reader: &mut ReadLedger, change: &FindingChange) -> FindingRow {
    reader.finding("trades", &change.id, NOW).await.expect("readable").expect("a finding").0
}

async fn next(book: &mut Book, findings: Vec<FindingChange>, evidence: &[Evidence]) {
    let mut delta = Delta { checkpoint: book.checkpoint_number() + 1, judged_at_ms: NOW + 5, ..Delta::default() };
    (delta.snapshot, delta.findings) = (Some(42), findings);
    lanes(&mut delta);
    book.checkpoint(&Posting { evidence, ..Posting::of(&delta, NOW + 5) }).await.expect("written");
}

async fn lived(place: &Place) {
    let (_ledger, mut book, _) = place.book().await;
    book.checkpoint(&Posting::of(&first(), NOW)).await.expect("written");
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let (missing, corrupted) =
        (of_message(MISSING, LOST, 0, 3, None), of_message(CORRUPTED, PRECISION, 0, 700, Some(2)));
    let row = found(&mut reader, &corrupted).await;
    assert_eq!((row.rows, row.timestamp_ms, row.evidence), (vec![(path(2), 3)], Some(NOW - 700), None));
    assert_eq!(row.place, At::Message { tp: tp(0), offset: 700 });
    assert_eq!(found(&mut reader, &of_row(1, 4)).await.place, At::Row { file: path(1), position: 4 });

    // Evidence is given back as it came, and says what it groups by; of a finding that nobody knows it is left out.
    let column = About::Column("price".into());
    let unknown = FindingId::of_message("trades", MISSING, &tp(0), 9_999);
    let evidence = [corrupted.id.clone(), unknown].map(|finding| Evidence {
        finding,
        of: None,
        cause: None,
        about: Some(column.clone()),
        body: b"{\"detail\":\"a digit\"}".to_vec(),
    });
    next(&mut book, Vec::new(), &evidence).await;
    let row = found(&mut reader, &corrupted).await;
    assert_eq!((row.evidence.as_ref(), row.about.as_ref()), (Some(&evidence[0].body), Some(&column)));
    assert_eq!(row.group, GroupId::of(CORRUPTED, PRECISION, Some(&column)));

    // It is missing no longer: another finding is true of the message, or the table has its row.
    let resolved =
        |change: &FindingChange| FindingChange { change: Change::Resolved, at_ms: NOW + 5, ..change.clone() };
    let instead = FindingChange { at_ms: NOW + 5, ..of_message(CORRUPTED, PRECISION, 0, 3, Some(1)) };
    let other = of_message(MISSING, LOST, 0, 4, None);
    next(&mut book, vec![resolved(&missing), resolved(&other), instead.clone(), resolved(&corrupted)], &[]).await;
    let row = found(&mut reader, &missing).await;
    assert_eq!((row.state, row.changed_ms), (FindingState::Resolved, NOW + 5));
    assert_eq!(row.resolved_by, Some(ResolvedBy::Finding(instead.id.clone())));
    assert_eq!(found(&mut reader, &other).await.resolved_by, Some(ResolvedBy::Snapshot(42)));
    assert_eq!(found(&mut reader, &corrupted).await.evidence, Some(evidence[0].body.clone()), "what was is kept");

    // True again: the same finding, once more.
    let again = FindingChange { at_ms: NOW + 9, ..missing.clone() };
    next(&mut book, vec![again, resolved(&instead)], &[]).await;
    let row = found(&mut reader, &missing).await;
    assert_eq!((row.state, row.times, row.first_ms, row.opened_ms), (FindingState::Open, 2, NOW, NOW + 9));
    assert_eq!(row.resolved_by, None);
    // A file that was scanned again has another number: the finding changed, and did not open once more.
    let moved = FindingChange { at_ms: NOW + 10, facts: Facts::default().to_bytes(), ..missing.clone() };
    next(&mut book, vec![resolved(&missing), moved], &[]).await;
    assert_eq!(found(&mut reader, &missing).await.times, 2);
    reader.verify("trades", trades().digest_key).await.expect("sound");
}

#[test]
fn a_finding_keeps_its_id_its_values_and_what_resolved_it() {
    within(lived(&Place::sqlite()));
    within(lived(&Place::postgres()));
}

async fn told(place: &Place) {
    let (_ledger, mut book, _) = place.book().await;
    book.checkpoint(&Posting::of(&first(), NOW)).await.expect("written");
    let corrupted = of_message(CORRUPTED, PRECISION, 0, 700, Some(2));
    let read = async |book: &mut Book| {
        let untold = book.untold(100_000).await.expect("readable");
        untold.into_iter().find(|one| one.id == corrupted.id).map(|one| one.of)
    };
    let values = |of, body: &[u8]| Evidence {
        finding: corrupted.id.clone(),
        of,
        cause: Some(Cause::Damage(Damage::ZoneShift)),
        about: None,
        body: body.to_vec(),
    };
    // It changes while they are read: in the checkpoint that has them, or in one before.
    let before = read(&mut book).await;
    let changed = |file| FindingChange {
        change: Change::Changed,
        at_ms: NOW + 5,
        ..of_message(CORRUPTED, PRECISION, 0, 700, Some(file))
    };
    next(&mut book, vec![changed(1)], &[values(before, b"old")]).await;
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let row = found(&mut reader, &corrupted).await;
    assert_eq!((row.evidence, row.cause), (None, PRECISION), "they are of what it said before");
    let now = read(&mut book).await;
    assert!(now.is_some() && now != before, "it is asked for again: {now:?}");
    next(&mut book, Vec::new(), &[values(before, b"old")]).await;
    assert_eq!((found(&mut reader, &corrupted).await.evidence, read(&mut book).await), (None, now));
    // Of the cause too, which may change alone.
    let other = FindingChange { cause: Some(Cause::Damage(Damage::Truncated)), ..changed(1) };
    next(&mut book, vec![other], &[values(now, b"old")]).await;
    let now = read(&mut book).await;
    next(&mut book, Vec::new(), &[values(now, b"new")]).await;
    let row = found(&mut reader, &corrupted).await;
    assert_eq!((row.evidence.as_deref(), row.cause), (Some(b"new".as_slice()), Some(Cause::Damage(Damage::ZoneShift))));
    assert_eq!(read(&mut book).await, None, "once is enough");
    reader.verify("trades", trades().digest_key).await.expect("sound");
}

#[test]
fn values_of_what_a_finding_said_before_are_left_out_and_asked_for_again() {
    within(told(&Place::sqlite()));
    within(told(&Place::postgres()));
}

async fn grouped(place: &Place) {
    let (_ledger, mut book, _) = place.book().await;
    book.checkpoint(&Posting::of(&first(), NOW)).await.expect("written");
    let column = About::Column("price".into());
    let priced = (600..610).map(|offset| of_message(CORRUPTED, PRECISION, 0, offset, Some(2)).id);
    let evidence =
        priced.map(|finding| Evidence { finding, of: None, cause: None, about: Some(column.clone()), body: vec![1] });
    next(&mut book, Vec::new(), &evidence.collect::<Vec<_>>()).await;
    let resolved = FindingChange { change: Change::Resolved, at_ms: NOW + 5, ..of_message(MISSING, LOST, 0, 0, None) };
    next(&mut book, vec![resolved], &[]).await;
    let mut reader = ReadLedger::open(&place.address).await.expect("readable");
    let groups = reader.groups("trades", NOW).await.expect("groups");
    let shown = groups.iter().map(|group| (group.verdict, group.about.clone(), group.findings.clone()));
    let open = |many| BTreeMap::from([(FindingState::Open, many)]);
    let of_file = |file| Some(About::File(path(file)));
    let missing = BTreeMap::from([(FindingState::Open, 599 + 4_096 + 7 + 9), (FindingState::Resolved, 1)]);
    let mut expected = vec![
        (MISSING, None, missing),
        (CORRUPTED, None, open(590)),
        (CORRUPTED, Some(column), open(10)),
        (PHANTOM, of_file(1), open(15)),
        (PHANTOM, of_file(2), open(15)),
    ];
    assert!(groups.is_sorted_by_key(|group| std::cmp::Reverse(group.is_true())), "the largest first");
    assert!(groups.iter().all(|group| group.examples.len() == 3 && group.first_ms == NOW), "{groups:?}");
    let mut shown = shown.collect::<Vec<_>>();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn groups_count_what_is_alike_and_show_examples() {
    within(grouped(&Place::sqlite()));
    within(grouped(&Place::postgres()));
}
