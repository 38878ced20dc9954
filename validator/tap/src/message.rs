//! One message as a tap delivers it, borrowed for the time of the call.

use std::fmt;

use validator_core::position::{MessageAt, PartitionIndex};

/// A header: its name (bytes that are not UTF-8 are replaced by U+FFFD) and its value.
pub type Header = (String, Option<Vec<u8>>);

/// The headers of a message, copied only when asked for.
pub trait Headers {
    /// All headers in their order.
    fn to_vec(&self) -> Vec<Header>;
}

/// No headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn to_vec(&self) -> Vec<Header> {
        Vec::new()
    }
}

impl Headers for Vec<Header> {
    fn to_vec(&self) -> Vec<Header> {
        self.clone()
    }
}

/// One message.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The partition of the run.
    pub partition: PartitionIndex,
    /// The offset in it.
    pub offset: i64,
    /// Milliseconds since the epoch; `None` where the message has no timestamp.
    pub timestamp_ms: Option<i64>,
    /// The key; `None` is null, an empty key is not.
    pub key: Option<&'a [u8]>,
    /// The payload; `None` is null (a tombstone), an empty payload is not.
    pub payload: Option<&'a [u8]>,
    /// The headers, read only through [`Message::headers`].
    pub lazy_headers: &'a dyn Headers,
}

impl<'a> Message<'a> {
    /// A message with a payload and nothing else.
    pub fn of_payload(partition: PartitionIndex, offset: i64, payload: Option<&'a [u8]>) -> Self {
        Self { partition, offset, timestamp_ms: None, key: None, payload, lazy_headers: &NoHeaders }
    }

    /// Where it stands.
    pub fn at(&self) -> MessageAt {
        MessageAt { partition: self.partition, offset: self.offset }
    }

    /// A copy of its headers, in their order.
    pub fn headers(&self) -> Vec<Header> {
        self.lazy_headers.to_vec()
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("timestamp_ms", &self.timestamp_ms)
            .field("key_bytes", &self.key.map(<[u8]>::len))
            .field("payload_bytes", &self.payload.map(<[u8]>::len))
            .finish()
    }
}
