//! The command that makes a report again, and the one that shows one of its findings again.
//!
//! Contract: a command can be pasted into a POSIX shell; it names the snapshot and the time of the judgement, so that it
//! judges the same state by the same clock whenever it is run.

use validator_core::contract::Identity;
use validator_core::finding::Finding;
use validator_core::report::{PartitionReport, Report};
use validator_core::verdict::{MessageVerdict, Verdict};

use crate::render::command_line;

/// Partitions whose bounds are named one by one; beyond, the command keeps the bounds it was given.
const PARTITIONS_NAMED_MAX: usize = 32;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// `validator reconcile -c FILE PIPELINE --source …`: what is judged, without its bounds.
    what: Vec<String>,
    /// `--from … --to …` as they were given.
    bounds: Vec<String>,
    /// Whether one message can be judged alone.
    one_by_one: bool,
    /// Whether the command judges a pipeline, and takes bounds, a snapshot and a time.
    is_run: bool,
}

impl Again {
    /// Of a run over a pipeline with this identity.
    pub fn of_run(what: Vec<String>, bounds: Vec<String>, identity: &Identity) -> Self {
        // Which version of a key the table has to show is known only when all of its messages are read.
        let one_by_one = !matches!(identity, Identity::Key { upsert: Some(_), .. });
        Self { what, bounds, one_by_one, is_run: true }
    }

    /// Of a command that is made again as it is.
    pub fn of_words(what: Vec<String>) -> Self {
        Self { what, bounds: Vec::new(), one_by_one: false, is_run: false }
    }

    /// The command that makes the report again.
    pub fn whole(&self, report: &Report) -> String {
        let mut words = self.what.clone();
        if self.is_run {
            words.extend(named_bounds(&report.partitions).unwrap_or_else(|| self.bounds.clone()));
            words.extend(pins(report));
        }
        command_line(words)
    }

    /// The command that shows a finding again: by its message alone, or the whole run where there is none, or where one is not
    /// enough. None of a command that takes no bounds.
    pub fn one(&self, report: &Report, finding: &Finding) -> Option<String> {
        if !self.is_run {
            return None;
        }
        let (Some(partition), Some(offset), true) = (finding.partition, finding.offset, self.one_by_one) else {
            return Some(self.whole(report));
        };
        let of_finding = |one: &&PartitionReport| {
            (Some(&one.topic), Some(one.partition)) == (finding.topic.as_ref(), finding.partition)
        };
        // Only messages behind a missing one show that the table has moved past it.
        let is_missing = finding.verdict == Verdict::Message(MessageVerdict::Missing);
        let range_end = report.partitions.iter().find(of_finding).map(|one| one.to).filter(|_| is_missing);
        let to = range_end.unwrap_or(offset.saturating_add(1));
        let mut words = self.what.clone();
        words.extend(["--from".to_owned(), format!("{partition}:{offset}")]);
        words.extend(["--to".to_owned(), format!("{partition}:{to}")]);
        words.extend(pins(report));
        Some(command_line(words))
    }
}

/// The snapshot and the time of the judgement.
fn pins(report: &Report) -> Vec<String> {
    let snapshot = report.table.snapshot_id.map(|id| ["--snapshot".to_owned(), id.to_string()]);
    let as_of = ["--as-of".to_owned(), report.judged_at.to_string()];
    snapshot.into_iter().flatten().chain(as_of).collect()
}

/// The bounds of each partition; none where they are many, or where partitions of two topics share a number.
fn named_bounds(partitions: &[PartitionReport]) -> Option<Vec<String>> {
    let one_topic = partitions.windows(2).all(|pair| pair[0].topic == pair[1].topic);
    if partitions.is_empty() || partitions.len() > PARTITIONS_NAMED_MAX || !one_topic {
        return None;
    }
    let list = |edge: fn(&PartitionReport) -> i64| {
        partitions.iter().map(|one| format!("{}:{}", one.partition, edge(one))).collect::<Vec<_>>().join(",")
    };
    Some(vec!["--from".to_owned(), list(|one| one.from), "--to".to_owned(), list(|one| one.to)])
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

    #[test]
    fn bounds_are_named_where_they_are_few_and_clear() {
        let named = |partitions: &[PartitionReport]| named_bounds(partitions).map(|words| words.join(" "));
        let two = [partition("t", 0), partition("t", 3)];
        assert_eq!(named(&two).as_deref(), Some("--from 0:5,3:5 --to 0:9,3:9"));
        assert_eq!(named(&[partition("t", 0), partition("u", 0)]), None, "0:5 would name both");
        assert_eq!(named(&(0..33).map(|number| partition("t", number)).collect::<Vec<_>>()), None);
        assert_eq!(named(&[]), None);
    }
}
