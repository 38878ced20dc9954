//! The command that makes a report again, and the one that shows one of its findings again.
//!
//! Contract: a command can be pasted into a POSIX shell; it names the snapshot and the time of the judgement, so that it
//! judges the same state by the same clock whenever it is run. One that stands under a finding of a pipeline shows that
//! finding, and does not end with `holds`; where there is none such, there is no command. What a demo found is found again by
//! a demo of the same seed, which prints it.

use validator_core::clock::UtcMillis;
use validator_core::contract::{Bound, Identity};
use validator_core::figures::Outcome;
use validator_core::finding::Finding;
use validator_core::report::{PartitionReport, Report};
use validator_core::verdict::{MessageVerdict, Verdict};

use crate::render::command_line;

/// Partitions whose bounds are named one by one; beyond, the command keeps the bounds it was given.
const PARTITIONS_NAMED_MAX: usize = 32;

/// A target that the fidelity of one message with a copy, a half, is below.
const TARGET_ABOVE_COPY: f64 = 0.5;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// `validator reconcile -c FILE PIPELINE --source …`: what is judged, without its bounds.
    what: Vec<String>,
    /// `--from`, with times resolved.
    from: Option<Bound>,
    /// `--to`, with times resolved.
    to: Option<Bound>,
    /// Whether rows are tied by their offset, so that none of another message takes part in what a row of its own decides.
    by_offset: bool,
    /// Whether the command judges a pipeline, and takes bounds, a snapshot and a time.
    is_run: bool,
}

impl Again {
    /// Of a run over a pipeline with this identity, and these bounds where they were given.
    pub fn of_run(what: Vec<String>, from: Option<Bound>, to: Option<Bound>, identity: &Identity) -> Self {
        Self { what, from, to, by_offset: matches!(identity, Identity::Offset { .. }), is_run: true }
    }

    /// Of a command that is made again as it is.
    pub fn of_words(what: Vec<String>) -> Self {
        Self { what, from: None, to: None, by_offset: false, is_run: false }
    }

    /// The command that makes the report again.
    pub fn whole(&self, report: &Report) -> String {
        let mut words = self.what.clone();
        if self.is_run {
            words.extend(self.bounds(&report.partitions));
            words.extend(pins(report));
        }
        command_line(words)
    }

    /// The command that shows a finding again: by its message alone where that is enough, else by the whole run where that
    /// does not hold. Of a command that takes no bounds: all of it again, and of its findings this one.
    pub fn one(&self, report: &Report, finding: &Finding) -> Option<String> {
        if !self.is_run {
            let findings = ["--findings", "/dev/stdout"].map(str::to_owned);
            let words = self.what.iter().cloned().chain(findings).collect::<Vec<_>>();
            let grep = command_line(["grep".to_owned(), told_apart(finding)]);
            return Some(format!("{} | {grep}", command_line(words)));
        }
        match (finding.partition, finding.offset) {
            (Some(partition), Some(offset)) if self.is_shown_alone(report, finding) => {
                let mut words = self.what.clone();
                words.extend(["--from".to_owned(), format!("{partition}:{offset}")]);
                words.extend(["--to".to_owned(), format!("{partition}:{}", offset.saturating_add(1))]);
                words.extend(pins(report));
                Some(command_line(words))
            }
            _ => (report.outcome != Outcome::Holds).then(|| self.whole(report)),
        }
    }

    /// Whether the message and the rows of its offset make the same finding when they are judged alone. Of another identity
    /// they do not: there equal messages share their rows. Nor does a message without a row, whose loss only later messages
    /// show, and which might be tied to a row of another offset once fewer rows could be meant.
    fn is_shown_alone(&self, report: &Report, finding: &Finding) -> bool {
        let is_by_own_rows = match finding.verdict {
            Verdict::Message(MessageVerdict::Undecodable) => true,
            Verdict::Message(MessageVerdict::Corrupted) => !differs_in_identity(finding),
            Verdict::Message(MessageVerdict::Duplicated) => report.fidelity.target > TARGET_ABOVE_COPY,
            _ => false,
        };
        self.by_offset && is_by_own_rows && report.fidelity.target > 0.0 && is_of_one_topic(&report.partitions)
    }

    /// The bounds of each partition where they are few and clear, else those that were given.
    fn bounds(&self, partitions: &[PartitionReport]) -> Vec<String> {
        let (from, mut to) = named_bounds(partitions).unwrap_or_else(|| (written(&self.from), written(&self.to)));
        // Rows of the last windows are judged where the range ends with the topic, and are out of scope where it was cut.
        if !self.by_offset && matches!(self.to, None | Some(Bound::Now)) {
            to = None;
        }
        let from = from.into_iter().flat_map(|from| ["--from".to_owned(), from]);
        from.chain(to.into_iter().flat_map(|to| ["--to".to_owned(), to])).collect()
    }
}

