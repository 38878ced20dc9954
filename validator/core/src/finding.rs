//! A finding: one verdict with its evidence, as it stands in findings.jsonl.
//!
//! Contract: the keys and their order are public (interface.md §6). `id` is the same in every run: see [`FindingId`].
//! Order of findings: see [`sort`].

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::clock::UtcMillis;
use crate::position::TopicPartition;
use crate::verdict::{Cause, Damage, ExcludedCause, MessageVerdict, Verdict};

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The same in every run.
    pub id: FindingId,
    /// The pipeline's name.
    pub pipeline: String,
    /// What is true.
    pub verdict: Verdict,
    /// Why; null for the verdicts that have no causes.
    pub cause: Option<Cause>,
    /// Of the message; null for a finding about a row alone, a file or the table.
    pub topic: Option<String>,
    /// Of the message.
    pub partition: Option<i32>,
    /// Of the message.
    pub offset: Option<i64>,
    /// The message's Kafka timestamp.
    pub timestamp: Option<UtcMillis>,
    /// The identity columns, from the message, for a row alone from the row; null where it is not known.
    pub identity: Option<Named>,
    /// The columns that differ, in the table's order.
    pub columns: Vec<ColumnDifference>,
    /// The rows, in order (file, position).
    pub rows: Vec<RowPlace>,
    /// All n rows of a duplicated message, else 0.
    pub copies: u64,
    /// Among equal messages, those that may be meant; empty where identities tell them apart.
    pub candidates: Vec<Candidate>,
    /// Another finding about the same thing.
    pub related: Option<FindingId>,
    /// The snapshot that added the first row.
    pub snapshot_id: Option<i64>,
    /// Its operation.
    pub operation: Option<String>,
    /// One sentence for a person.
    pub detail: String,
}

/// One column that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDifference {
    /// The column, dotted where one leaf of a nested one differs.
    pub name: String,
    /// What the row should hold.
    pub message: Value,
    /// What it holds.
    pub row: Value,
    /// How they differ.
    pub damage: Damage,
}

/// Where a row is. A finding about a file alone has one place without position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RowPlace {
    /// The file's path as the manifest has it.
    pub file: String,
    /// 0-based row number in the file.
    pub position: Option<u64>,
}

/// A message that may be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Candidate {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Names and values in their own order, a JSON object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named(pub Vec<(String, Value)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The id of a finding, 64 lower-case hexadecimal digits: plain BLAKE3-256 of its parts one after the other, each
/// part as its length in bytes (u32, little endian) and its UTF-8 text; numbers are decimal text.
///
/// Parts: of a message (pipeline, verdict, topic, partition, offset); of a row alone (pipeline, verdict, file,
/// position); of a file or the table (pipeline, verdict, cause, path), an absent cause or path being the empty text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FindingId(String);

impl FindingId {
    /// Of a finding about a message.
    pub fn of_message(pipeline: &str, verdict: Verdict, tp: &TopicPartition, offset: i64) -> Self {
        Self::of_parts(&[pipeline, verdict.as_str(), &tp.topic, &tp.partition.to_string(), &offset.to_string()])
    }

    /// Of a finding about a row alone.
    pub fn of_row(pipeline: &str, verdict: Verdict, file: &str, position: u64) -> Self {
        Self::of_parts(&[pipeline, verdict.as_str(), file, &position.to_string()])
    }

    /// Of a finding about a file or the table.
    pub fn of_table(pipeline: &str, verdict: Verdict, cause: Option<Cause>, path: &str) -> Self {
        Self::of_parts(&[pipeline, verdict.as_str(), cause.map_or("", Cause::as_str), path])
    }

