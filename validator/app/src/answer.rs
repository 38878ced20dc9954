//! From what a run found to its answer: report.json and the findings, sorted.
//!
//! Contract: the totals of the report are the counts of the findings and of the accounts; nothing is decided here that the
//! core's figures do not decide.

use std::collections::BTreeMap;

use validator_core::clock::{Clock, UtcMillis};
use validator_core::contract::Fidelity;
use validator_core::figures::{Decision, Figures, OutcomeInput, decide};
use validator_core::finding::{self, FindingCounts};
use validator_core::judge::MessageTally;
use validator_core::report::{
    FidelityReport, MessageCounts, PartitionReport, PolicyCount, REPORT_SCHEMA, Report, RowCounts, SegmentCounts,
    TableReport,
};
use validator_core::spread::Slices;
use validator_core::timeline::Timeline;
use validator_core::verdict::{ExcludedCause, TableVerdict, Verdict};
use validator_engine::case::Drilling;
use validator_engine::found::Findings;
use validator_engine::observations::PartitionSeen;
use validator_engine::reconcile::{Reconciled, RunError};
use validator_table::{FaultKind, Pinned};
use validator_tap::Tap;

use crate::config::Pipeline;
use crate::dead_letters;
use crate::failure::Failure;
use crate::open::Sides;
use crate::render::{count, counted};
use crate::table_findings::table_findings;

/// What a run answers.
#[derive(Debug)]
pub struct Answer {
    /// report.json.
    pub report: Report,
    /// The findings, in order.
    pub findings: Findings,
    /// The outcome and its reasons.
    pub decision: Decision,
    /// What the outcome was decided by.
    pub asked: OutcomeInput,
    /// All messages over their time.
    pub times: Timeline,
    /// Of the report's partitions, in their order: where findings lie.
    pub slices: Vec<Slices>,
    /// How the disputed segments were read again; no part of any output.
    pub drilling: Drilling,
}

/// What the answer needs beside the run's result.
pub struct Frame<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// Of the pipeline file.
    pub config_hash: &'a str,
    /// Targets.
    pub fidelity: &'a Fidelity,
    /// Whether unknown fields breach.
    pub strict_fields: bool,
    /// The message side.
    pub tap: &'a dyn Tap,
    /// The table side.
    pub pinned: &'a Pinned,
    /// When the run started, milliseconds since the epoch.
    pub started_ms: i64,
    /// When it ended.
    pub finished_ms: i64,
    /// What it judged by.
    pub judged_at_ms: i64,
    /// Warnings of what was opened beside both sides.
    pub said: Vec<String>,
}

