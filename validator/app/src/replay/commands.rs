//! A plan as a shell script: what it does when it is run is read. What would write stands in it as comments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::plan::Plan;
use super::rows::{Rows, identifier};
use super::text::wanted;
use crate::render::{command_line, counted, escape};

/// The script. Brokers that no file names are asked for by the script itself.
pub fn commands(plan: &Plan, brokers: Option<&str>) -> String {
    let mut script = format!("#!/bin/sh\n# Replay plan of {}: {}.\nset -eu\n", comment(&plan.pipeline), wanted(plan));
    match brokers {
        Some(brokers) => drop(writeln!(script, "BROKERS={}", word(brokers))),
        None => script += "BROKERS=${BROKERS:?the brokers, as host:port}\n",
    }
    kcat(plan, &mut script);
    connect(plan, &mut script);
    sql(plan, &mut script);
    for one in &plan.undecided {
        let from = one.from.map(|from| format!(" from offset {from}")).unwrap_or_default();
        let what = format!("{}[{}]{from}: {} ({})", one.topic, one.partition, one.why, one.verdict);
        let _ = writeln!(script, "# undecided: {}", comment(&what));
    }
    script
}

fn kcat(plan: &Plan, script: &mut String) {
    if plan.ranges.is_empty() {
        *script += "\n# There is nothing to read again.\n";
        return;
    }
    *script += "\n# Exactly these messages, one JSON object each. `validator replay PIPELINE --to TOPIC` writes them to a topic,\n\
                # with key, headers and timestamp; kcat cannot.\n";
    for one in &plan.ranges {
        let (topic, partition) = (word(&one.topic), one.partition);
        let (from, messages) = (one.range.from, one.range.messages);
        let _ = writeln!(
            script,
            "kcat -C -q -J -e -b \"$BROKERS\" -X isolation.level=read_committed -t {topic} -p {partition} -o {from} -c {messages}"
        );
    }
}

/// A reset takes a sink back to the first of the messages, and it reads everything from there on.
fn connect(plan: &Plan, script: &mut String) {
    let mut first: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    for one in &plan.ranges {
        let least = first.entry((&one.topic, one.partition)).or_insert(one.range.from);
        *least = (*least).min(one.range.from);
    }
    if first.is_empty() {
        return;
    }
    let offsets: Vec<_> = first
        .iter()
        .map(|((topic, partition), offset)| {
            json!({
                "partition": { "kafka_topic": topic, "kafka_partition": partition },
                "offset": { "kafka_offset": offset },
            })
        })
        .collect();
    let body = word(&json!({ "offsets": offsets }).to_string());
    *script += "\n# Kafka Connect from 3.6 on: the sink reads these partitions again from the first of the messages, and everything\n\
                # behind it. Unless it writes by key, that doubles what was intact: a second sink on a repair topic does not.\n";
    let at = "\"$CONNECT/connectors/$CONNECTOR";
    let _ = writeln!(script, "# curl -fsS -X PUT {at}/stop\"");
    let _ = writeln!(
        script,
        "# curl -fsS -X PATCH -H 'Content-Type: application/json' {at}/offsets\" -d {}",
        body.replace('\n', " ")
    );
    let _ = writeln!(script, "# curl -fsS -X PUT {at}/resume\"");
}

fn sql(plan: &Plan, script: &mut String) {
    let table = identifier(&plan.table);
    let snapshot = plan.origin.snapshot_id.map(|id| format!(" of snapshot {id}")).unwrap_or_default();
    for (what, rows) in [
        ("Rows that replayed messages take the place of: delete them first", &plan.replaced),
        ("Surplus copies: of each message one row stays", &plan.surplus),
    ] {
        if rows.is_empty() {
            continue;
        }
        let count: u64 = rows.iter().map(|rows: &Rows| rows.positions.len() as u64).sum();
        let count = counted(count, "row", "rows");
        let _ = writeln!(script, "\n# {what} ({count} in files{snapshot}). Spark SQL:");
        for rows in rows {
            let _ = writeln!(script, "# DELETE FROM {} WHERE {};", comment(&table), comment(&rows.predicate));
        }
    }
}

fn word(text: &str) -> String {
    command_line([text.to_owned()])
}

/// A comment ends with its line, and reaches terminals.
fn comment(text: &str) -> String {
    escape(text).replace(['\n', '\r'], " ")
}
