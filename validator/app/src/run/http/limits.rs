//! Bounds of the HTTP server, each with its unit and reason.

/// Connections at once. Prometheus, a health check and some people need a dozen; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;

/// Seconds for a request's headers to come, also for the next of a connection that is kept open.
pub const HEADERS_SECONDS: u64 = 5;

/// Seconds of a connection, whatever it does: a reader that is slower than this is cut off.
pub const CONNECTION_SECONDS: u64 = 60;

/// Seconds for what is being answered to end when the process stops.
pub const STOP_SECONDS: u64 = 1;

/// Bytes of a request's line and headers.
pub const HEADER_BYTES_MAX: usize = 16 << 10;

/// Headers of a request.
pub const HEADERS_MAX: usize = 64;

/// Milliseconds until the next try where no connection can be accepted: file descriptors may be short.
pub const ACCEPT_AGAIN_MS: u64 = 100;

/// Questions to the ledger at once: each reads beside the writer.
pub const QUESTIONS_MAX: usize = 4;

/// Seconds for an answer of the ledger, with the wait for the others.
pub const ANSWER_SECONDS: u64 = 20;

/// Findings of one page.
pub const FINDINGS_MAX: usize = 1_000;

/// Findings of one page unless said.
pub const FINDINGS_DEFAULT: usize = 100;
