//! report.json: the counts and figures of one run.
//!
//! Contract: the keys and their order are public (interface.md §5, schema `validator.report/1`); a figure that was not
//! looked at is null, never 0. Fields are added, never renamed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::accounting::Accounts;
use crate::clock::UtcMillis;
use crate::figures::{Figures, Outcome};
use crate::finding::FindingCounts;
use crate::hole::Holes;
use crate::judge::{MessageTally, RowTally};
use crate::verdict::{MessageVerdict, RowVerdict, TableVerdict, Verdict};

/// The value of `schema`.
pub const REPORT_SCHEMA: &str = "validator.report/1";

/// One run's report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema: &'static str,
    /// The validator's version.
    pub validator: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The outcome.
    pub outcome: Outcome,
    /// Whether all that the run asked for could be looked at.
    pub complete: bool,
    /// When the run started.
    pub started_at: UtcMillis,
    /// When it ended.
    pub finished_at: UtcMillis,
    /// The clock it judged by.
    pub judged_at: UtcMillis,
    /// From start to end.
    pub elapsed_ms: u64,
    /// Of the configuration that has a say in verdicts.
    pub config_hash: String,
    /// The version of the canonical bytes.
    pub digest: String,
    /// The figures.
    pub fidelity: FidelityReport,
    /// Messages by verdict.
    pub messages: MessageCounts,
    /// Rows by verdict.
    pub rows: RowCounts,
    /// By partition, in order (topic, partition).
    pub partitions: Vec<PartitionReport>,
    /// Segments.
    pub segments: SegmentCounts,
    /// The table.
    pub table: TableReport,
    /// Tolerances and roundings, where they were used.
    pub policy: Vec<PolicyCount>,
    /// Rules, in the order of the configuration.
    pub rules: Vec<RuleReport>,
    /// Findings by cause.
    pub findings: FindingCounts,
    /// Sentences for a person, see [`crate::warning`].
    pub warnings: Vec<String>,
}

/// The key `fidelity`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FidelityReport {
    /// Fidelity; null where nothing was judged.
    pub value: Option<f64>,
    /// Its target.
    pub target: f64,
    /// Landed / due; null where nothing is due.
    pub completeness: Option<f64>,
    /// Faithful / rows; null where there is no row.
    pub precision: Option<f64>,
    /// Due / (due + what could not be judged); null where both are 0.
    pub coverage: Option<f64>,
}

impl FidelityReport {
    /// The figures against their target.
    pub fn new(figures: &Figures, target: f64) -> Self {
        Self {
            value: figures.fidelity,
            target,
            completeness: figures.completeness,
            precision: figures.precision,
            coverage: figures.coverage,
        }
    }
}

/// The key `messages`, in total and per partition: the verdicts from `pending` to `unobservable` add up to `consumed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each key is the verdict of its name, see MessageTally")]
pub struct MessageCounts {
    pub consumed: u64,
    pub pending: u64,
    pub intact: u64,
    pub corrupted: u64,
    pub duplicated: u64,
    pub missing: u64,
    pub overdue: u64,
    pub withdrawn: u64,
    pub diverted: u64,
    pub excluded: u64,
    pub undecodable: u64,
    pub unobservable: u64,
    /// Null where lateness could not be looked at.
    pub late: Option<u64>,
    pub duplicated_differing: u64,
}

impl MessageCounts {
    /// The counts of a tally whose I1 holds (see [`Accounts`]); `is_late_known` whether `late` was looked at.
    pub fn new(tally: &MessageTally, is_late_known: bool) -> Self {
        Self {
            consumed: tally.total(),
            pending: tally.pending,
            intact: tally.intact,
            corrupted: tally.corrupted,
            duplicated: tally.duplicated,
            missing: tally.missing,
            overdue: tally.overdue,
            withdrawn: tally.withdrawn,
            diverted: tally.diverted,
            excluded: tally.excluded,
            undecodable: tally.undecodable,
            unobservable: tally.unobservable,
            late: is_late_known.then_some(tally.late),
            duplicated_differing: tally.duplicated_differing,
        }
    }
}

