//! The text report as a person sees it: what holds, what is breached, what could not be judged.

use std::collections::BTreeMap;

use serde_json::json;
use validator_core::clock::UtcMillis;
use validator_core::figures::{Figures, Outcome, Reason};
use validator_core::finding::{Candidate, ColumnDifference, Finding, FindingCounts, Named, RowPlace, sort};
use validator_core::hole::{Hole, HoleReason, Holes};
use validator_core::judge::{MessageTally, RowTally};
use validator_core::position::TopicPartition;
use validator_core::report::{
    FidelityReport, MessageCounts, PartitionReport, PolicyCount, REPORT_SCHEMA, Report, RowCounts, SegmentCounts,
    TableReport,
};
use validator_core::verdict::{Cause, Damage, ExcludedCause, MessageVerdict, RowVerdict, TableVerdict, Verdict};

use super::{Palette, TextReport, report_json};

/// 2024-08-08T00:00:00Z.
const NOW_MS: i64 = 1_723_075_200_000;
const FILE: &str = "file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet";

fn tp(partition: i32) -> TopicPartition {
    TopicPartition { topic: "market.crypto.trades.binance".to_owned(), partition }
}

fn partition(index: i32, tally: &MessageTally, holes: Vec<Hole>) -> PartitionReport {
    let messages = MessageCounts::new(tally, true);
    let holes = Holes::new(holes);
    let to = i64::try_from(messages.consumed).expect("the numbers of the tests are small");
    PartitionReport {
        topic: tp(index).topic,
        partition: index,
        from: 0,
        to,
        consumed: messages.consumed,
        holes,
        messages,
    }
}

fn report(outcome: Outcome, messages: &MessageTally, rows: &RowTally, counts: FindingCounts) -> Report {
    Report {
        schema: REPORT_SCHEMA,
        validator: "0.1.0".to_owned(),
        pipeline: "trades".to_owned(),
        outcome,
        complete: true,
        started_at: UtcMillis(NOW_MS),
        finished_at: UtcMillis(NOW_MS + 12_345),
        judged_at: UtcMillis(NOW_MS),
        elapsed_ms: 12_345,
        config_hash: "ab".repeat(32),
        digest: "canonical/1".to_owned(),
        fidelity: FidelityReport::new(&Figures::of(messages, rows), 0.9999),
        messages: MessageCounts::new(messages, true),
        rows: RowCounts::new(rows, Some(0), None),
        partitions: vec![partition(0, messages, Vec::new())],
        segments: SegmentCounts { total: 40, balanced: 38, disputed: 2, judged: 2 },
        table: TableReport {
            name: "lake.market_data.trades_v2".to_owned(),
            uuid: None,
            snapshot_id: Some(8_744_736_658_442_914_487),
            metadata_location: "file:///lake/trades/metadata/v7.metadata.json".to_owned(),
            files: 12,
            findings: BTreeMap::new(),
        },
        policy: Vec::new(),
        rules: Vec::new(),
        findings: counts,
        warnings: Vec::new(),
    }
}

fn text(report: &Report, reasons: &[Reason], findings: &[Finding]) -> TextReport<'static> {
    // Tests end before the leak matters, and the report outlives every borrow this way.
    TextReport {
        report: Box::leak(Box::new(report.clone())),
        reasons: reasons.to_vec().leak(),
        findings: findings.to_vec().leak().iter().collect::<Vec<_>>().leak(),
        findings_file: None,
        command: "validator reconcile trades",
    }
}

fn holding() -> Report {
    let messages = MessageTally { intact: 1_234_567, excluded: 12, late: 3, ..Default::default() };
    let rows = RowTally { intact: 1_234_567, out_of_scope: 400, ..Default::default() };
    let mut counts = FindingCounts::default();
    counts.add_excluded(ExcludedCause::Filter, 10);
    counts.add_excluded(ExcludedCause::Tombstone, 2);
    let mut report = report(Outcome::Holds, &messages, &rows, counts);
    let markers = (0..50).map(|run| Hole { from: run * 100, to: run * 100 + 1, reason: HoleReason::Control }).collect();
    report.partitions = vec![partition(0, &messages, markers), partition(1, &MessageTally::default(), Vec::new())];
    report.policy = vec![PolicyCount {
        column: "quote_amount".to_owned(),
        tolerance: "rounded_to_double".to_owned(),
        messages: 17,
        rows: Some(0),
    }];
    report
}