/// Whether the row of a corrupted message is one of another identity, which is out of scope where the message is judged alone.
fn differs_in_identity(finding: &Finding) -> bool {
    let root = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    finding.identity.as_ref().is_none_or(|identity| {
        identity.0.iter().any(|(name, _)| finding.columns.iter().any(|column| root(&column.name) == root(name)))
    })
}

/// A bound as a command line has it; none for the ends that every run has.
fn written(bound: &Option<Bound>) -> Option<String> {
    match bound.as_ref()? {
        Bound::Earliest | Bound::Now => None,
        Bound::Offset(offset) => Some(offset.to_string()),
        Bound::Offsets(offsets) => {
            let each = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}"));
            Some(each.collect::<Vec<_>>().join(","))
        }
        Bound::Time(ms) => Some(UtcMillis(*ms).to_string()),
    }
}

/// The snapshot and the time of the judgement.
fn pins(report: &Report) -> Vec<String> {
    let snapshot = report.table.snapshot_id.map(|id| ["--snapshot".to_owned(), id.to_string()]);
    let as_of = ["--as-of".to_owned(), report.judged_at.to_string()];
    snapshot.into_iter().flatten().chain(as_of).collect()
}

fn is_of_one_topic(partitions: &[PartitionReport]) -> bool {
    partitions.windows(2).all(|pair| pair[0].topic == pair[1].topic)
}

/// The first offset and the end of each partition; none where they are many, or where partitions of two topics share a number.
fn named_bounds(partitions: &[PartitionReport]) -> Option<(Option<String>, Option<String>)> {
    if partitions.is_empty() || partitions.len() > PARTITIONS_NAMED_MAX || !is_of_one_topic(partitions) {
        return None;
    }
    let list = |edge: fn(&PartitionReport) -> i64| {
        Some(partitions.iter().map(|one| format!("{}:{}", one.partition, edge(one))).collect::<Vec<_>>().join(","))
    };
    Some((list(|one| one.from), list(|one| one.to)))
}

/// What finds the finding among those of another run, whose files lie in another folder: the ids of findings about rows and files
/// are made of paths.
fn told_apart(finding: &Finding) -> String {
    let Some(row) = finding.rows.first().filter(|_| finding.offset.is_none()) else { return finding.id.to_string() };
    let name = row.file.rsplit('/').next().unwrap_or_default();
    let position = row.position.map_or_else(|| "null".to_owned(), |position| position.to_string());
    format!("\"{}\".*/{name}\",\"position\":{position}}}", finding.verdict)
}

#[cfg(test)]
mod tests {
    use validator_core::hole::Holes;
    use validator_core::judge::MessageTally;
    use validator_core::report::MessageCounts;

    use super::*;

    fn partition(topic: &str, partition: i32) -> PartitionReport {
        let messages = MessageCounts::new(&MessageTally::default(), false);
        let holes = Holes::default();
        PartitionReport { topic: topic.into(), partition, from: 5, to: 9, consumed: 0, holes, messages }
    }

    fn identity(by_offset: bool) -> Identity {
        match by_offset {
            true => Identity::Offset { topic: None, partition: None, offset: "o".into(), timestamp: None, width: 4096 },
            false => Identity::Content { window: None, every_ms: 60_000, shards: 64 },
        }
    }

    #[test]
    fn bounds_are_named_where_they_are_few_and_clear() {
        let named = |from: Option<Bound>, to: Option<Bound>, partitions: &[PartitionReport]| {
            Again::of_run(Vec::new(), from, to, &identity(true)).bounds(partitions).join(" ")
        };
        let two = [partition("t", 0), partition("t", 3)];
        assert_eq!(named(None, None, &two), "--from 0:5,3:5 --to 0:9,3:9");
        let (time, offsets) = (Some(Bound::Time(1_000)), Some(Bound::Offsets([(0, 7), (2, 8)].into())));
        let of_two_topics = [partition("t", 0), partition("u", 0)];
        let given = "--from 1970-01-01T00:00:01.000Z --to 0:7,2:8";
        assert_eq!(named(time.clone(), offsets.clone(), &of_two_topics), given, "0:5 would name both");
        let many: Vec<_> = (0..33).map(|number| partition("t", number)).collect();
        assert_eq!(named(time, offsets, &many), given);
        assert_eq!(named(Some(Bound::Earliest), Some(Bound::Now), &[]), "");
    }

    #[test]
    fn a_range_that_ends_with_the_topic_stays_one_where_windows_depend_on_it() {
        let one = [partition("t", 0)];
        let named = |to| Again::of_run(Vec::new(), None, to, &identity(false)).bounds(&one).join(" ");
        assert_eq!(named(None), "--from 0:5");
        assert_eq!(named(Some(Bound::Now)), "--from 0:5");
        assert_eq!(named(Some(Bound::Offset(9))), "--from 0:5 --to 0:9");
    }
}
