//! Where a continuous run keeps its state, and what a pipeline is to its ledger.
//!
//! Contract: the folder of a new ledger is made, nothing else; a pipeline that keeps its name and changes what makes
//! messages and rows equal is refused.

use std::path::{Path, PathBuf};

use validator_core::contract::{Contract, Identity};
use validator_core::limits::SEGMENT_WIDTH_OFFSETS;
use validator_ledger::{Address, Ledger, PipelineIs};

use super::fleet::Fleet;
use crate::config::{Pipeline, STATE_DEFAULT, Service};
use crate::failure::Failure;
use crate::version;

/// Where the service's ledger is.
pub fn address(service: &Service) -> Address {
    match &service.state {
        Some(state) => Address::new(state.expose()),
        None => Address::Sqlite(match &service.file {
            Some(file) => file.resolve(STATE_DEFAULT),
            None => PathBuf::from(STATE_DEFAULT),
        }),
    }
}

/// Opens the ledger to write to it.
///
/// # Errors
/// Its folder cannot be made, or it is refused.
pub async fn open(service: &Service, now_ms: i64) -> Result<Ledger, Failure> {
    let address = address(service);
    if let Address::Sqlite(path) = &address {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|source| Failure::Write { path: folder.to_owned(), source })?;
    }
    Ok(Ledger::open(&address, version::SHORT, now_ms).await?)
}

/// Opens the ledger to write to it, alone or as a member of a fleet.
///
/// # Errors
/// As [`open`].
pub async fn open_as(service: &Service, fleet: Option<&Fleet>, now_ms: i64) -> Result<Ledger, Failure> {
    match fleet {
        None => open(service, now_ms).await,
        Some(fleet) => Ok(Ledger::open_in_fleet(&fleet.address, version::SHORT, now_ms, &fleet.member).await?),
    }
}

/// What the ledger knows a pipeline by. The contract's identity is the one that the table has.
pub fn pipeline_is(pipeline: &Pipeline, service: &Service, contract: &Contract) -> PipelineIs {
    let mut topics = contract.topics.clone();
    topics.sort();
    let (mode, width) = match &contract.identity {
        Identity::Offset { width, .. } => ("offset", *width),
        Identity::Key { upsert: Some(_), .. } => ("upsert", SEGMENT_WIDTH_OFFSETS),
        Identity::Key { .. } => ("key", SEGMENT_WIDTH_OFFSETS),
        Identity::Content { .. } => ("content", SEGMENT_WIDTH_OFFSETS),
    };
    PipelineIs {
        name: contract.name.clone(),
        contract: pipeline.books_hash,
        digest_key: service.digest_key_bytes(),
        topics,
        table: contract.table.clone(),
        mode: mode.to_owned(),
        width,
    }
}
