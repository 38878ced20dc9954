//! What the validator says of a scene, in a few lines; the same lines however the run is cut into segments and threads.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value as Json;
use validator_app::config::{Edge, Loader, SnapshotSelector};
use validator_app::{Answer, Failure, Progress, Request, judge};

use super::laws::assert_laws;
use super::{Folder, Mode, Scene};
use crate::transcript::without_sizes;

/// What is said of both scenes.
///
/// # Panics
/// When it is not the same.
pub fn alike(one: &Scene, other: &Scene) -> String {
    let says = one.verdicts();
    assert_eq!(says, other.verdicts());
    says
}

/// How a run is made: what no verdict depends on.
#[derive(Debug, Clone)]
struct Variation {
    /// Lines of `[identity]`.
    cut: String,
    threads: usize,
}

impl Scene {
    /// What the run says, or why there is none.
    ///
    /// # Panics
    /// When another width, `every`, number of shards or of threads says something else, or a law of section 5 is broken.
    pub fn verdicts(&self) -> String {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("the system gives threads");
        let folder = runtime.block_on(self.write());
        let mut said: Option<(String, &Variation)> = None;
        let variations = self.variations();
        for variation in &variations {
            let says = match runtime.block_on(self.judge_in(&folder, variation)) {
                Ok(answer) => lines(&answer),
                Err(failure) => validator_app::render::failure(&failure, validator_app::render::Palette::PLAIN, 120),
            };
            let says = without_sizes(&says.replace(&folder.path().display().to_string(), "DIR"));
            match &said {
                None => said = Some((says, variation)),
                Some((first, by)) => assert_eq!(*first, says, "{by:?} and {variation:?} differ"),
            }
        }
        said.expect("at least one variation").0
    }

    /// The whole answer of one run.
    pub fn answer(&self) -> Answer {
        let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
        let folder = runtime.block_on(self.write());
        let answer = runtime.block_on(self.judge_in(&folder, &self.variations()[0]));
        answer.unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    /// In the scope of a cut range `every` has a say (section 4, Scope), so there it stays what it is.
    fn variations(&self) -> Vec<Variation> {
        let whole = self.from.is_none() && self.to.is_none() && !self.pipeline.contains("start");
        let cuts: &[&str] = match self.mode {
            Mode::Offset => &["", "width = 1", "width = 2", "width = 16777216"],
            Mode::Key | Mode::Content | Mode::Upsert | Mode::UpsertByMap if whole => {
                &["", "shards = 1", "every = \"1s\"\nshards = 3", "every = \"1h\"\nshards = 65536"]
            }
            Mode::Key | Mode::Content | Mode::Upsert | Mode::UpsertByMap => {
                &["", "shards = 1", "shards = 3", "shards = 65536"]
            }
            Mode::KeyPlain | Mode::ContentPlain => &["", "shards = 1", "shards = 2", "shards = 512"],
        };
        (1..).zip(cuts).map(|(n, cut)| Variation { cut: format!("{cut}\n"), threads: 1 + n % 3 }).collect()
    }

    async fn judge_in(&self, folder: &Folder, variation: &Variation) -> Result<Answer, Failure> {
        fs::write(folder.join("pipeline.toml"), self.pipeline_toml(&variation.cut)).expect("the folder takes files");
        let now_ms = chrono::Utc::now().timestamp_millis();
        let loader = Loader::of_process(now_ms);
        let service = loader.service(Some(&folder.join("validator.toml")))?;
        let pipeline = loader.pipeline_file(&folder.join("pipeline.toml"))?;
        let edge = |text: &Option<String>, parse: fn(&str) -> Result<Edge, _>| {
            text.as_ref().map(|text| parse(text).expect("scenes write edges as users do").resolve(now_ms))
        };
        let request = Request {
            from: edge(&self.from, Edge::parse_from),
            to: edge(&self.to, Edge::parse_to),
            snapshot: self.snapshot.map(SnapshotSelector::Id),
            as_of_ms: self.as_of_ms,
            threads: variation.threads,
            ..Request::new(now_ms)
        };
        judge(&pipeline, &service, &request, &Progress::none()).await
    }
}

/// The answer, its segments and times left out.
fn lines(answer: &Answer) -> String {
    let report = serde_json::to_value(&answer.report).expect("reports are JSON");
    let findings: Vec<Json> = answer
        .findings
        .at_hand
        .iter()
        .map(|finding| serde_json::to_value(finding).expect("findings are JSON"))
        .collect();
    assert_laws(&report, &findings);
    let mut text = String::new();
    for (side, all) in [("messages", "consumed"), ("rows", "total")] {
        let counts = report[side].as_object().expect("counts are an object").iter();
        let told = counts.filter(|(name, count)| count.as_u64().is_some_and(|n| n > 0) && *name != all);
        let told: Vec<String> = told.map(|(name, count)| format!("{count} {name}")).collect();
        let line = format!("{side} {}: {}", report[side][all], told.join(", "));
        writeln!(text, "{}", line.trim_end_matches(": ")).expect("a string");
    }
    let complete = if report["complete"] == true { "" } else { ", not complete" };
    let outcome = report["outcome"].as_str().unwrap_or_default();
    writeln!(text, "{outcome}, fidelity {}{complete}", report["fidelity"]["value"]).expect("a string");
    for partition in report["partitions"].as_array().into_iter().flatten() {
        for hole in partition["holes"].as_array().into_iter().flatten() {
            let (from, to, reason) = (&hole["from"], &hole["to"], hole["reason"].as_str().unwrap_or_default());
            writeln!(text, "hole {}[{}] {from}..{to} {reason}", word(&partition["topic"]), partition["partition"])
                .expect("a string");
        }
    }
    for finding in &findings {
        writeln!(text, "{}", finding_line(finding)).expect("a string");
    }
    for warning in &answer.report.warnings {
        writeln!(text, "warning: {warning}").expect("a string");
    }
    text
}

/// `corrupted precision_lost trades[0]@1 f1:1 price 1.25 → 1.2 precision_lost`
fn finding_line(finding: &Json) -> String {
    let mut words = vec![word(&finding["verdict"]).to_owned()];
    words.extend(finding["cause"].as_str().map(str::to_owned));
    if let Some(topic) = finding["topic"].as_str() {
        words.push(format!("{topic}[{}]@{}", finding["partition"], finding["offset"]));
    }
    for row in finding["rows"].as_array().into_iter().flatten() {
        let file = word(&row["file"]).rsplit('/').next().unwrap_or_default();
        let position = row["position"].as_u64().map_or(String::new(), |position| format!(":{position}"));
        words.push(format!("{}{position}", file.trim_end_matches(".parquet")));
    }
    for column in finding["columns"].as_array().into_iter().flatten() {
        let (name, damage) = (word(&column["name"]), word(&column["damage"]));
        words.push(format!("{name} {} → {} {damage}", plain(&column["message"]), plain(&column["row"])));
    }
    let candidates = finding["candidates"].as_array().into_iter().flatten();
    let candidates: Vec<String> = candidates.map(|of| format!("[{}]@{}", of["partition"], of["offset"])).collect();
    if !candidates.is_empty() {
        words.push(format!("of {}", candidates.join(" ")));
    }
    if finding["related"].is_string() {
        words.push(format!("({})", word(&finding["detail"])));
    }
    let is_plain = finding["topic"].is_string() || finding["verdict"] == "phantom";
    if !is_plain || finding["verdict"] == "undecodable" {
        words.push(format!("({})", word(&finding["detail"])));
    }
    words.join(" ")
}

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
