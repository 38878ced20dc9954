//! Reading a ledger beside the process that writes to it.
//!
//! Contract: nothing is written and no lock is taken; each call sees one committed checkpoint.

mod continuity;
mod deep;
mod equal;
mod filter;
mod found;
mod groups;
mod listing;
mod mail;
mod pages;
mod report;
mod runs;
mod state;

pub use continuity::{Broken, Continuity, LaneContinuity};
pub use deep::DeepVerified;
pub use equal::StillEqual;
pub use filter::FindingFilter;
pub use found::{FindingRow, Place, is_nameless};
pub use groups::Group;
pub use listing::{FindingPage, Listed, Seen};
pub use mail::MailCount;
pub use pages::{SegmentRow, SegmentState};
pub use report::{ReportFacts, Summary};
pub use runs::RunRow;
pub use state::{FindingCount, FindingState};

use crate::address::Address;
use crate::error::LedgerError;
use crate::ledger::{is_sqlite, pipelines};
use crate::migrations::{self, FORMAT};
use crate::pipeline::PipelineRow;
use crate::store::{Access, Store};

/// A ledger, opened for reading.
pub struct ReadLedger {
    pub(crate) store: Store,
}

impl ReadLedger {
    /// Opens a ledger for reading.
    ///
    /// # Errors
    /// When there is none, it is of a newer or an older format, or not a ledger.
    pub async fn open(address: &Address) -> Result<Self, LedgerError> {
        if let Address::Sqlite(path) = address {
            is_sqlite(path)?;
        }
        let mut store = Store::new(address.clone(), address.connect(Access::Reads).await?, Access::Reads);
        let format = migrations::format(&mut store).await?;
        if format < FORMAT {
            return Err(LedgerError::NotALedger {
                place: address.shown(),
                what: "its format is older; the process that writes to it brings it up to date",
            });
        }
        Ok(Self { store })
    }

    /// The names of its pipelines.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub async fn names(&mut self) -> Result<Vec<String>, LedgerError> {
        self.store.begin().await?;
        let all = pipelines(&mut self.store).await;
        self.store.rollback().await;
        Ok(all?.1.into_iter().map(|(row, _)| row.shown).collect())
    }
}

/// The row of a pipeline by its name.
pub(crate) async fn row_of(store: &mut Store, name: &str) -> Result<(PipelineRow, [u8; 32]), LedgerError> {
    let (_, all) = pipelines(store).await?;
    let found = all.into_iter().find(|(row, _)| row.shown == name);
    found.ok_or_else(|| LedgerError::Unknown { name: name.to_owned() })
}
