//! The findings of a run in their order: the first at hand, the rest in a temporary file, all of them counted.
//!
//! Contract: nothing is dropped without a count. Of a million findings of one verdict, cause and column each says
//! everything; the rest say their place alone (interface.md §5).

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use datafusion::execution::disk_manager::RefCountedTempFile;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::finding::{Finding, FindingCounts};
use validator_core::harmless::harmless_json;
use validator_core::spread::Spread;
use validator_core::verdict::{Cause, Verdict};

use crate::limits::{FINDINGS_AT_HAND_MAX, FINDINGS_OF_A_CAUSE_SHOWN, FINDINGS_OF_A_REPORT_MAX, FINDINGS_TOLD_MAX};

/// What a finding beyond the bound says instead of its values.
pub const PLACE_ALONE: &str = "one of more than a million alike: its place alone is kept";

/// How much is kept of findings.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Findings in memory.
    pub at_hand_max: usize,
    /// Findings of one verdict, cause and column that say everything.
    pub told_max: u64,
    /// Whether those beyond `at_hand_max` are asked for, and not their numbers alone.
    pub all: bool,
}

impl Keep {
    /// As many as a report shows, and the numbers of all.
    pub fn to_show() -> Self {
        Self { at_hand_max: FINDINGS_OF_A_REPORT_MAX, all: false, ..Self::default() }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { at_hand_max: FINDINGS_AT_HAND_MAX, told_max: FINDINGS_TOLD_MAX, all: true }
    }
}

/// See the module. They are pushed in order.
#[derive(Debug)]
pub struct Findings {
    /// The first ones, in order.
    pub at_hand: Vec<Finding>,
    /// Of causes that those at hand show too few of, the first ones.
    samples: Vec<Finding>,
    spilled: Option<Spilled>,
    /// Findings about rows alone that were found elsewhere, in order.
    rows: VecDeque<Finding>,
    counts: FindingCounts,
    shown: HashMap<(Verdict, Option<Cause>), usize>,
    alike: HashMap<(Verdict, Option<Cause>, String), u64>,
    keep: Keep,
    runtime: Arc<RuntimeEnv>,
    /// Where and when those about messages lie, all of them.
    pub spread: Spread,
}

#[derive(Debug)]
struct Spilled {
    file: RefCountedTempFile,
    out: BufWriter<File>,
}