/// The key `rows`: `total` = intact + corrupted + copies + phantom + unjudged + unobservable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each key is the verdict of its name, see RowTally")]
pub struct RowCounts {
    pub total: u64,
    pub intact: u64,
    pub corrupted: u64,
    pub copies: u64,
    pub phantom: u64,
    pub unjudged: u64,
    pub unobservable: u64,
    pub out_of_scope: u64,
    /// Null where partition tuples were not looked at.
    pub misrouted: Option<u64>,
    /// Null where versions were not looked at.
    pub stale: Option<u64>,
}

impl RowCounts {
    /// The counts of a tally; `misrouted` and `stale` count rows that are also in one of its verdicts.
    pub fn new(tally: &RowTally, misrouted: Option<u64>, stale: Option<u64>) -> Self {
        Self {
            total: tally.total(),
            intact: tally.intact,
            corrupted: tally.corrupted,
            copies: tally.copies,
            phantom: tally.phantom,
            unjudged: tally.unjudged,
            unobservable: tally.unobservable,
            out_of_scope: tally.out_of_scope,
            misrouted,
            stale,
        }
    }
}

/// One of `partitions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The first offset of the range.
    pub from: i64,
    /// The first offset after it.
    pub to: i64,
    /// Messages consumed.
    pub consumed: u64,
    /// Offsets that are not there.
    pub holes: Holes,
    /// Messages by verdict.
    pub messages: MessageCounts,
}

/// The key `segments`: `total` = balanced + disputed; those that hold only rows out of scope are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SegmentCounts {
    /// All.
    pub total: u64,
    /// Both bags equal.
    pub balanced: u64,
    /// The bags differ.
    pub disputed: u64,
    /// Of the disputed, those whose every difference has a verdict.
    pub judged: u64,
}

/// The key `table`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// As the pipeline names it.
    pub name: String,
    /// The table's UUID.
    pub uuid: Option<String>,
    /// The snapshot judged; null where the table has none.
    pub snapshot_id: Option<i64>,
    /// The metadata file it was read from.
    pub metadata_location: String,
    /// Live data files.
    pub files: u64,
    /// Table findings by verdict; those that were not looked for are null.
    pub findings: BTreeMap<TableVerdict, Option<u64>>,
}

/// One of `policy`: a tolerance or a rounding that was used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyCount {
    /// The column.
    pub column: String,
    /// What was tolerated: `rounded_to_double`, `round`, …
    pub tolerance: String,
    /// Messages it was used on.
    pub messages: u64,
    /// Rows it was used on; none: that was not counted.
    pub rows: Option<u64>,
}

/// One of `rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleReport {
    /// The rule's name.
    pub name: String,
    /// What it expects.
    pub expect: String,
    /// The side it was asked of.
    pub on: String,
    /// Its outcome.
    pub outcome: String,
    /// Values it was asked of.
    pub evaluated: u64,
    /// Those that do not meet it.
    pub unexpected: u64,
}

impl Report {
    /// Asserts that the counts of this report are those of `accounts`, and that I1 holds in them.
    ///
    /// # Panics
    /// When they do not; the message names the partition.
    pub fn assert_balanced(&self, accounts: &Accounts) {
        accounts.assert_balanced();
        // Late messages are intact ones and counted apart from the accounts.
        let counts =
            |tally, like: &MessageCounts| MessageCounts { late: like.late, ..MessageCounts::new(tally, false) };
        let is_same = self.messages == counts(&accounts.messages, &self.messages);
        assert!(is_same, "I1: the report's total is not the accounts'");
        assert!(self.messages.late <= Some(self.messages.intact), "I1: more messages are late than intact");
        // Partitions that the run does not read have an account and no report.
        let mut reports = self.partitions.iter().peekable();
        for account in &accounts.partitions {
            let is_its = |report: &&PartitionReport| {
                (report.topic.as_str(), report.partition) == (account.tp.topic.as_str(), account.tp.partition)
            };
            let is_same = match reports.next_if(|report| is_its(report)) {
                Some(report) => {
                    report.consumed == account.consumed
                        && report.messages == counts(&account.messages, &report.messages)
                }
                None => account.consumed == 0,
            };
            assert!(is_same, "I1: the report of {} is not its account", account.tp);
        }
        assert!(reports.next().is_none(), "I1: the report has partitions without an account");
        let rows = RowCounts::new(&accounts.rows, self.rows.misrouted, self.rows.stale);
        assert!(self.rows == rows, "I1: the report's rows are not the accounts'");
        self.assert_findings();
    }