impl<'a> Frame<'a> {
    /// Of a run of this pipeline over these sides, which has just ended.
    pub fn ended(pipeline: &'a Pipeline, sides: &'a Sides, started_ms: i64, clock: Clock) -> Self {
        Self {
            pipeline: &pipeline.contract.name,
            config_hash: &pipeline.config_hash,
            fidelity: &pipeline.contract.fidelity,
            strict_fields: pipeline.contract.compare.strict_fields,
            tap: sides.tap.as_ref(),
            pinned: &sides.pinned,
            started_ms,
            finished_ms: chrono::Utc::now().timestamp_millis(),
            judged_at_ms: clock.judged_at_ms,
            said: Vec::new(),
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// Findings could not be put by.
    ///
    /// # Panics
    /// When the report's sums do not hold: it must not leave the process.
    pub fn answer(&self, mut run: Reconciled) -> Result<Answer, Failure> {
        self.add_table_findings(&mut run)?;
        let mut warnings = self.warnings(&run);
        let counts = counts(&run);
        let mut messages = run.accounts.messages;
        messages.late = run.late.unwrap_or(0);
        let failed_to_look = failed_to_look(&run);
        let asked = self.asked(&run, messages, counts.by_verdict());
        let decision = decide(&asked);
        if decision.is_vacuous {
            warnings.push("there was nothing to judge: no message was due and no row was found".to_owned());
        }
        warnings.sort();
        warnings.dedup();
        let retention = run.holes.iter().any(|holes| holes.has_retention());
        let report = Report {
            schema: REPORT_SCHEMA,
            validator: env!("CARGO_PKG_VERSION").to_owned(),
            pipeline: self.pipeline.to_owned(),
            outcome: decision.outcome,
            complete: !(failed_to_look || retention),
            started_at: UtcMillis(self.started_ms),
            finished_at: UtcMillis(self.finished_ms),
            judged_at: UtcMillis(self.judged_at_ms),
            elapsed_ms: u64::try_from(self.finished_ms - self.started_ms).unwrap_or(0),
            config_hash: self.config_hash.to_owned(),
            digest: "canonical/1".to_owned(),
            fidelity: FidelityReport::new(&asked.figures, self.fidelity.target),
            messages: MessageCounts::new(&messages, run.late.is_some()),
            rows: RowCounts::new(&run.accounts.rows, run.misrouted, run.stale),
            partitions: self.partitions(&run),
            segments: SegmentCounts {
                total: run.segments.balanced + run.segments.disputed,
                balanced: run.segments.balanced,
                disputed: run.segments.disputed,
                judged: run.segments.disputed,
            },
            table: self.table(&counts),
            policy: policy(&run),
            rules: Vec::new(),
            findings: counts,
            warnings,
        };
        report.assert_balanced(&run.accounts);
        let listed = self.tap.partitions().iter().zip(std::mem::take(&mut run.findings.spread.partitions));
        Ok(Answer {
            report,
            decision,
            asked,
            slices: listed.filter(|(range, _)| range.listed).map(|(_, slices)| slices).collect(),
            times: run.seen.times,
            findings: run.findings,
            drilling: run.drilling,
        })
    }

    /// What the outcome is decided by.
    fn asked(&self, run: &Reconciled, messages: MessageTally, findings: BTreeMap<Verdict, u64>) -> OutcomeInput {
        OutcomeInput {
            messages,
            figures: Figures::of(&messages, &run.accounts.rows),
            target: self.fidelity.target,
            coverage_target: self.fidelity.coverage,
            diverted_max: self.fidelity.diverted_max,
            strict_fields: self.strict_fields,
            unknown_field_messages: run.seen.unknown_fields.values().copied().max().unwrap_or(0),
            findings,
            failed_to_look: failed_to_look(run),
        }
    }

    /// They stand behind all others.
    fn add_table_findings(&self, run: &mut Reconciled) -> Result<(), Failure> {
        let mut of_table = table_findings(self.pipeline, self.pinned, run);
        finding::sort(&mut of_table);
        let added = of_table.into_iter().try_for_each(|finding| run.findings.push(finding));
        added.map_err(|error| RunError::Findings(error).into())
    }

    fn partitions(&self, run: &Reconciled) -> Vec<PartitionReport> {
        let ranges = self.tap.partitions().iter().zip(&run.accounts.partitions);
        let listed = ranges.enumerate().filter(|(_, (range, _))| range.listed);
        listed
            .map(|(index, (range, account))| PartitionReport {
                topic: range.tp.topic.clone(),
                partition: range.tp.partition,
                from: range.from,
                to: run.seen.partitions[index].position.unwrap_or(range.to),
                consumed: account.consumed,
                holes: run.holes[index].clone(),
                messages: MessageCounts::new(&account.messages, false),
            })
            .collect()
    }

    fn table(&self, counts: &FindingCounts) -> TableReport {
        let mut by_verdict: BTreeMap<TableVerdict, Option<u64>> =
            BTreeMap::from([(TableVerdict::StorageCorrupt, Some(0)), (TableVerdict::MetadataInconsistent, Some(0))]);
        for (verdict, _, count) in counts.by_cause() {
            if let Verdict::Table(verdict) = verdict {
                *by_verdict.entry(verdict).or_default().get_or_insert_default() += count;
            }
        }
        TableReport {
            name: self.pinned.name.to_string(),
            uuid: Some(self.pinned.uuid.clone()),
            snapshot_id: self.pinned.snapshot_id,
            metadata_location: self.pinned.metadata_location.clone(),
            files: self.pinned.files.len() as u64,
            findings: by_verdict,
        }
    }

    fn warnings(&self, run: &Reconciled) -> Vec<String> {
        let mut warnings: Vec<String> = run.suspect.iter().map(ToString::to_string).collect();
        warnings.extend(self.tap.warnings());
        warnings.extend(self.said.iter().cloned());
        warnings.extend(run.dead_letters.iter().flat_map(|(read, judged)| dead_letters::warnings(read, judged)));
        for (index, range) in self.tap.partitions().iter().enumerate() {
            if let Some(failure) = &run.seen.partitions[index].failure {
                let position = run.seen.partitions[index].position.unwrap_or(range.from);
                warnings.push(format!("{} could be read only up to offset {position}: {failure}", range.tp));
            }
            let holes = run.holes[index].runs().iter();
            for hole in holes.filter(|hole| hole.reason == validator_core::hole::HoleReason::Retention) {
                let (from, to, tp) = (hole.from, hole.to, &range.tp);
                warnings.push(format!("{tp}: offsets {from} to {to} were deleted by retention before this run"));
            }
        }
        for (_, fault) in run.faults.iter().filter(|(_, fault)| fault.kind == FaultKind::Unreadable) {
            warnings.push(format!("{} could not be looked at: {}", fault.path, fault.detail));
        }
        for (name, messages) in &run.seen.unknown_fields {
            let messages = counted(*messages, "message", "messages");
            warnings.push(format!(
                "field {name} is in {messages}, and neither a column nor [compare] drop accounts for it"
            ));
        }
        let consumed: u64 = run.seen.partitions.iter().map(|partition| partition.consumed).sum();
        for (name, _) in run.seen.sql_fields.iter().filter(|(_, is_there)| consumed > 0 && !**is_there) {
            warnings.push(format!("no message has a value in field {name}, which an expression of the contract reads"));
        }
        if run.keys_spanning > 0 {
            let keys = counted(run.keys_spanning, "key has", "keys have");
            warnings.push(format!(
                "{keys} versions in several partitions; their order is topic, partition, offset, and not that of time"
            ));
        }
        if run.seen.duplicate_keys > 0 {
            let messages = counted(run.seen.duplicate_keys, "message names", "messages name");
            warnings.push(format!("{messages} a key of an object twice; the last one counts"));
        }
        if run.unlinked > 0 {
            let many = count(run.unlinked);
            warnings.push(format!(
                "{many} missing messages and phantom rows are too many to be held against each other: none is linked to \
                 the one that it may be the other half of"
            ));
        }
        let expired = |seen: &PartitionSeen| seen.excluded.get(&ExcludedCause::Expired).copied().unwrap_or(0);
        let expired: u64 = run.seen.partitions.iter().map(expired).sum();
        if expired > 0 {
            let messages = counted(expired, "message has", "messages have");
            warnings.push(format!(
                "{messages} no row, and retention is over: only a continuous run knows which of them ever had one"
            ));
        }
        if run.census.late_unknown > 0 {
            let rows = counted(run.census.late_unknown, "row was rewritten or its", "rows were rewritten or their");
            warnings.push(format!("{rows} snapshot has expired: late is not known of them"));
        }
        warnings
    }
}

fn counts(run: &Reconciled) -> FindingCounts {
    let mut counts = run.findings.counts().clone();
    for partition in &run.seen.partitions {
        for (cause, messages) in &partition.excluded {
            counts.add_excluded(*cause, *messages);
        }
    }
    counts
}

fn failed_to_look(run: &Reconciled) -> bool {
    run.faults.iter().any(|(_, fault)| fault.kind == FaultKind::Unreadable)
        || run.seen.partitions.iter().any(|partition| partition.failure.is_some())
}

fn policy(run: &Reconciled) -> Vec<PolicyCount> {
    let mut rows: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (bound, changed) in run.tolerances.iter().zip(&run.census.tolerated) {
        rows.insert((&bound.name, bound.tolerance.word()), *changed);
    }
    let mut used: BTreeMap<(&str, &str), u64> = rows.keys().map(|key| (*key, 0)).collect();
    for ((column, tolerance), messages) in &run.seen.policy.messages {
        used.insert((column, tolerance), *messages);
    }
    let counted = used.into_iter().map(|((column, tolerance), messages)| PolicyCount {
        column: column.to_owned(),
        tolerance: tolerance.to_owned(),
        messages,
        rows: Some(rows.get(&(column, tolerance)).copied().unwrap_or(0)),
    });
    counted.filter(|count| count.messages + count.rows.unwrap_or(0) > 0).collect()
}