impl Findings {
    /// None so far. What goes beyond memory is spilled to temporary files of `runtime`.
    pub fn new(keep: Keep, runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            at_hand: Vec::new(),
            samples: Vec::new(),
            spilled: None,
            rows: VecDeque::new(),
            counts: FindingCounts::default(),
            shown: HashMap::new(),
            alike: HashMap::new(),
            keep,
            runtime,
            spread: Spread::default(),
        }
    }

    /// Findings about rows alone, in order: each is put where it belongs among those that are pushed.
    pub fn put_between(&mut self, rows: Vec<Finding>) {
        self.rows = rows.into();
    }

    /// Adds the next one.
    ///
    /// # Errors
    /// No room to spill.
    pub fn push(&mut self, finding: Finding) -> io::Result<()> {
        while let Some(row) = self.rows.pop_front_if(|row| row.is_before(&finding)) {
            self.add(row)?;
        }
        self.add(finding)
    }

    /// Adds those that were put between and have not found their place: it is the end.
    ///
    /// # Errors
    /// No room to spill.
    pub fn push_rest(&mut self) -> io::Result<()> {
        while let Some(row) = self.rows.pop_front() {
            self.add(row)?;
        }
        Ok(())
    }

    /// How many of the next ones are asked for whole.
    pub fn room(&self) -> usize {
        let total = usize::try_from(self.counts.total()).unwrap_or(usize::MAX);
        if self.keep.all { usize::MAX } else { self.keep.at_hand_max.saturating_sub(total) }
    }

    /// Counts one that nobody asks more of.
    pub fn count(&mut self, verdict: Verdict, cause: Option<Cause>, column: Option<String>) {
        self.counts.add(verdict, cause, 1);
        *self.shown.entry((verdict, cause)).or_default() += 1;
        *self.alike.entry((verdict, cause, column.unwrap_or_default())).or_default() += 1;
    }

    fn add(&mut self, mut finding: Finding) -> io::Result<()> {
        let kind = (finding.verdict, finding.cause);
        self.counts.add(finding.verdict, finding.cause, 1);
        let column = finding.columns.first().map_or_else(String::new, |column| column.name.clone());
        let alike = self.alike.entry((finding.verdict, finding.cause, column)).or_default();
        *alike += 1;
        if *alike > self.keep.told_max {
            finding = finding.place_alone(PLACE_ALONE);
        }
        let shown = self.shown.entry(kind).or_default();
        *shown += 1;
        if self.at_hand.len() < self.keep.at_hand_max {
            self.at_hand.push(finding);
            return Ok(());
        }
        if self.keep.all {
            write_line(&finding, &mut self.spill()?.out)?;
        }
        if self.shown[&kind] <= FINDINGS_OF_A_CAUSE_SHOWN {
            self.samples.push(finding);
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<&mut Spilled> {
        if self.spilled.is_none() {
            let file = self.runtime.disk_manager.create_tmp_file("findings").map_err(io::Error::other)?;
            let out = BufWriter::new(File::create(file.path())?);
            self.spilled = Some(Spilled { file, out });
        }
        Ok(self.spilled.as_mut().expect("it was made"))
    }

    /// How many there are of each verdict and cause.
    pub fn counts(&self) -> &FindingCounts {
        &self.counts
    }

    /// Those to show to a person: the first of all, and the first of each cause.
    pub fn shown(&self) -> impl Iterator<Item = &Finding> {
        self.at_hand.iter().chain(&self.samples)
    }

    /// Writes all of them as lines of JSON, if all were asked for; `out` should be buffered.
    ///
    /// # Errors
    /// Those of `out`; the temporary file cannot be read back.
    pub fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        for finding in &self.at_hand {
            write_line(finding, out)?;
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.out.flush()?;
            io::copy(&mut File::open(spilled.file.path())?, out)?;
        }
        Ok(())
    }

    /// Gives each of them as its line of JSON, if all were asked for; one line is held at a time.
    ///
    /// # Errors
    /// Those of `each`; the temporary file cannot be read back.
    pub fn each_line(&mut self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut line = Vec::new();
        for finding in &self.at_hand {
            line.clear();
            write_line(finding, &mut line)?;
            each(&line)?;
        }
        match &mut self.spilled {
            None => Ok(()),
            Some(spilled) => {
                spilled.out.flush()?;
                each_line(File::open(spilled.file.path())?, each)
            }
        }
    }
}

/// The lines that a reader gives, one after the other.
fn each_line(reader: impl Read, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        each(&line)?;
        line.clear();
    }
    Ok(())
}

