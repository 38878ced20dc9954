//! report.json of a continuous run, from its last checkpoint.
//!
//! Contract: counts are those of the standing, findings those that are open; both are of one checkpoint.

use std::collections::BTreeMap;

use validator_core::accounting::Accounts;
use validator_core::clock::UtcMillis;
use validator_core::figures::{Decision, OutcomeInput, decide};
use validator_core::finding::FindingCounts;
use validator_core::hole::{Hole, HoleReason, Holes};
use validator_core::position::TopicPartition;
use validator_core::report::{
    FidelityReport, MessageCounts, PartitionReport, PolicyCount, REPORT_SCHEMA, Report, RowCounts, SegmentCounts,
    TableReport,
};
use validator_core::shadow::outside::notes_of;
use validator_core::shadow::standing::{LaneStanding, Standing};
use validator_core::tolerance::Tolerance;
use validator_core::verdict::{MessageVerdict, RowVerdict, TableVerdict, Verdict};
use validator_engine::dead_letters::LettersJudged;
use validator_ledger::{Continuity, FindingState, ReadLedger, ReportFacts};

use crate::config::Pipeline;
use crate::dead_letters;
use crate::failure::Failure;
use crate::render::counted;
use crate::run::Notes;

/// A report and why it says what it says.
#[derive(Debug)]
pub struct Reported {
    /// report.json.
    pub report: Report,
    /// The outcome and its reasons.
    pub decision: Decision,
    /// Where each offset is.
    pub continuity: Continuity,
}

/// The report of a pipeline.
///
/// # Errors
/// The ledger has no checkpoint of it, or is damaged.
pub async fn reported(ledger: &mut ReadLedger, pipeline: &Pipeline, now_ms: i64) -> Result<Reported, Failure> {
    let name = &pipeline.contract.name;
    let unknown = || validator_ledger::LedgerError::Unknown { name: name.clone() };
    let facts = ledger.report(name, now_ms).await?.ok_or_else(unknown)?;
    let holes = ledger.continuity(name).await?;
    let damaged = |what: String| validator_ledger::LedgerError::Damaged { what };
    let notes = notes_of(&facts.state).map_err(|error| damaged(error.to_string()))?;
    let notes = Notes::from_text(&notes).map_err(|error| damaged(error.to_string()))?;
    Ok(of(pipeline, &facts, &holes, &notes))
}

fn of(pipeline: &Pipeline, facts: &ReportFacts, holes: &Continuity, notes: &Notes) -> Reported {
    let standing = &facts.standing;
    let fidelity = &pipeline.contract.fidelity;
    let findings = findings(facts);
    let messages = standing.messages();
    let asked = OutcomeInput {
        messages,
        figures: standing.figures(),
        target: fidelity.target,
        coverage_target: fidelity.coverage,
        diverted_max: fidelity.diverted_max,
        strict_fields: pipeline.contract.compare.strict_fields,
        unknown_field_messages: notes.unknown_fields.values().copied().max().unwrap_or(0),
        findings: breaching(facts),
        failed_to_look: standing.has_failed_to_look() || holes.broken.is_some(),
    };
    let decision = decide(&asked);
    let judged_at = UtcMillis(standing.judged_at_ms.unwrap_or(0));
    let report = Report {
        schema: REPORT_SCHEMA,
        validator: env!("CARGO_PKG_VERSION").to_owned(),
        pipeline: pipeline.contract.name.clone(),
        outcome: decision.outcome,
        complete: !asked.failed_to_look && !has_retention(standing),
        started_at: judged_at,
        finished_at: UtcMillis(facts.at_ms),
        judged_at,
        elapsed_ms: 0,
        config_hash: pipeline.config_hash.clone(),
        digest: "canonical/1".to_owned(),
        fidelity: FidelityReport::new(&asked.figures, fidelity.target),
        messages: MessageCounts::new(&messages, standing.late().is_some()),
        rows: RowCounts::new(&standing.rows, Some(standing.files.misrouted), None),
        partitions: partitions(standing, holes),
        segments: SegmentCounts {
            total: standing.segments.total(),
            balanced: standing.segments.balanced,
            disputed: standing.segments.disputed() + standing.segments.open,
            judged: standing.segments.settled(),
        },
        table: table(pipeline, standing, notes, &findings),
        policy: policy(notes),
        rules: Vec::new(),
        findings,
        warnings: warnings(standing, notes, &decision, holes),
    };
    report.assert_balanced(&accounts(standing));
    Reported { report, decision, continuity: holes.clone() }
}

/// Findings that count for the outcome by themselves. What happened to the table nothing undoes: who has looked into it and ignores it,
/// with a reason, has decided that it no longer counts.
fn breaching(facts: &ReportFacts) -> BTreeMap<Verdict, u64> {
    let counts =
        (facts.findings.iter()).filter(|count| !matches!(count.state, FindingState::Resolved | FindingState::Ignored));
    let mut breaching = BTreeMap::new();
    for count in counts.filter(|count| count.verdict.breaches()) {
        *breaching.entry(count.verdict).or_default() += count.findings;
    }
    breaching
}

/// Findings of the ledger, what counts and is not listed there, and excluded messages.
fn findings(facts: &ReportFacts) -> FindingCounts {
    let standing = &facts.standing;
    let mut findings = FindingCounts::default();
    for count in facts.findings.iter().filter(|count| count.state != FindingState::Resolved) {
        findings.add(count.verdict, count.cause, count.findings);
    }
    for (verdict, cause, messages) in standing.unlisted() {
        findings.add(verdict, cause, messages);
    }
    for (cause, rows) in &standing.phantoms_again {
        findings.add(Verdict::Row(RowVerdict::Phantom), Some(*cause), *rows);
    }
    for (cause, messages) in standing.excluded() {
        findings.add_excluded(cause, messages);
    }
    findings
}

