//! Whether the process lives, and whether its verdicts can be relied on now.
//!
//! Contract: the six states are told apart by the status and by the body; of several pipelines the worst counts.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};
use validator_core::clock::UtcMillis;

use crate::run::status::{Phase, Status};

/// `/healthz`: 500 when every pipeline has failed, and starting the process again is all that is left; else 200.
pub fn alive(statuses: &[Arc<Status>]) -> (StatusCode, Value) {
    let is_dead = !statuses.is_empty() && statuses.iter().all(|status| status.phase == Phase::Failed);
    (if is_dead { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }, body(statuses))
}

/// `/readyz`.
pub fn ready(statuses: &[Arc<Status>]) -> (StatusCode, Value) {
    (code(worst(statuses)), body(statuses))
}

/// The status of a state: 2xx, where its verdicts hold.
pub fn code(phase: Phase) -> StatusCode {
    match phase {
        Phase::Healthy => StatusCode::OK,
        // What it could say others say.
        Phase::StandingBy => StatusCode::NON_AUTHORITATIVE_INFORMATION,
        Phase::Degraded => StatusCode::MULTI_STATUS,
        Phase::Starting => StatusCode::SERVICE_UNAVAILABLE,
        Phase::CannotJudge => StatusCode::BAD_GATEWAY,
        Phase::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A process without pipelines has not begun.
fn worst(statuses: &[Arc<Status>]) -> Phase {
    statuses.iter().map(|status| status.phase).max().unwrap_or(Phase::Starting)
}

fn body(statuses: &[Arc<Status>]) -> Value {
    let one = |status: &Arc<Status>| {
        json!({
            "pipeline": status.pipeline,
            "state": status.phase.as_str(),
            "why": status.why,
            "judged_at": status.judged_at_ms.map(UtcMillis),
        })
    };
    json!({ "state": worst(statuses).as_str(), "pipelines": statuses.iter().map(one).collect::<Vec<_>>() })
}
