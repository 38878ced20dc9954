//! The findings of a report: how many of each cause, then the worst of each, and exactly how many more there are.

use std::collections::BTreeMap;

use validator_core::finding::Finding;
use validator_core::report::Report;
use validator_core::verdict::{Cause, MessageVerdict, Verdict};

use super::escape::escape;
use super::finding::write_finding;
use super::number::{count, counted};
use super::page::Page;
use super::paint::Role;
use super::words;

/// Most findings shown of one cause.
const EACH_MAX: usize = 3;

/// Most findings shown in all.
const ALL_MAX: usize = 20;

/// Columns of the names of causes.
const NAME_COLUMNS: usize = 28;

/// A cause, how many findings it has, and the first of those that are at hand.
pub(crate) struct Group<'a> {
    pub(crate) verdict: Verdict,
    pub(crate) cause: Option<Cause>,
    pub(crate) number: u64,
    pub(crate) findings: Vec<&'a Finding>,
}

impl Group<'_> {
    /// `missing lost`, `overdue`
    pub(crate) fn name(&self) -> String {
        self.cause.map_or_else(|| self.verdict.to_string(), |cause| format!("{} {cause}", self.verdict))
    }
}

/// Writes the table of causes and the worst findings.
pub fn write_findings(page: &mut Page, report: &Report, findings: &[&Finding], file: Option<&str>) {
    let groups = groups(report, findings, EACH_MAX);
    if groups.is_empty() {
        return;
    }
    page.blank();
    page.heading(Role::Strong, "findings", &count(report.findings.total()));
    let digits = groups.iter().map(|group| count(group.number).len()).max().unwrap_or(0);
    for group in &groups {
        let name = group.name();
        let number = count(group.number);
        page.pair(2, words::role(group.verdict), &name, NAME_COLUMNS + digits - number.len(), &number);
    }
    let (mut left, mut causes, mut hidden) = (ALL_MAX, 0, 0);
    for group in &groups {
        if !write_group(page, group, &mut left, file) {
            causes += 1;
            hidden += group.number;
        }
    }
    if causes > 0 {
        let what = format!(
            "and {} of {}",
            counted(hidden, "more finding", "more findings"),
            counted(causes, "other cause", "other causes")
        );
        page.blank();
        page.line(0, Some(Role::Faint), &what);
    }
}

/// The groups, the most urgent first, within one verdict the most frequent; of each the first `each_max` findings.
pub(crate) fn groups<'a>(report: &Report, findings: &[&'a Finding], each_max: usize) -> Vec<Group<'a>> {
    let mut at_hand: BTreeMap<(Verdict, Option<Cause>), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        let of_cause = at_hand.entry((finding.verdict, finding.cause)).or_default();
        if of_cause.len() < each_max {
            of_cause.push(finding);
        }
    }
    let mut groups: Vec<Group<'a>> = report
        .findings
        .by_cause()
        .filter(|(verdict, _, _)| *verdict != Verdict::Message(MessageVerdict::Excluded))
        .map(|(verdict, cause, number)| {
            let findings = at_hand.remove(&(verdict, cause)).unwrap_or_default();
            Group { verdict, cause, number, findings }
        })
        .collect();
    groups.sort_by_key(|group| (words::rank(group.verdict), group.verdict, std::cmp::Reverse(group.number)));
    groups
}

/// Whether any of it was shown.
fn write_group(page: &mut Page, group: &Group<'_>, left: &mut usize, file: Option<&str>) -> bool {
    let shown = group.findings.len().min(*left);
    if shown == 0 {
        return false;
    }
    *left -= shown;
    page.blank();
    let heading = words::cause(group.verdict, group.cause).unwrap_or_default();
    page.heading(words::role(group.verdict), group.verdict.as_str(), &heading);
    for finding in &group.findings[..shown] {
        write_finding(page, finding);
    }
    let rest = group.number.saturating_sub(shown as u64);
    if rest > 0 {
        let place = file.map_or_else(String::new, |file| format!(" in {}", escape(file)));
        page.line(2, Some(Role::Faint), &format!("and {} more{place}", count(rest)));
    }
    true
}
