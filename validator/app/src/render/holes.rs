//! The offsets that are not there: how many for each reason, and where.

use validator_core::hole::HoleReason;
use validator_core::report::{PartitionReport, Report};

use super::escape::escape;
use super::number::{count, counted};
use super::page::Page;
use super::paint::Role;
use super::words;

/// Most partitions listed of one reason; the rest is counted.
const PARTITIONS_MAX: usize = 10;

/// The holes of one reason in one partition.
struct Runs<'a> {
    partition: &'a PartitionReport,
    offsets: u64,
    runs: usize,
    first: (i64, i64),
}

/// Writes the holes, by reason and partition.
pub fn write_holes(page: &mut Page, report: &Report) {
    if report.partitions.iter().all(|partition| partition.holes.runs().is_empty()) {
        return;
    }
    page.blank();
    page.heading(Role::Strong, "holes", "offsets that are not there");
    for reason in HoleReason::ALL {
        let runs: Vec<Runs<'_>> =
            report.partitions.iter().filter_map(|partition| runs_of(partition, *reason)).collect();
        if !runs.is_empty() {
            write_reason(page, *reason, runs);
        }
    }
}

fn runs_of(partition: &PartitionReport, reason: HoleReason) -> Option<Runs<'_>> {
    let of_reason = partition.holes.runs().iter().filter(|run| run.reason == reason);
    let first = of_reason.clone().next()?;
    let offsets = of_reason.clone().map(|run| run.to.abs_diff(run.from)).sum();
    Some(Runs { partition, offsets, runs: of_reason.count(), first: (first.from, first.to) })
}

fn write_reason(page: &mut Page, reason: HoleReason, mut partitions: Vec<Runs<'_>>) {
    let total = partitions.iter().map(|runs| runs.offsets).sum();
    let role = if reason.hides_messages() { Role::Doubt } else { Role::Faint };
    let text = format!("{}, {}", counted(total, "offset", "offsets"), words::hole(reason));
    page.pair(2, role, reason.as_str(), 9, &text);
    partitions.sort_by_key(|runs| std::cmp::Reverse(runs.offsets));
    for Runs { partition, offsets, runs, first: (from, to) } in partitions.iter().take(PARTITIONS_MAX) {
        let name = format!("{}[{}]", escape(&partition.topic), partition.partition);
        let text = match runs {
            1 => format!("{from}..{to}"),
            _ => format!("{} offsets in {} runs, the first {from}..{to}", count(*offsets), count(*runs as u64)),
        };
        page.pair(4, Role::Place, &name, 0, &text);
    }
    let rest = partitions.len().saturating_sub(PARTITIONS_MAX);
    if rest > 0 {
        let more = counted(rest as u64, "more partition", "more partitions");
        page.line(4, Some(Role::Faint), &format!("and {more}"));
    }
}