fn corrupted(offset: i64, columns: Vec<ColumnDifference>) -> Finding {
    let cause = columns.first().map(|column| Cause::Damage(column.damage));
    let mut finding = Finding::of_message("trades", MessageVerdict::Corrupted, cause, &tp(3), offset);
    finding.timestamp = Some(UtcMillis(NOW_MS + offset));
    finding.identity = Some(Named(vec![("message_id".to_owned(), json!("7f-01"))]));
    finding.columns = columns;
    finding.rows = vec![RowPlace { file: FILE.to_owned(), position: Some(17) }];
    finding.snapshot_id = Some(42);
    finding.operation = Some("append".to_owned());
    finding
}

fn column(name: &str, message: serde_json::Value, row: serde_json::Value, damage: Damage) -> ColumnDifference {
    ColumnDifference { name: name.to_owned(), message, row, damage }
}

#[test]
fn equal_messages_that_may_be_meant_stand_below_the_findings_own() {
    let mut finding = Finding::of_message("trades", MessageVerdict::Missing, Some(Cause::Lost), &tp(3), 8);
    let candidate = |offset| Candidate { topic: tp(3).topic, partition: 3, offset };
    finding.candidates = vec![candidate(7), candidate(8), candidate(9)];
    finding.detail =
        "no row, and the table has moved past it; which of 3 equal messages it is cannot be told".to_owned();
    insta::assert_snapshot!(super::finding_text(&finding, Palette::PLAIN, 120), @"
    missing  no row, and the table has moved past the message
      market.crypto.trades.binance[3]@8
        or market.crypto.trades.binance[3]@7
        or market.crypto.trades.binance[3]@9
        no row, and the table has moved past it; which of 3 equal messages it is cannot be told
    ");
}

/// One of each kind that a person meets.
fn breached() -> (Report, Vec<Finding>) {
    let lost = Some(Cause::Lost);
    let mut findings = Vec::new();
    for offset in 0..5 {
        let mut finding = Finding::of_message("trades", MessageVerdict::Missing, lost, &tp(1), 900 + offset);
        finding.detail = "no row has its identity, and rows of later messages are there".to_owned();
        findings.push(finding);
    }
    findings.push(corrupted(
        1234,
        vec![
            column("price", json!("0.123456785"), json!("0.12345679"), Damage::PrecisionLost),
            column("side", json!("BUY"), serde_json::Value::Null, Damage::NullForValue),
        ],
    ));
    let mut copies = Finding::of_message("trades", MessageVerdict::Duplicated, Some(Cause::Copied), &tp(3), 2000);
    copies.copies = 2;
    copies.rows = vec![
        RowPlace { file: FILE.to_owned(), position: Some(18) },
        RowPlace { file: FILE.to_owned(), position: Some(19) },
    ];
    findings.push(copies);
    findings.push(Finding::of_row("trades", Verdict::Row(RowVerdict::Phantom), Some(Cause::Unexplained), FILE, 20));
    let mut file = Finding::of_table("trades", Verdict::Table(TableVerdict::StorageCorrupt), None, FILE);
    file.detail = "row group 2: the CRC of a page does not match; 1,000 rows are lost".to_owned();
    findings.push(file);
    sort(&mut findings);
    let messages = MessageTally {
        intact: 9_992,
        missing: 5,
        corrupted: 1,
        duplicated: 1,
        duplicated_faithful: 1,
        overdue: 1,
        ..Default::default()
    };
    let rows = RowTally { intact: 9_992, corrupted: 1, copies: 2, phantom: 1, ..Default::default() };
    let mut counts = FindingCounts::default();
    for finding in &findings {
        counts.add(finding.verdict, finding.cause, 1);
    }
    counts.add(MessageVerdict::Overdue.into(), None, 1);
    let mut report = report(Outcome::Breached, &messages, &rows, counts);
    report.partitions = vec![
        partition(0, &MessageTally { intact: 5_000, ..Default::default() }, Vec::new()),
        partition(1, &MessageTally { intact: 4_000, missing: 5, overdue: 1, ..Default::default() }, Vec::new()),
        partition(
            3,
            &MessageTally { intact: 992, corrupted: 1, duplicated: 1, ..Default::default() },
            vec![Hole { from: 0, to: 100, reason: HoleReason::Retention }],
        ),
    ];
    report.complete = false;
    report.warnings = vec!["100 offsets of partition 3 are gone by retention".to_owned()];
    (report, findings)
}

fn reasons_of_breached(report: &Report) -> Vec<Reason> {
    let value = report.fidelity.value.expect("something was judged");
    vec![
        Reason::Fidelity { value, target: 0.9999 },
        Reason::Finding { verdict: Verdict::Table(TableVerdict::StorageCorrupt), count: 1 },
    ]
}

#[test]
fn a_table_that_holds_says_so_first() {
    insta::assert_snapshot!(text(&holding(), &[], &[]).render(Palette::PLAIN, 100), @r"
    HOLDS  trades

      topic   market.crypto.trades.binance, 2 partitions
      table   lake.market_data.trades_v2, snapshot 8744736658442914487, 12 files
      judged  2024-08-08T00:00:00.000Z, took 12.3 s
      proof   40 segments, 38 balanced, 2 disputed, 2 of these judged

    fidelity      1 (target 0.9999)
    completeness  1
    precision     1
    coverage      1

    messages  1,234,579
      intact                 1,234,567
      excluded                      12 (filter 10, tombstone 2)
      of them late                   3

    rows  1,234,567 in scope
      intact                 1,234,567
      out of scope                 400

    holes  offsets that are not there
      control    50 offsets, transaction markers
        market.crypto.trades.binance[0]  50 offsets in 50 runs, the first 0..1

    matched under policy
      quote_amount  rounded_to_double: 17 messages
    ");
}

#[test]
fn a_breach_names_each_difference() {
    let (report, findings) = breached();
    insta::assert_snapshot!(text(&report, &reasons_of_breached(&report), &findings).render(Palette::PLAIN, 100), @r"
    BREACHED  trades
      fidelity 0.9992 is below its target 0.9999
      1 finding of storage_corrupt
      not complete: a part of what was asked for could not be looked at

      topic   market.crypto.trades.binance, 3 partitions
      table   lake.market_data.trades_v2, snapshot 8744736658442914487, 12 files
      judged  2024-08-08T00:00:00.000Z, took 12.3 s
      proof   40 segments, 38 balanced, 2 disputed, 2 of these judged

    fidelity      0.9992 (target 0.9999)
    completeness  0.999499
    precision     0.999699
    coverage      0.9999

    messages  10,000
      intact                 9,992
      missing                    5
      corrupted                  1
      duplicated                 1
      overdue                    1

    rows  9,996 in scope
      intact                 9,992
      corrupted                  1
      copies                     2
      phantom                    1

    partitions
      market.crypto.trades.binance[1]  missing 5, overdue 1 of 4,006
      market.crypto.trades.binance[3]  corrupted 1, duplicated 1 of 994

    findings  10
      storage_corrupt               1
      missing lost                  5
      corrupted precision_lost      1
      phantom unexplained           1
      duplicated copied             1
      overdue                       1

    storage_corrupt  bytes of a file are not what was written
      file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet
        row group 2: the CRC of a page does not match; 1,000 rows are lost

    missing  no row, and the table has moved past the message
      market.crypto.trades.binance[1]@900
        no row has its identity, and rows of later messages are there
      market.crypto.trades.binance[1]@901
        no row has its identity, and rows of later messages are there
      market.crypto.trades.binance[1]@902
        no row has its identity, and rows of later messages are there
      and 2 more

    corrupted  the row has fewer decimal places: rounded
      market.crypto.trades.binance[3]@1234  2024-08-08T00:00:01.234Z
        message_id = 7f-01
        price
          message  0.123456785
          row      0.12345679
        side
          message  BUY
          row      NULL
          null_for_value: the row holds NULL where the message has a value
        file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet row 17
        written by snapshot 42 (append)

    phantom  a row that no message explains
      file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet row 20

    duplicated  more than one row, all equal to the message
      market.crypto.trades.binance[3]@2000
        file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet row 18
        file:///lake/trades/data/dt=2024-08-08/00000-0-7f.parquet row 19
        2 rows in all

    and 1 more finding of 1 other cause

    holes  offsets that are not there
      retention  100 offsets, gone by retention before this run
        market.crypto.trades.binance[3]  0..100

    warning  100 offsets of partition 3 are gone by retention

    next
      validator reconcile trades --findings findings.jsonl
      validator reconcile trades (again, after the table's next commit: what is on its way is not lost)
    ");
}

#[test]
fn a_breach_is_readable_in_forty_columns() {
    let (report, findings) = breached();
    let shown = text(&report, &reasons_of_breached(&report), &findings).render(Palette::PLAIN, 40);
    assert!(shown.lines().all(|line| line.chars().count() <= 40), "{shown}");
    insta::assert_snapshot!(shown, @r"
    BREACHED  trades
      fidelity 0.9992 is below its target
      0.9999
      1 finding of storage_corrupt
      not complete: a part of what was asked
      for could not be looked at

      topic   market.crypto.trades.binance,
              3 partitions
      table   lake.market_data.trades_v2,
              snapshot 8744736658442914487,
              12 files
      judged  2024-08-08T00:00:00.000Z, took
              12.3 s
      proof   40 segments, 38 balanced, 2
              disputed, 2 of these judged

    fidelity      0.9992 (target 0.9999)
    completeness  0.999499
    precision     0.999699
    coverage      0.9999

    messages  10,000
      intact                 9,992
      missing                    5
      corrupted                  1
      duplicated                 1
      overdue                    1

    rows  9,996 in scope
      intact                 9,992
      corrupted                  1
      copies                     2
      phantom                    1

    partitions
      market.crypto.trades.binance[1]
        missing 5, overdue 1 of 4,006
      market.crypto.trades.binance[3]
        corrupted 1, duplicated 1 of 994

    findings  10
      storage_corrupt               1
      missing lost                  5
      corrupted precision_lost      1
      phantom unexplained           1
      duplicated copied             1
      overdue                       1

    storage_corrupt  bytes of a file are not
                     what was written
      file:///lake/trades/data/dt=2024-08-08
      /00000-0-7f.parquet
        row group 2: the CRC of a page does
        not match; 1,000 rows are lost

    missing  no row, and the table has moved
             past the message
      market.crypto.trades.binance[1]@900
        no row has its identity, and rows of
        later messages are there
      market.crypto.trades.binance[1]@901
        no row has its identity, and rows of
        later messages are there
      market.crypto.trades.binance[1]@902
        no row has its identity, and rows of
        later messages are there
      and 2 more

    corrupted  the row has fewer decimal
               places: rounded
      market.crypto.trades.binance[3]@1234
        2024-08-08T00:00:01.234Z
        message_id = 7f-01
        price
          message  0.123456785
          row      0.12345679
        side
          message  BUY
          row      NULL
          null_for_value: the row holds NULL
          where the message has a value
        file:///lake/trades/data/dt=2024-08-
        08/00000-0-7f.parquet row 17
        written by snapshot 42 (append)

    phantom  a row that no message explains
      file:///lake/trades/data/dt=2024-08-08
      /00000-0-7f.parquet row 20

    duplicated  more than one row, all equal
                to the message
      market.crypto.trades.binance[3]@2000
        file:///lake/trades/data/dt=2024-08-
        08/00000-0-7f.parquet row 18
        file:///lake/trades/data/dt=2024-08-
        08/00000-0-7f.parquet row 19
        2 rows in all

    and 1 more finding of 1 other cause

    holes  offsets that are not there
      retention  100 offsets, gone by
                 retention before this run
        market.crypto.trades.binance[3]
          0..100

    warning  100 offsets of partition 3 are
             gone by retention

    next
      validator reconcile trades --findings
      findings.jsonl
      validator reconcile trades (again,
      after the table's next commit: what is
      on its way is not lost)
    ");
}

#[test]
fn what_could_not_be_judged_is_not_called_healthy() {
    let messages = MessageTally { intact: 900, overdue: 60, pending: 40, ..Default::default() };
    let rows = RowTally { intact: 900, ..Default::default() };
    let mut counts = FindingCounts::default();
    counts.add(MessageVerdict::Overdue.into(), None, 60);
    let report = report(Outcome::Unjudged, &messages, &rows, counts);
    let coverage = report.fidelity.coverage.expect("something was consumed");
    let reasons = [Reason::Coverage { value: coverage, target: 0.9999 }];
    let findings = [Finding::of_message("trades", MessageVerdict::Overdue, None, &tp(0), 940)];
    insta::assert_snapshot!(text(&report, &reasons, &findings).render(Palette::PLAIN, 100), @r"
    UNJUDGED  trades
      coverage 0.9375 is below its target 0.9999: too much could not be judged, or not yet

      topic   market.crypto.trades.binance, 1 partition
      table   lake.market_data.trades_v2, snapshot 8744736658442914487, 12 files
      judged  2024-08-08T00:00:00.000Z, took 12.3 s
      proof   40 segments, 38 balanced, 2 disputed, 2 of these judged

    fidelity      1 (target 0.9999)
    completeness  1
    precision     1
    coverage      0.9375 (target 0.9999)

    messages  1,000
      intact                 900
      overdue                 60
      pending                 40

    rows  900 in scope
      intact                 900

    findings  60
      overdue                       60

    overdue  no row yet, and the table has not moved past it: lag, not loss
      market.crypto.trades.binance[0]@940
      and 59 more

    next
      validator reconcile trades --findings findings.jsonl
      validator reconcile trades (again, after the table's next commit: what is on its way is not lost)
    ");
}

#[test]
fn a_run_over_nothing_has_no_figures() {
    let mut report = report(Outcome::Holds, &MessageTally::default(), &RowTally::default(), FindingCounts::default());
    report.partitions.clear();
    report.table.snapshot_id = None;
    report.warnings = vec!["there was nothing to judge".to_owned()];
    insta::assert_snapshot!(text(&report, &[], &[]).render(Palette::PLAIN, 100), @r"
    HOLDS  trades

      topic   no partition
      table   lake.market_data.trades_v2, no snapshot, 12 files
      judged  2024-08-08T00:00:00.000Z, took 12.3 s
      proof   40 segments, 38 balanced, 2 disputed, 2 of these judged

    fidelity      nothing to measure (target 0.9999)
    completeness  nothing to measure
    precision     nothing to measure
    coverage      nothing to measure

    messages  0

    rows  0 in scope

    warning  there was nothing to judge
    ");
}

#[test]
fn more_findings_than_fit_are_counted_exactly() {
    let mut counts = FindingCounts::default();
    let mut findings = Vec::new();
    for (index, damage) in Damage::ALL.iter().enumerate() {
        let number = 100 + index as u64;
        counts.add(MessageVerdict::Corrupted.into(), Some(Cause::Damage(*damage)), number);
        for offset in 0..4 {
            findings.push(corrupted(offset, vec![column("c", json!("1"), json!("2"), *damage)]));
        }
    }
    let messages = MessageTally { corrupted: counts.total(), ..Default::default() };
    let rows = RowTally { corrupted: counts.total(), ..Default::default() };
    let report = report(Outcome::Breached, &messages, &rows, counts);
    let shown = text(&report, &[], &findings).render(Palette::PLAIN, 80);
    let blocks = shown.matches("market.crypto.trades.binance[3]@").count();
    assert_eq!(blocks, 20, "{shown}");
    let more: u64 = shown
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("and ")?.split_once(" more")?.0.replace(',', "").parse::<u64>().ok()
        })
        .sum();
    assert_eq!(more + blocks as u64, report.findings.total());
}

#[test]
fn hostile_values_names_and_paths_do_not_reach_the_terminal() {
    let hostile = "\u{1b}]0;x\u{7}\u{1b}[2J\r\n\u{202e}evil";
    let mut finding = corrupted(1, vec![column(hostile, json!(hostile), json!([hostile]), Damage::Other)]);
    finding.topic = Some(hostile.to_owned());
    finding.identity = Some(Named(vec![(hostile.to_owned(), json!(hostile))]));
    finding.rows = vec![RowPlace { file: hostile.to_owned(), position: Some(1) }];
    finding.operation = Some(hostile.to_owned());
    finding.detail = hostile.to_owned();
    let mut counts = FindingCounts::default();
    counts.add(finding.verdict, finding.cause, 2);
    let messages = MessageTally { corrupted: 2, ..Default::default() };
    let mut report = report(Outcome::Breached, &messages, &RowTally { corrupted: 2, ..Default::default() }, counts);
    report.pipeline = hostile.to_owned();
    report.table.name = hostile.to_owned();
    report.warnings = vec![hostile.to_owned()];
    report.partitions[0].topic = hostile.to_owned();
    report.policy =
        vec![PolicyCount { column: hostile.to_owned(), tolerance: hostile.to_owned(), messages: 1, rows: Some(1) }];
    let mut face = text(&report, &[], &[finding]);
    face.findings_file = Some("\u{1b}[31mf.jsonl");
    let shown = face.render(Palette::PLAIN, 80);
    assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
}

#[test]
fn colours_say_the_outcome_and_change_no_word() {
    let (report, findings) = breached();
    let face = text(&report, &reasons_of_breached(&report), &findings);
    let painted = face.render(Palette::PAINTED, 100);
    assert!(painted.starts_with("\u{1b}[1m\u{1b}[31mBREACHED\u{1b}[0m"), "{painted:?}");
    let mut stripped = String::new();
    let mut rest = painted.as_str();
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = sequence.split_once('m').map_or("", |(_, after)| after);
    }
    stripped.push_str(rest);
    assert_eq!(stripped, face.render(Palette::PLAIN, 100));
}

#[test]
fn report_json_is_indented_and_ends_with_a_newline() {
    let json = report_json(&holding());
    assert!(json.starts_with("{\n  \"schema\": \"validator.report/1\",\n  \"validator\": \"0.1.0\",\n"), "{json}");
    assert!(json.ends_with("}\n"));
    assert!(json.contains("\"snapshot_id\": 8744736658442914487"));
}