fn write_line(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let line = serde_json::to_string(finding)?;
    out.write_all(harmless_json(&line).as_bytes())?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use validator_core::finding::ColumnDifference;
    use validator_core::position::TopicPartition;
    use validator_core::verdict::{Damage, MessageVerdict, RowVerdict};

    use super::*;

    fn findings(at_hand_max: usize, told_max: u64, all: bool) -> Findings {
        let runtime = RuntimeEnvBuilder::new().build_arc().expect("a runtime");
        Findings::new(Keep { at_hand_max, told_max, all }, runtime)
    }

    fn corrupted(offset: i64, column: &str) -> Finding {
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let cause = Some(Cause::Damage(Damage::Other));
        let mut finding = Finding::of_message("p", MessageVerdict::Corrupted, cause, &tp, offset);
        let value = || serde_json::Value::from(offset);
        finding.columns.push(ColumnDifference {
            name: column.into(),
            message: value(),
            row: value(),
            damage: Damage::Other,
        });
        finding.detail = "differs".into();
        finding
    }

    fn phantom(position: u64) -> Finding {
        Finding::of_row("p", Verdict::Row(RowVerdict::Phantom), Some(Cause::Unexplained), "f", position)
    }

    fn misrouted(position: u64) -> Finding {
        Finding::of_row("p", Verdict::Row(RowVerdict::Misrouted), None, "f", position)
    }

    fn lines(findings: &mut Findings) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        findings.write(&mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("JSON is text");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    #[test]
    fn spilled_findings_come_back_in_order_and_whole() {
        let (mut small, mut large) = (findings(3, 1_000, true), findings(1_000, 1_000, true));
        for offset in 0..50 {
            small.push(corrupted(offset, "c")).expect("there is room");
            large.push(corrupted(offset, "c")).expect("there is room");
        }
        assert_eq!(small.at_hand.len(), 3);
        assert_eq!(lines(&mut small), lines(&mut large));
        assert_eq!((small.counts().total(), lines(&mut small).len()), (50, 50));
        let mut one_by_one = Vec::new();
        let each = &mut |line: &[u8]| {
            one_by_one.push(serde_json::from_slice::<serde_json::Value>(line)?);
            Ok(())
        };
        small.each_line(each).expect("the file is there");
        assert_eq!(one_by_one, lines(&mut large));
    }

    #[test]
    fn beyond_the_bound_of_a_column_the_place_alone_is_kept_and_all_are_counted() {
        let mut findings = findings(5, 10, true);
        for offset in 0..30 {
            findings.push(corrupted(offset, if offset % 2 == 0 { "a" } else { "b" })).expect("there is room");
        }
        let lines = lines(&mut findings);
        assert_eq!((findings.counts().total(), lines.len()), (30, 30));
        for (offset, line) in (0..).zip(&lines) {
            assert_eq!((line["offset"].as_i64(), line["verdict"].as_str()), (Some(offset), Some("corrupted")));
            assert_eq!(line["columns"].as_array().map(Vec::len), Some(usize::from(offset < 20)), "{line}");
            assert_eq!(line["detail"] == PLACE_ALONE, offset >= 20);
        }
    }

    #[test]
    fn of_a_cause_that_comes_late_the_first_are_shown() {
        let mut findings = findings(4, 1_000, false);
        for offset in 0..20 {
            findings.push(corrupted(offset, "c")).expect("there is room");
        }
        (0..19).for_each(|position| findings.push(phantom(position)).expect("there is room"));
        let shown: Vec<_> = findings.shown().map(|finding| (finding.offset, finding.rows.len())).collect();
        // Of a cause whose findings are all at hand or beyond it, as many as a report shows.
        let corrupted = (0..FINDINGS_OF_A_CAUSE_SHOWN as i64).map(|offset| (Some(offset), 0));
        let phantom = std::iter::repeat_n((None, 1), FINDINGS_OF_A_CAUSE_SHOWN);
        assert_eq!(shown, corrupted.chain(phantom).collect::<Vec<_>>());
        assert_eq!((findings.counts().total(), lines(&mut findings).len()), (20 + 19, 4));
    }

    #[test]
    fn rows_found_elsewhere_take_their_places() {
        let mut findings = findings(100, 100, true);
        findings.put_between(vec![misrouted(0), misrouted(5), misrouted(7), misrouted(20)]);
        findings.push(corrupted(1, "c")).expect("there is room");
        (5..9).for_each(|position| findings.push(phantom(position)).expect("there is room"));
        findings.push_rest().expect("there is room");
        let mut sorted = findings.at_hand.clone();
        validator_core::finding::sort(&mut sorted);
        assert_eq!((findings.at_hand.len(), &findings.at_hand), (9, &sorted));
    }
}
