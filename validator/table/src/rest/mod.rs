//! Iceberg's REST catalog, read only: a small client of our own.
//!
//! Contract: secrets go to the hosts that the configuration names and to no other; a token is renewed before it ends and
//! when the catalog no longer takes it; every wait, repetition and answer has a bound; what a table's location, metadata
//! and keys are is asked anew each time.

mod answer;
mod http;
mod path;
mod session;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use validator_core::secret::Secret;

use crate::catalog::{CatalogError, TableName};
use crate::s3::{Lender, Pem, Served};

use session::Session;

/// How a REST catalog is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestConfig {
    /// `http://…` or `https://…`; `/v1/…` follows it.
    pub uri: String,
    /// Which of its warehouses.
    pub warehouse: Option<String>,
    /// A path between `/v1` and the rest, where the catalog does not give one itself.
    pub prefix: Option<String>,
    /// How it knows us.
    pub access: RestAccess,
    /// Sent with every request to the catalog.
    pub headers: Vec<(String, Secret)>,
    /// Certificates that are trusted beside the system's, PEM.
    pub ca: Option<Pem>,
    /// For one answer; default 30 s.
    pub timeout: Option<Duration>,
    /// Ask for keys to the table's store; not where one's own are configured.
    pub vended: bool,
}

/// How a REST catalog knows who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RestAccess {
    /// It asks nobody.
    #[default]
    Open,
    /// A bearer token, used until it ends.
    Token(Secret),
    /// OAuth 2 client credentials: a token is fetched, and fetched again.
    Client {
        /// The client's id; some servers want none.
        id: Option<String>,
        /// The client's secret.
        secret: Secret,
        /// Where tokens are given; `/v1/oauth/tokens` of the catalog unless given.
        server_uri: Option<String>,
        /// Sent as it is: `scope` (default `catalog`), `audience`, `resource`.
        parameters: Vec<(String, String)>,
    },
}

/// What a REST catalog says of a table.
#[derive(Debug)]
pub(crate) struct RestTable {
    /// The URL that was asked.
    pub url: String,
    pub metadata_location: Option<String>,
    /// The metadata itself, as the answer holds it.
    pub metadata: Option<Bytes>,
    pub served: Vec<Served>,
    pub lender: Arc<dyn Lender>,
}

/// Looks a table up.
pub(crate) async fn load_table(config: &RestConfig, name: &TableName) -> Result<RestTable, CatalogError> {
    let session = Arc::new(Session::open(config).await?);
    let loaded = session.load(name).await?;
    let lender = Arc::new(Renewal { session, name: name.clone() });
    Ok(RestTable {
        url: loaded.url,
        metadata_location: loaded.answer.metadata_location,
        metadata: loaded.answer.metadata,
        served: loaded.answer.served,
        lender,
    })
}

/// Asks for the table once more, for the keys in the answer.
#[derive(Debug)]
struct Renewal {
    session: Arc<Session>,
    name: TableName,
}

#[async_trait]
impl Lender for Renewal {
    async fn lend(&self) -> Result<Vec<Served>, CatalogError> {
        Ok(self.session.load(&self.name).await?.answer.served)
    }
}