    /// The id of its digits; none where they are no id.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 64 && digits.bytes().all(is_digit)).then(|| Self(digits.to_owned()))
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_parts(parts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            let length = u32::try_from(part.len()).expect("names and paths are shorter than 4 GiB");
            hasher.update(&length.to_le_bytes()).update(part.as_bytes());
        }
        Self(hasher.finalize().to_hex().to_string())
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Finding {
    /// A finding about a message, without evidence.
    pub fn of_message(
        pipeline: &str,
        verdict: MessageVerdict,
        cause: Option<Cause>,
        tp: &TopicPartition,
        offset: i64,
    ) -> Self {
        let verdict = Verdict::Message(verdict);
        let id = FindingId::of_message(pipeline, verdict, tp, offset);
        Self {
            topic: Some(tp.topic.clone()),
            partition: Some(tp.partition),
            offset: Some(offset),
            ..Self::bare(id, pipeline, verdict, cause)
        }
    }

    /// A finding about a row alone, at that place.
    pub fn of_row(pipeline: &str, verdict: Verdict, cause: Option<Cause>, file: &str, position: u64) -> Self {
        let id = FindingId::of_row(pipeline, verdict, file, position);
        let rows = vec![RowPlace { file: file.to_owned(), position: Some(position) }];
        Self { rows, ..Self::bare(id, pipeline, verdict, cause) }
    }

    /// A finding about a file, at that place without position, or about the table: its metadata location, or the empty text.
    pub fn of_table(pipeline: &str, verdict: Verdict, cause: Option<Cause>, path: &str) -> Self {
        let id = FindingId::of_table(pipeline, verdict, cause, path);
        let rows = if path.is_empty() { Vec::new() } else { vec![RowPlace { file: path.to_owned(), position: None }] };
        Self { rows, ..Self::bare(id, pipeline, verdict, cause) }
    }

    fn bare(id: FindingId, pipeline: &str, verdict: Verdict, cause: Option<Cause>) -> Self {
        Self {
            id,
            pipeline: pipeline.to_owned(),
            verdict,
            cause,
            topic: None,
            partition: None,
            offset: None,
            timestamp: None,
            identity: None,
            columns: Vec::new(),
            rows: Vec::new(),
            copies: 0,
            candidates: Vec::new(),
            related: None,
            snapshot_id: None,
            operation: None,
            detail: String::new(),
        }
    }

    /// Whether it stands before another one in the order of [`sort`].
    pub fn is_before(&self, other: &Self) -> bool {
        self.order(other).is_lt()
    }

    /// What it is and where, without any value; `detail` says why.
    #[must_use]
    pub fn place_alone(self, detail: &str) -> Self {
        Self {
            timestamp: None,
            identity: None,
            columns: Vec::new(),
            candidates: Vec::new(),
            snapshot_id: None,
            operation: None,
            detail: detail.to_owned(),
            ..self
        }
    }

    /// See [`sort`].
    fn order(&self, other: &Self) -> Ordering {
        let message = |finding: &Self| finding.topic.is_none();
        let row = |finding: &Self| finding.rows.first().is_none_or(|place| place.position.is_none());
        let by_message =
            || (&self.topic, self.partition, self.offset).cmp(&(&other.topic, other.partition, other.offset));
        let by_rest = || (self.verdict, self.cause, &self.id).cmp(&(other.verdict, other.cause, &other.id));
        let by_kind = message(self).cmp(&message(other));
        let by_place = || match (message(self), row(self).cmp(&row(other))) {
            (false, _) => Ordering::Equal,
            (true, Ordering::Equal) => self.rows.first().cmp(&other.rows.first()),
            (true, unequal) => unequal,
        };
        by_kind.then_with(by_message).then_with(by_place).then_with(by_rest)
    }
}

/// Sorts findings for a report: those of messages by (topic, partition, offset), then those of rows alone by (file,
/// position), then those of files and the table by path; then by verdict, cause and id. Stable.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(Finding::order);
}

/// Findings by verdict and cause, and excluded messages by cause: the `findings` of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingCounts {
    counts: BTreeMap<(Verdict, Option<Cause>), u64>,
}

impl FindingCounts {
    /// Counts findings.
    pub fn add(&mut self, verdict: Verdict, cause: Option<Cause>, findings: u64) {
        if findings > 0 {
            *self.counts.entry((verdict, cause)).or_default() += findings;
        }
    }

    /// Counts excluded messages, which are no findings.
    pub fn add_excluded(&mut self, cause: ExcludedCause, messages: u64) {
        self.add(Verdict::Message(MessageVerdict::Excluded), Some(Cause::Excluded(cause)), messages);
    }

    /// How many findings there are.
    pub fn total(&self) -> u64 {
        let excluded = Verdict::Message(MessageVerdict::Excluded);
        self.counts.iter().filter(|((verdict, _), _)| *verdict != excluded).map(|(_, count)| count).sum()
    }

    /// (verdict, cause, count) in the order of the words; none is 0.
    pub fn by_cause(&self) -> impl Iterator<Item = (Verdict, Option<Cause>, u64)> {
        self.counts.iter().map(|((verdict, cause), count)| (*verdict, *cause, *count))
    }

    /// The counts by verdict, for the outcome.
    pub fn by_verdict(&self) -> BTreeMap<Verdict, u64> {
        let mut by_verdict = BTreeMap::new();
        for (verdict, _, count) in self.by_cause() {
            *by_verdict.entry(verdict).or_default() += count;
        }
        by_verdict
    }
}

