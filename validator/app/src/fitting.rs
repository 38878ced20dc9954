//! What of a topic's partitions does not fit a contract.

use validator_engine::binding::BoundIdentity;
use validator_tap::Tap;

use crate::config::{Pipeline, Problem};

/// Refuses a range that does not hold the last messages of every partition: what the last version of a key is, only they
/// tell.
///
/// # Errors
/// The partition that is cut.
pub fn check_whole(tap: &dyn Tap) -> Result<(), Vec<Problem>> {
    let cut = tap.partitions().iter().find(|range| !range.listed || !range.ends_at_now);
    cut.map_or(Ok(()), |range| {
        let message = format!(
            "the range does not reach the end of {}, and the table keeps the last version of each key",
            range.tp
        );
        let hint = "leave `--to` out and read every partition; `--snapshot` and `--as-of` judge an earlier state";
        Err(vec![Problem::new(message).hint(hint)])
    })
}

/// Refuses rows that do not say which partition they are of, beside a topic in which each partition has their offsets.
///
/// # Errors
/// A partition beside number 0.
pub fn check_placed(pipeline: &Pipeline, identity: &BoundIdentity, tap: &dyn Tap) -> Result<(), Vec<Problem>> {
    let BoundIdentity::Offset { partition: None, .. } = identity else { return Ok(()) };
    let other = tap.partitions().iter().find(|range| range.tp.partition != 0);
    other.map_or(Ok(()), |range| {
        let message = format!("the offset alone does not say which message a row is of: there is {}", range.tp);
        let hint = "name the partition column: `columns = [\"partition\", \"offset\"]`";
        Err(vec![pipeline.problem_at("identity.columns", message).hint(hint)])
    })
}
