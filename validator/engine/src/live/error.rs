//! Why a continuous run could not read what a shadow asks for.

use validator_core::shadow::event::CannotLook;
use validator_table::FileFault;

use crate::drill::DrillError;
use crate::message_reader::ReadError;
use crate::reconcile::RunError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The object store fails: nothing is known, and it is to be tried again.
    #[error("read {path}: {detail}")]
    Store {
        /// The file.
        path: String,
        /// What the store says.
        detail: String,
    },
    /// The messages cannot be read.
    #[error("read messages")]
    Messages(#[source] ReadError),
    /// The reading failed.
    #[error("read both sides")]
    Run(#[source] RunError),
}

impl LookError {
    /// The first of these faults that may pass, as an error.
    pub(crate) fn of_store<'a>(faults: impl IntoIterator<Item = &'a FileFault>) -> Option<Self> {
        let passing = faults.into_iter().find(|fault| fault.may_pass)?;
        Some(Self::Store { path: passing.path.clone(), detail: passing.detail.clone() })
    }

    /// What could not be asked; none where it is the reading itself that failed.
    pub fn cannot_look(&self) -> Option<CannotLook> {
        match self {
            Self::Store { .. } => Some(CannotLook::Store),
            Self::Messages(_) => Some(CannotLook::Broker),
            // Why offsets are not there is asked of the brokers.
            Self::Run(RunError::Holes(_)) => Some(CannotLook::Broker),
            Self::Run(_) => None,
        }
    }
}

impl From<RunError> for LookError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Messages(error) => Self::Messages(error),
            RunError::Drill(error) => error.into(),
            error => Self::Run(error),
        }
    }
}

impl From<DrillError> for LookError {
    fn from(error: DrillError) -> Self {
        match error {
            DrillError::Messages(error) => Self::Messages(error),
            DrillError::Unread(faults) => match Self::of_store(faults.iter().map(|(_, fault)| fault)) {
                Some(store) => store,
                None => Self::Run(DrillError::Unread(faults).into()),
            },
            error => Self::Run(error.into()),
        }
    }
}
