//! The demo against the truth: for each seed, the findings of `validator demo` must be those that were injected, and
//! nothing more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::Value;

use crate::command::{Done, Failure, built};

/// Which seeds to run.
#[derive(Args)]
pub struct Demos {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many seeds
    #[arg(long, default_value_t = 20)]
    count: u64,
}

impl Demos {
    /// The first `count` seeds.
    pub fn first(count: u64) -> Self {
        Self { first: 1, count }
    }
}

/// What of a finding must agree: its verdict, the message or the rows or the file it is about, and the columns it
/// names. The truth is told before the table is written, so of a file both sides know the last part of its path alone.
fn essence(line: &str) -> Result<String, String> {
    let finding: Value = serde_json::from_str(line).map_err(|error| format!("{error} in `{line}`"))?;
    let list = |name: &str| finding[name].as_array().cloned().unwrap_or_default();
    let columns: Vec<String> = list("columns").iter().map(|column| column["name"].to_string()).collect();
    let mut words: Vec<String> =
        ["verdict", "topic", "partition", "offset"].iter().map(|name| finding[*name].to_string()).collect();
    if finding["offset"].is_null() {
        let mut places: Vec<String> = list("rows").iter().map(|row| place(&row["file"], &row["position"])).collect();
        places.extend(finding.get("path").filter(|path| path.is_string()).map(|path| place(path, &Value::Null)));
        places.sort();
        words.extend(places);
    }
    words.push(columns.join(","));
    Ok(words.join(" "))
}

fn place(file: &Value, position: &Value) -> String {
    let file = file.as_str().unwrap_or_default();
    format!("{}:{position}", file.rsplit('/').next().unwrap_or(file))
}

/// How often each essence occurs.
fn essences(text: &str) -> Result<BTreeMap<String, i64>, String> {
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        *counts.entry(essence(line)?).or_insert(0) += 1;
    }
    Ok(counts)
}

/// Lines that only one side has, or has more often.
fn differences(found: &str, truth: &str) -> Result<Vec<String>, String> {
    let mut counts = essences(found)?;
    for (essence, count) in essences(truth)? {
        *counts.entry(essence).or_insert(0) -= count;
    }
    let told = |(essence, count): (String, i64)| match count {
        0 => None,
        1.. => Some(format!("found, not injected ({count}): {essence}")),
        _ => Some(format!("injected, not found ({}): {essence}", -count)),
    };
    Ok(counts.into_iter().filter_map(told).collect())
}

/// Runs the demo for every seed and stops at the first that differs.
pub fn run(demos: &Demos) -> Done {
    let validator = built("validator")?;
    let folder = std::env::temp_dir().join(format!("validator-demos-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(io)?;
    let done = (demos.first..demos.first + demos.count).try_for_each(|seed| one(&validator, seed, &folder));
    fs::remove_dir_all(&folder).map_err(io)?;
    done
}

fn io(error: std::io::Error) -> Failure {
    Failure::Machine(format!("cannot run a demo or keep its files: {error}"))
}

fn one(validator: &Path, seed: u64, folder: &Path) -> Done {
    let (findings, truth) = (folder.join("findings.jsonl"), folder.join("truth.jsonl"));
    let mut command = Command::new(validator);
    command.arg("demo");
    command.args(["--seed", &seed.to_string(), "--truth"]).arg(&truth).arg("--findings").arg(&findings);
    command.env("NO_COLOR", "1").stdout(Stdio::null());
    let status = command.status().map_err(io)?;
    // A demo that shows faults may end as `breached`.
    if !matches!(status.code(), Some(0 | 1)) {
        return Err(Failure::Check(format!("the demo of seed {seed} ended with {status}")));
    }
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|error| Failure::Check(format!("seed {seed} wrote no {}: {error}", path.display())))
    };
    let (found, expected) = (read(&findings)?, read(&truth)?);
    let differences = differences(&found, &expected).map_err(|why| Failure::Check(format!("seed {seed}: {why}")))?;
    if !differences.is_empty() {
        return Err(Failure::Check(format!("seed {seed}:\n{}", differences.join("\n"))));
    }
    let count = expected.lines().count();
    if count == 0 {
        return Err(Failure::Check(format!("seed {seed} injected nothing, so it proves nothing")));
    }
    println!("seed {seed}: {count} findings, all as injected");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: &str = r#"{"verdict":"missing","topic":"t","partition":0,"offset":7,"columns":[],"rows":[]}"#;
    const BENT: &str = r#"{"verdict":"corrupted","topic":"t","partition":0,"offset":9,
        "columns":[{"name":"price"}],"rows":[]}"#;
    const EXTRA: &str = r#"{"verdict":"phantom","topic":null,"partition":null,"offset":null,
        "columns":[],"rows":[{"file":"data/f.parquet","position":1}]}"#;

    fn lines(findings: &[&str]) -> String {
        findings.iter().map(|finding| finding.replace('\n', "") + "\n").collect()
    }

    #[test]
    fn order_wording_and_folders_do_not_matter() {
        let detail = BENT.replace("\"rows\":[]", "\"rows\":[{\"file\":\"f\",\"position\":3}],\"detail\":\"bent\"");
        let extra = EXTRA.replace("data/", "file:///lake/t/data/");
        let found = lines(&[&detail, LOST, &extra]);
        assert_eq!(differences(&found, &lines(&[LOST, BENT, EXTRA])), Ok(vec![]));
    }

    #[test]
    fn a_file_is_the_same_whether_told_as_path_or_as_row() {
        let head = r#"{"verdict":"storage_corrupt","topic":null,"partition":null,"offset":null,"columns":[],"#;
        let found = format!(r#"{head}"rows":[{{"file":"file:///lake/data/f.parquet","position":null}}]}}"#);
        let truth = format!(r#"{head}"rows":[],"path":"data/f.parquet"}}"#);
        assert_eq!(differences(&found, &truth), Ok(vec![]));
        assert_eq!(differences(&found, &truth.replace("f.parquet", "g.parquet")).map(|told| told.len()), Ok(2));
    }

    #[test]
    fn what_only_one_side_has_is_told() {
        let other_column = BENT.replace("price", "size");
        let told = differences(&lines(&[&other_column, LOST, LOST]), &lines(&[LOST, BENT]));
        let expected = [
            r#"injected, not found (1): "corrupted" "t" 0 9 "price""#,
            r#"found, not injected (1): "corrupted" "t" 0 9 "size""#,
            r#"found, not injected (1): "missing" "t" 0 7 "#,
        ];
        assert_eq!(told.expect("valid JSON"), expected);
    }
}
