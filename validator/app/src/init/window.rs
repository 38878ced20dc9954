//! The time column of the windows: one that both sides have.

use validator_core::schema::Type;

use super::columns::{Explanation, short};
use super::evidence::Evidence;

/// The column, and what speaks for it or why there is none.
pub fn window(evidence: &Evidence, explained: &[Explanation]) -> (Option<String>, Vec<String>) {
    let mut times: Vec<usize> =
        (0..explained.len()).filter(|leaf| is_time_of_both(evidence, explained, *leaf)).collect();
    times.sort_by_key(|leaf| {
        let described = &evidence.rows.leaves[*leaf];
        let is_sinks = is_named_like_a_processing_time(&described.path);
        let is_date = described.field.ty == Type::Date;
        (!evidence.partitioned_by.contains(&described.path), is_date, is_sinks, *leaf)
    });
    match times.first() {
        Some(leaf) => {
            let name = evidence.rows.leaves[*leaf].path.clone();
            let by = if evidence.partitioned_by.contains(&name) { ", and the table is partitioned by it" } else { "" };
            let seen = format!("window: both sides have {}, never NULL in the sample{by}", short(&name));
            (Some(name), vec![seen])
        }
        None => (None, vec!["no window: no time column that both sides have in every row".to_owned()]),
    }
}

/// Whether a name says that the sink or the broker made the time.
pub fn is_named_like_a_processing_time(name: &str) -> bool {
    let name = name.to_lowercase();
    ["ingest", "process", "load", "kafka", "written"].iter().any(|word| name.contains(word))
}

fn is_time_of_both(evidence: &Evidence, explained: &[Explanation], leaf: usize) -> bool {
    let described = &evidence.rows.leaves[leaf];
    let is_time = matches!(
        described.field.ty,
        Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs | Type::Date
    );
    let Explanation::Field { field, equal, of, .. } = &explained[leaf] else { return false };
    let is_there = || {
        let messages = evidence.messages.values.iter().all(|values| !values[*field].is_null());
        messages && evidence.rows.of(leaf).all(|value| !value.is_null())
    };
    is_time && !described.is_child && equal * 20 >= of * 19 && is_there()
}
