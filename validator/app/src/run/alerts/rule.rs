//! `[[alerts]]` and `[channels.NAME]` as they were read: what is watched, and who is told.

use validator_core::secret::Secret;

use super::condition::Condition;
use super::figure::{Figure, Series};

/// One `[[alerts]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name; one rule of a pipeline has it.
    pub name: String,
    /// When it is true.
    pub when: Condition,
    /// How long it must be true before it fires, milliseconds.
    pub for_ms: i64,
    /// How long it must be false before it is resolved, milliseconds.
    pub resolve_after_ms: i64,
    /// Whether each cause of open findings has an alert of its own.
    pub by_cause: bool,
    /// A word for whoever is told: `page`, `ticket`.
    pub severity: Option<String>,
    /// The names of the channels.
    pub notify: Vec<String>,
    /// What to do, for a person.
    pub says: Option<String>,
    /// Where it is said at length.
    pub runbook: Option<String>,
}

impl Rule {
    /// The counts whose past it asks for.
    pub fn series(&self) -> impl Iterator<Item = Series> {
        self.when.figures().into_iter().flat_map(|(figure, _)| figure.series())
    }

    /// The longest window that it looks back over; 0: none.
    pub fn window_ms(&self) -> i64 {
        self.when.figures().into_iter().filter_map(|(figure, _)| figure.window_ms()).max().unwrap_or(0)
    }

    /// Whether it speaks of findings, which alone have causes.
    pub fn has_findings(&self) -> bool {
        self.when.figures().iter().any(|(figure, _)| matches!(figure, Figure::Findings(_)))
    }
}

/// One `[channels.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Lines of the log.
    Log,
    /// A POST of the alert, signed.
    Webhook {
        /// Where to.
        url: String,
        /// The key of the signature; none: it is not signed.
        secret: Option<Secret>,
        /// A bearer token.
        token: Option<Secret>,
    },
    /// Alertmanager, API v2.
    Alertmanager {
        /// Its base URL; a path in it is kept.
        url: String,
        /// How often an alert that fires is sent again, milliseconds; it ends by itself after four times that.
        resend_ms: i64,
        /// For basic authentication.
        user: Option<String>,
        /// For basic authentication.
        password: Option<Secret>,
        /// A bearer token.
        token: Option<Secret>,
    },
}

impl Channel {
    /// How often an alert that fires is sent again, milliseconds; none: it is said once.
    pub fn resend_ms(&self) -> Option<i64> {
        match self {
            Self::Alertmanager { resend_ms, .. } => Some(*resend_ms),
            Self::Log | Self::Webhook { .. } => None,
        }
    }
}
