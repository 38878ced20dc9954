//! Who wrote a table and how, by what its newest commits and its properties say of themselves.
//!
//! Contract: claims, which anybody can write. They decide between profiles of the same columns, and whether a part of a
//! table may be one of last versions; columns are verified all the same, and where they say something else that is told.
//! Foreign texts are shown short, and never as what they claim to be.

use std::collections::BTreeMap;

use super::columns::short;
use super::identity::Mode;
use super::limits::ENGINES_SAID;
use crate::config::Profile;

/// What one commit says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its operation.
    pub operation: String,
    /// The rest of its summary.
    pub summary: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The newest commits that are no maintenance, newest first.
    pub commits: Vec<Commit>,
    /// The table's properties.
    pub properties: BTreeMap<String, String>,
}

/// A sink that leaves its mark on every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Iceberg's sink of Kafka Connect.
    KafkaConnect,
    /// Flink's sink.
    Flink,
    /// Spark.
    Spark,
}

/// What keys of a summary begin with, and whose they are. Sources: the `Coordinator` of Iceberg's sink
/// (`kafka.connect.commit-id`, `kafka.connect.offsets.*`, `kafka.connect.valid-through-ts`, once `kafka.connect.vtts`),
/// `IcebergFilesCommitter` (`flink.job-id`, `flink.max-committed-checkpoint-id`), `SparkWrite` (`spark.app.id`,
/// `spark.sql.streaming.queryId`).
const MARKS: [(&str, Writer); 3] =
    [("kafka.connect.", Writer::KafkaConnect), ("flink.", Writer::Flink), ("spark.", Writer::Spark)];

/// What `engine-name` of Iceberg's `EnvironmentContext` says, where no sink left its mark.
const ENGINES: [(&str, Writer); 2] = [("flink", Writer::Flink), ("spark", Writer::Spark)];

/// Properties that say how rows are written.
const WAYS: [&str; 4] = [UPSERT, "write.merge.mode", "write.update.mode", "write.delete.mode"];
const UPSERT: &str = "write.upsert.enabled";

impl Writer {
    fn name(self) -> &'static str {
        match self {
            Self::KafkaConnect => "Kafka Connect's sink",
            Self::Flink => "Flink",
            Self::Spark => "Spark",
        }
    }

    /// Whether it may have laid columns out so.
    fn writes(self, profile: Profile) -> bool {
        use Profile::{Flink, K2Bronze, KafkaConnect, Spark};
        match self {
            // Its `InsertField` names columns as it is told.
            Self::KafkaConnect => matches!(profile, KafkaConnect | Spark | Flink),
            Self::Flink | Self::Spark => matches!(profile, Flink | Spark | K2Bronze),
        }
    }
}

impl Commit {
    /// The writer that it names, and by which key.
    fn writer(&self) -> Option<(Writer, &'static str)> {
        let marked = |(mark, _): &&(&'static str, Writer)| self.summary.keys().any(|key| key.starts_with(mark));
        let engine = self.summary.get("engine-name").map(|name| name.to_lowercase());
        let of_engine = |engine: String| ENGINES.iter().find(|(name, _)| *name == engine);
        let by_mark = MARKS.iter().find(marked).map(|(mark, writer)| (*writer, *mark));
        by_mark.or_else(|| engine.and_then(of_engine).map(|(_, writer)| (*writer, "engine-name")))
    }

    /// Name and version of its engine, and Iceberg's.
    fn engine(&self) -> Option<String> {
        let of = |key: &str| self.summary.get(key).map(|text| short(text));
        let parts: Vec<String> =
            ["engine-name", "engine-version", "iceberg-version"].into_iter().filter_map(of).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

impl Claims {
    /// The writer that most of the commits name; none where half of them or more do not.
    pub fn writer(&self) -> Option<Writer> {
        let named: Vec<Writer> = self.commits.iter().filter_map(|commit| commit.writer().map(|of| of.0)).collect();
        let count = |writer: &Writer| named.iter().filter(|of| *of == writer).count();
        MARKS.iter().map(|(_, writer)| *writer).find(|writer| count(writer) * 2 > self.commits.len())
    }

    /// Whether commits are said to replace rows.
    pub fn is_upsert(&self) -> bool {
        self.has_upsert_property() || self.replacing() * 2 > self.commits.len()
    }

    fn has_upsert_property(&self) -> bool {
        self.properties.get(UPSERT).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn replacing(&self) -> usize {
        self.commits.iter().filter(|commit| commit.operation != "append").count()
    }

    /// What is said, sentence by sentence; nothing of commits that say no more than that they append.
    pub fn said(&self) -> Vec<String> {
        let mut said = Vec::new();
        let mut writers: Vec<(Writer, &'static str, usize)> = Vec::new();
        for (writer, key) in self.commits.iter().filter_map(Commit::writer) {
            match writers.iter_mut().find(|(known, ..)| *known == writer) {
                Some((.., commits)) => *commits += 1,
                None => writers.push((writer, key, 1)),
            }
        }
        let all = self.commits.len();
        let silent = all - writers.iter().map(|(.., commits)| commits).sum::<usize>();
        for (writer, key, commits) in &writers {
            let key = if key.ends_with('.') { format!("{key}*") } else { (*key).to_owned() };
            said.push(format!("{} is named by {commits} of the newest {all} commits ({key})", writer.name()));
        }
        if silent > 0 && !writers.is_empty() {
            said.push(format!("no writer is named by {silent} of the newest {all} commits"));
        }
        let mut engines: Vec<String> = self.commits.iter().filter_map(Commit::engine).collect();
        engines.dedup();
        if !engines.is_empty() {
            engines.truncate(ENGINES_SAID);
            said.push(format!("the engine that they name: {}", engines.join("; ")));
        }
        let ways: Vec<String> = WAYS
            .iter()
            .filter_map(|key| self.properties.get(*key).map(|value| format!("{key} = {}", short(value))))
            .collect();
        if !said.is_empty() || !ways.is_empty() || self.replacing() > 0 {
            said.push(self.operations());
        }
        if !ways.is_empty() {
            said.push(format!("table properties: {}", ways.join(", ")));
        }
        said
    }

    fn operations(&self) -> String {
        let (all, replacing) = (self.commits.len(), self.replacing());
        match replacing {
            0 => format!("all of the newest {all} commits append"),
            _ => format!("{replacing} of the newest {all} commits replace or delete rows, {} append", all - replacing),
        }
    }

    /// What they say against the identity that the columns show.
    pub fn against(&self, mode: &Mode) -> Vec<String> {
        let mut against = Vec::new();
        if let (Mode::Offset { profile: Some(profile), .. }, Some(writer)) = (mode, self.writer())
            && !writer.writes(*profile)
        {
            let (name, profile) = (writer.name(), profile.name());
            against.push(format!(
                "the commits name {name}, and the columns are laid out as {profile} does it: these were verified, and what \
                 commits say was not"
            ));
        }
        let is_upsert = matches!(mode, Mode::Upsert { .. });
        if is_upsert && !self.is_upsert() && !self.commits.is_empty() {
            against.push(format!(
                "the rows are last versions, and {}: the next version of a key may come to stand beside the last",
                self.operations()
            ));
        }
        if !is_upsert && self.has_upsert_property() {
            against.push(format!(
                "{UPSERT} is true, and no row sampled is seen to have replaced another: if the sink does so, write the key \
                 with upsert = true"
            ));
        }
        against
    }
}