    /// Totals and details agree: a verdict that makes findings has as many as it counts.
    fn assert_findings(&self) {
        let found = self.findings.by_verdict();
        let (messages, rows) = (&self.messages, &self.rows);
        let counted = [
            (MessageVerdict::Corrupted.into(), messages.corrupted),
            (MessageVerdict::Duplicated.into(), messages.duplicated),
            (MessageVerdict::Missing.into(), messages.missing),
            (MessageVerdict::Overdue.into(), messages.overdue),
            (MessageVerdict::Withdrawn.into(), messages.withdrawn),
            (MessageVerdict::Diverted.into(), messages.diverted),
            (MessageVerdict::Excluded.into(), messages.excluded),
            (MessageVerdict::Undecodable.into(), messages.undecodable),
            (MessageVerdict::Unobservable.into(), messages.unobservable),
            (Verdict::Row(RowVerdict::Phantom), rows.phantom),
        ];
        for (verdict, count) in counted {
            let found = found.get(&verdict).copied().unwrap_or(0);
            assert!(found == count, "I1: {count} are {verdict}, and {found} findings say so");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::PartitionAccount;
    use crate::hole::{Hole, HoleReason};
    use crate::position::TopicPartition;
    use crate::verdict::Cause;

    fn report(tally: &MessageTally, rows: &RowTally) -> Report {
        let holes = Holes::new(vec![Hole { from: 3, to: 5, reason: HoleReason::Control }]);
        let messages = MessageCounts::new(tally, false);
        let partition =
            PartitionReport { topic: "t".into(), partition: 0, from: 0, to: 9, consumed: 2, holes, messages };
        Report {
            schema: REPORT_SCHEMA,
            validator: "0.1.0".into(),
            pipeline: "trades".into(),
            outcome: Outcome::Holds,
            complete: true,
            started_at: UtcMillis(0),
            finished_at: UtcMillis(1),
            judged_at: UtcMillis(0),
            elapsed_ms: 1,
            config_hash: "c".into(),
            digest: "canonical/1".into(),
            fidelity: FidelityReport::new(&Figures::of(tally, rows), 0.9999),
            messages,
            rows: RowCounts::new(rows, None, None),
            partitions: vec![partition],
            segments: SegmentCounts { total: 1, balanced: 1, disputed: 0, judged: 0 },
            table: TableReport {
                name: "lake.a.b".into(),
                uuid: Some("u".into()),
                snapshot_id: Some(i64::MAX),
                metadata_location: "m".into(),
                files: 1,
                findings: BTreeMap::from([(TableVerdict::StorageCorrupt, Some(0)), (TableVerdict::StatsLie, None)]),
            },
            policy: vec![PolicyCount { column: "x".into(), tolerance: "round".into(), messages: 1, rows: Some(0) }],
            rules: Vec::new(),
            findings: FindingCounts::default(),
            warnings: Vec::new(),
        }
    }

    fn tallies() -> (MessageTally, RowTally) {
        (MessageTally { intact: 2, ..Default::default() }, RowTally { intact: 2, ..Default::default() })
    }

    #[test]
    fn a_report_has_the_keys_of_the_interface_in_their_order() {
        let (tally, rows) = tallies();
        let counts = concat!(
            r#"{"consumed":2,"pending":0,"intact":2,"corrupted":0,"duplicated":0,"missing":0,"overdue":0,"withdrawn":0,"#,
            r#""diverted":0,"excluded":0,"undecodable":0,"unobservable":0,"late":null,"duplicated_differing":0}"#
        );
        let expected = [
            r#"{"schema":"validator.report/1","validator":"0.1.0","pipeline":"trades","outcome":"holds","complete":true,"#,
            r#""started_at":"1970-01-01T00:00:00.000Z","finished_at":"1970-01-01T00:00:00.001Z","#,
            r#""judged_at":"1970-01-01T00:00:00.000Z","elapsed_ms":1,"config_hash":"c","digest":"canonical/1","#,
            r#""fidelity":{"value":1.0,"target":0.9999,"completeness":1.0,"precision":1.0,"coverage":1.0},"messages":"#,
            counts,
            r#","rows":{"total":2,"intact":2,"corrupted":0,"copies":0,"phantom":0,"unjudged":0,"unobservable":0,"#,
            r#""out_of_scope":0,"misrouted":null,"stale":null},"partitions":[{"topic":"t","partition":0,"from":0,"to":9,"#,
            r#""consumed":2,"holes":[{"from":3,"to":5,"reason":"control"}],"messages":"#,
            counts,
            r#"}],"segments":{"total":1,"balanced":1,"disputed":0,"judged":0},"table":{"name":"lake.a.b","uuid":"u","#,
            r#""snapshot_id":9223372036854775807,"metadata_location":"m","files":1,"#,
            r#""findings":{"storage_corrupt":0,"stats_lie":null}},"#,
            r#""policy":[{"column":"x","tolerance":"round","messages":1,"rows":0}],"rules":[],"#,
            r#""findings":{"total":0,"by_cause":[]},"warnings":[]}"#,
        ]
        .concat();
        assert_eq!(serde_json::to_string(&report(&tally, &rows)).expect("a report serialises"), expected);
    }

    fn accounts() -> Accounts {
        let (tally, rows) = tallies();
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let partitions = vec![PartitionAccount { tp, consumed: 2, messages: tally }];
        Accounts { partitions, messages: tally, rows_read: 2, rows }
    }

    #[test]
    fn a_report_of_its_accounts_passes() {
        let (tally, rows) = tallies();
        report(&tally, &rows).assert_balanced(&accounts());
    }

    #[test]
    #[should_panic(expected = "I1: the report of t[0] is not its account")]
    fn a_report_that_is_not_its_accounts_names_the_partition() {
        let (tally, rows) = tallies();
        let mut wrong = report(&tally, &rows);
        wrong.partitions[0].messages.intact = 1;
        wrong.assert_balanced(&accounts());
    }

    #[test]
    fn a_partition_that_is_not_read_has_no_report() {
        let (tally, rows) = tallies();
        let mut accounts = accounts();
        let tp = TopicPartition { topic: "t".into(), partition: 1 };
        accounts.partitions.push(PartitionAccount { tp, consumed: 0, messages: MessageTally::default() });
        report(&tally, &rows).assert_balanced(&accounts);
    }

    #[test]
    #[should_panic(expected = "I1: the report of t[0] is not its account")]
    fn a_partition_that_is_read_has_a_report() {
        let (tally, rows) = tallies();
        let mut wrong = report(&tally, &rows);
        wrong.partitions.clear();
        wrong.assert_balanced(&accounts());
    }

    #[test]
    fn late_messages_are_counted_apart_from_the_accounts() {
        let (tally, rows) = tallies();
        let mut late = report(&tally, &rows);
        late.messages.late = Some(2);
        late.assert_balanced(&accounts());
    }

    #[test]
    #[should_panic(expected = "I1: more messages are late than intact")]
    fn no_more_messages_are_late_than_intact() {
        let (tally, rows) = tallies();
        let mut wrong = report(&tally, &rows);
        wrong.messages.late = Some(3);
        wrong.assert_balanced(&accounts());
    }

    #[test]
    #[should_panic(expected = "I1: 0 are missing, and 1 findings say so")]
    fn findings_that_the_counts_do_not_know_are_seen() {
        let (tally, rows) = tallies();
        let mut wrong = report(&tally, &rows);
        wrong.findings.add(MessageVerdict::Missing.into(), Some(Cause::Lost), 1);
        wrong.assert_balanced(&accounts());
    }
}