impl Serialize for FindingCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct ByCause {
            verdict: Verdict,
            cause: Option<Cause>,
            count: u64,
        }
        let rows = self.by_cause().map(|(verdict, cause, count)| ByCause { verdict, cause, count });
        let mut object = serializer.serialize_struct("FindingCounts", 2)?;
        object.serialize_field("total", &self.total())?;
        object.serialize_field("by_cause", &rows.collect::<Vec<_>>())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{RowVerdict, TableVerdict};

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".into(), partition }
    }

    #[test]
    fn a_finding_has_the_keys_of_the_interface_in_their_order() {
        let cause = Some(Cause::Damage(Damage::PrecisionLost));
        let mut finding = Finding::of_message("trades", MessageVerdict::Corrupted, cause, &tp(3), 1234);
        finding.timestamp = Some(UtcMillis(0));
        finding.identity = Some(Named(vec![("symbol".into(), "B".into()), ("id".into(), "7".into())]));
        finding.columns = vec![ColumnDifference {
            name: "price".into(),
            message: "0.123456785".into(),
            row: "0.12345679".into(),
            damage: Damage::PrecisionLost,
        }];
        finding.rows = vec![RowPlace { file: "a.parquet".into(), position: Some(17) }];
        finding.snapshot_id = Some(5);
        finding.operation = Some("append".into());
        finding.detail = "price lost a digit".into();
        let id = &finding.id;
        let expected = format!(
            concat!(
                r#"{{"id":"{}","pipeline":"trades","verdict":"corrupted","cause":"precision_lost","topic":"t","partition":3,"#,
                r#""offset":1234,"timestamp":"1970-01-01T00:00:00.000Z","identity":{{"symbol":"B","id":"7"}},"#,
                r#""columns":[{{"name":"price","message":"0.123456785","row":"0.12345679","damage":"precision_lost"}}],"#,
                r#""rows":[{{"file":"a.parquet","position":17}}],"copies":0,"candidates":[],"related":null,"#,
                r#""snapshot_id":5,"operation":"append","detail":"price lost a digit"}}"#
            ),
            id
        );
        assert_eq!(serde_json::to_string(&finding).expect("a finding serialises"), expected);
    }

    #[test]
    fn ids_are_blake3_of_length_prefixed_parts() {
        let mut bytes = Vec::new();
        for part in ["trades", "missing", "t", "3", "-1"] {
            bytes.extend((part.len() as u32).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        let id = FindingId::of_message("trades", MessageVerdict::Missing.into(), &tp(3), -1);
        assert_eq!(id.as_str(), blake3::hash(&bytes).to_hex().as_str());
    }

    #[test]
    fn ids_tell_apart_what_joined_text_would_not() {
        let phantom = Verdict::Row(RowVerdict::Phantom);
        let ids = [
            FindingId::of_row("a", phantom, "b", 11),
            FindingId::of_row("a", phantom, "b1", 1),
            FindingId::of_table("a", TableVerdict::StorageCorrupt.into(), None, "b"),
            FindingId::of_table("a", TableVerdict::StorageCorrupt.into(), Some(Cause::Lost), "b"),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn findings_are_sorted_messages_then_rows_then_files() {
        let phantom = Verdict::Row(RowVerdict::Phantom);
        let sorted = vec![
            Finding::of_message("p", MessageVerdict::Missing, Some(Cause::Lost), &tp(0), 9),
            Finding::of_message("p", MessageVerdict::Corrupted, None, &tp(2), 1),
            Finding::of_message("p", MessageVerdict::Missing, Some(Cause::Lost), &tp(10), 0),
            Finding::of_row("p", phantom, None, "a", 2),
            Finding::of_row("p", phantom, None, "a", 10),
            Finding::of_row("p", phantom, None, "b", 0),
            Finding::of_table("p", TableVerdict::MetadataInconsistent.into(), None, ""),
            Finding::of_table("p", TableVerdict::StorageCorrupt.into(), None, "a"),
            Finding::of_table("p", TableVerdict::MetadataInconsistent.into(), None, "b"),
        ];
        for shift in 0..sorted.len() {
            let mut shuffled = sorted.clone();
            shuffled.rotate_left(shift);
            shuffled.swap(0, 4);
            sort(&mut shuffled);
            assert_eq!(shuffled, sorted);
        }
    }

    #[test]
    fn excluded_messages_are_counted_by_cause_but_are_no_findings() {
        let mut counts = FindingCounts::default();
        counts.add(Verdict::Row(RowVerdict::Phantom), Some(Cause::Aborted), 1);
        counts.add(MessageVerdict::Missing.into(), Some(Cause::Lost), 2);
        counts.add(MessageVerdict::Overdue.into(), None, 3);
        counts.add(MessageVerdict::Overdue.into(), None, 0);
        counts.add_excluded(ExcludedCause::Tombstone, 4);
        assert_eq!(
            serde_json::to_string(&counts).expect("counts serialise"),
            concat!(
                r#"{"total":6,"by_cause":[{"verdict":"missing","cause":"lost","count":2},{"verdict":"overdue","cause":null,"count":3},"#,
                r#"{"verdict":"excluded","cause":"tombstone","count":4},{"verdict":"phantom","cause":"aborted","count":1}]}"#
            )
        );
        assert_eq!(counts.by_verdict()[&Verdict::Message(MessageVerdict::Overdue)], 3);
    }
}