/// As a report has them: the ledger has partitions in the order in which they came.
fn accounts(standing: &Standing) -> Accounts {
    let mut accounts = standing.accounts();
    accounts.partitions.sort_by(|a, b| a.tp.cmp(&b.tp));
    accounts
}

fn has_retention(standing: &Standing) -> bool {
    standing.lanes.iter().any(|lane| lane.holes.get(&HoleReason::Retention).is_some_and(|n| *n > 0))
}

fn partitions(standing: &Standing, continuity: &Continuity) -> Vec<PartitionReport> {
    let holes = |tp: &TopicPartition| {
        let of = continuity.lanes.iter().find(|lane| lane.tp == *tp);
        let runs = of.into_iter().flat_map(|lane| &lane.first_holes);
        let hole = |(from, to, reason): &(i64, i64, Option<HoleReason>)| Hole {
            from: *from,
            to: *to,
            reason: reason.unwrap_or(HoleReason::Unknown),
        };
        Holes::new(runs.map(hole).collect())
    };
    let report = |lane: &LaneStanding| PartitionReport {
        topic: lane.tp.topic.clone(),
        partition: lane.tp.partition,
        from: lane.start,
        to: lane.position,
        consumed: lane.consumed,
        holes: holes(&lane.tp),
        messages: MessageCounts::new(&lane.messages, false),
    };
    let mut all: Vec<PartitionReport> = standing.lanes.iter().map(report).collect();
    all.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    all
}

fn table(pipeline: &Pipeline, standing: &Standing, notes: &Notes, findings: &FindingCounts) -> TableReport {
    let mut by_verdict: BTreeMap<TableVerdict, Option<u64>> = [
        TableVerdict::StorageCorrupt,
        TableVerdict::MetadataInconsistent,
        TableVerdict::RewriteNotPreserving,
        TableVerdict::HistoryRewritten,
    ]
    .map(|verdict| (verdict, Some(0)))
    .into();
    for (verdict, _, count) in findings.by_cause() {
        if let Verdict::Table(verdict) = verdict {
            *by_verdict.entry(verdict).or_default().get_or_insert_default() += count;
        }
    }
    TableReport {
        name: pipeline.contract.table.clone(),
        uuid: standing.uuid.clone(),
        snapshot_id: standing.snapshot.as_ref().map(|snapshot| snapshot.id),
        metadata_location: notes.metadata_location.clone(),
        files: standing.files.live,
        findings: by_verdict,
    }
}

fn policy(notes: &Notes) -> Vec<PolicyCount> {
    let counts = notes.policy.iter().flat_map(|(column, used)| {
        used.iter().map(|(tolerance, messages)| PolicyCount {
            column: column.clone(),
            tolerance: tolerance.clone(),
            messages: *messages,
            // Only words of `tolerate` are of rows, and a run does not add up those that are live.
            rows: Tolerance::ALL.iter().all(|(word, _)| word != tolerance).then_some(0),
        })
    });
    counts.collect()
}

fn warnings(standing: &Standing, notes: &Notes, decision: &Decision, continuity: &Continuity) -> Vec<String> {
    let mut warnings = Vec::new();
    for lane in &continuity.lanes {
        let deleted = lane.first_holes.iter().filter(|(_, _, reason)| *reason == Some(HoleReason::Retention));
        warnings.extend(deleted.map(|(from, to, _)| {
            format!("{}: offsets {from} to {to} were deleted by retention before they were read", lane.tp)
        }));
    }
    if let Some(broken) = &continuity.broken {
        warnings.push(format!(
            "{}: what the ledger knows is not continuous at offset {}: {}",
            broken.tp, broken.offset, broken.what
        ));
    }
    for (name, messages) in &notes.unknown_fields {
        let messages = counted(*messages, "message", "messages");
        warnings
            .push(format!("field {name} is in {messages}, and neither a column nor [compare] drop accounts for it"));
    }
    for (name, _) in notes.sql_fields.iter().filter(|(_, is_there)| standing.consumed() > 0 && !**is_there) {
        warnings.push(format!("no message has a value in field {name}, which an expression of the contract reads"));
    }
    if notes.duplicate_keys > 0 {
        let messages = counted(notes.duplicate_keys, "message names", "messages name");
        warnings.push(format!("{messages} a key of an object twice; the last one counts"));
    }
    if standing.timed && standing.untold > 0 {
        let rows = counted(standing.untold, "row was", "rows were");
        warnings.push(format!(
            "{rows} rewritten or expired before being followed, or read by another `settle`: late is not known of them"
        ));
    }
    for (verdict, messages) in &standing.unlisted {
        let messages = counted(*messages, "message counts", "messages count");
        let why = match verdict {
            MessageVerdict::Unobservable => "nobody knows any more what became of each",
            _ => "they are read as soon as there is room",
        };
        warnings.push(format!("{messages} as {verdict} and no finding lists them: {why}"));
    }
    if let Some(letters) = &notes.dead_letters {
        warnings.extend(dead_letters::warnings(&letters.read(), &LettersJudged::default()));
        warnings.extend(letters.warnings());
    }
    if decision.is_vacuous {
        warnings.push("there was nothing to judge: no message was due and no row was found".to_owned());
    }
    warnings.sort();
    warnings
}
