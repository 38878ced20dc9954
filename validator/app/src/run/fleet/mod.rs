//! Several processes that run the same pipelines over one ledger.
//!
//! ```text
//! each member   hand.rs: its partitions ─▶ parcels ┐                     ┌─▶ asks ─▶ hand.rs of whoever has time: scans
//! the judge     judging.rs: the seat     taking.rs ┴▶ the actor, as alone ┤
//!                                                                         └─▶ a checkpoint takes parcels away (keeping.rs)
//! ```
//!
//! Contract: of each pipeline one member judges, by the code of a run alone; what others read and scan are events of the same kind.
//! What a member that is gone has left undone another one does; nothing of it is counted twice, and no member is asked whether
//! it is still there.

mod ahead;
mod dividing;
mod hand;
mod judging;
mod parcel;
mod seat;
mod taking;
mod work;

use std::time::{SystemTime, UNIX_EPOCH};

pub use judging::Judging;
pub use parcel::Posted;
pub use seat::{Seated, followed};

use validator_engine::reconcile::Run;
use validator_ledger::{Address, MemberIs};

use super::state;
use crate::config::{Pipeline, Problem, Service};
use crate::failure::Failure;
use crate::version;

/// This process as a member.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The ledger.
    pub address: Address,
    /// Who it is.
    pub member: MemberIs,
}

impl Fleet {
    /// Of a service that runs in a fleet; none: it runs alone.
    ///
    /// # Errors
    /// The process has no name.
    pub fn of(service: &Service, member: Option<&str>) -> Result<Option<Self>, Failure> {
        let named = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        let name = match (service.fleet, member) {
            (false, None) => return Ok(None),
            (false, Some(_)) => {
                let problem = Problem::new("`--member` names a process of a fleet, and this one runs alone");
                return Err(vec![problem.hint("write `fleet = true` in [service] of validator.toml")].into());
            }
            (true, Some(name)) => named(name),
            (true, None) => std::fs::read_to_string("/proc/sys/kernel/hostname").ok().as_deref().and_then(named),
        };
        let Some(name) = name else {
            let problem = Problem::new("a member of a fleet has a name, and this machine has none");
            return Err(vec![problem.hint("name it: `validator run --member NAME`")].into());
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let instance = format!("{}-{since:x}", std::process::id());
        Ok(Some(Self { address: state::address(service), member: MemberIs { name, instance } }))
    }
}

/// What the files of a member say of a pipeline: members whose files differ do not work together.
///
/// # Errors
/// The schema file cannot be read.
fn terms(pipeline: &Pipeline, service: &Service) -> Result<[u8; 32], Failure> {
    let mut hasher = blake3::Hasher::new_derive_key("validator fleet: the terms of a pipeline");
    hasher.update(pipeline.config_hash.as_bytes());
    hasher.update(&pipeline.books_hash);
    // Of a key that is secret nothing is given away.
    hasher.update(&blake3::derive_key("validator fleet: which digest key", &service.digest_key_bytes()));
    if let Some(path) = &pipeline.contract.schema {
        let bytes = std::fs::read(path).map_err(|source| {
            let problem = Problem::new(format!("the schema file {} cannot be read: {source}", path.display()));
            vec![problem.hint("`schema` in [pipeline] names a file that each member has")]
        })?;
        hasher.update(&bytes);
    }
    Ok(*hasher.finalize().as_bytes())
}

/// The contract as it is bound to the table, and the topics by their ids: what was read under another one, or of a topic that was
/// made again, counts for nothing.
fn binding(terms: [u8; 32], run: &Run) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("validator fleet: a contract bound to a table");
    hasher.update(&terms);
    let topics = format!("{:?}", run.messages.tap.topic_ids());
    let table = [format!("{:?}", run.pinned.schema), format!("{:?}", run.pinned.defaults)];
    for text in [version::SHORT.to_owned(), topics].into_iter().chain(table) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Refuses a pipeline that no fleet can share.
///
/// # Errors
/// What stands against it, at its place in the pipeline file.
fn refuse_unshared(pipeline: &Pipeline) -> Result<(), Failure> {
    if pipeline.contract.source.is_none() {
        return Ok(());
    }
    let problem = pipeline.problem_at("source", "a fleet shares partitions of brokers, and this is a recording");
    Err(vec![problem.hint("take `fleet` out of [service] of validator.toml, and run it alone")].into())
}
