//! What to do with each value of a writer's schema, made once per schema.

use super::schema::{AvroSchema, Kind, NodeId};

/// The one branch of a union that is not null; none where all are.
pub(super) fn branches(schema: &AvroSchema, branches: &[NodeId]) -> Result<Option<NodeId>, String> {
    let mut rest = branches.iter().copied().filter(|branch| !matches!(schema.kind(*branch), Kind::Null));
    let first = rest.next();
    if rest.next().is_none() {
        return Ok(first);
    }
    let names = branches.iter().map(|branch| schema.node(*branch).name()).collect::<Vec<_>>();
    Err(format!("a union of {}: a column has one type", names.join(", ")))
}
