//! Messages and log lines taken from librdkafka's own queues. `unsafe` code of this crate is here and in `described.rs`.
//!
//! The safe `poll` loses the topic and the offset of an end of partition, panics on header names that are not UTF-8, and
//! costs an event and several calls per message; without it log lines would go to stderr. Contract: a message is freed
//! exactly once, when its batch is cleared or dropped; nothing borrowed from it outlives the borrow of the batch; queues
//! are let go before their consumer.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::marker::PhantomData;
use std::time::Duration;
use std::{ptr, slice};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use crate::{Header, Headers};

/// The queue of a consumer and the messages last taken from it.
pub(super) struct Batch<'c> {
    queue: *mut sys::rd_kafka_queue_t,
    taken: Vec<*mut sys::rd_kafka_message_t>,
    most: usize,
    consumer: PhantomData<&'c ()>,
}

/// One thing that a consumer has to say.
pub(super) enum Event<'b> {
    /// A message.
    Message(Taken<'b>),
    /// Nothing more is in the partition for now; the next message will have that offset or a later one.
    End { at: Source, offset: i64 },
    /// Something failed.
    Failed { at: Option<Source>, code: RDKafkaErrorCode, text: String },
}

/// The partition of an event: the topic's handle, the same for all its events, and the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source {
    topic: *const sys::rd_kafka_topic_t,
    pub(super) partition: i32,
}

/// A message borrowed from librdkafka.
#[derive(Clone, Copy)]
pub(super) struct Taken<'b> {
    message: &'b sys::rd_kafka_message_t,
}

impl<'c> Batch<'c> {
    /// The queue of a consumer; at most `most` messages are taken at once.
    pub(super) fn of<C: ConsumerContext>(consumer: &'c BaseConsumer<C>, most: usize) -> Option<Self> {
        // SAFETY: the client lives as long as `consumer`, which `'c` borrows; the queue is our own reference.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        (!queue.is_null()).then(|| Self { queue, taken: Vec::with_capacity(most), most, consumer: PhantomData })
    }

    /// Frees the batch at hand and takes the next one: waits for its first event at most `wait`, for no other.
    ///
    /// librdkafka itself would wait until the array is full, so the first is taken alone.
    pub(super) fn take(&mut self, wait: Duration) {
        self.clear();
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        if self.take_up_to(1, wait_ms) == 1 {
            self.take_up_to(self.most - 1, 0);
        }
    }

    fn take_up_to(&mut self, most: usize, wait_ms: i32) -> usize {
        self.taken.reserve(most);
        let filled = self.taken.len();
        // SAFETY: `reserve` made room for `most` pointers behind those filled; librdkafka initialises as many as it
        // returns, each of them ours to free.
        unsafe {
            let room = self.taken.as_mut_ptr().add(filled);
            let count = sys::rd_kafka_consume_batch_queue(self.queue, wait_ms, room, most);
            let count = usize::try_from(count).unwrap_or(0);
            self.taken.set_len(filled + count);
            count
        }
    }

    /// The events of the batch at hand, in their order.
    pub(super) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.taken.iter().map(|message| {
            // SAFETY: the message was given to us, is not freed while `self` is borrowed, and is never written to.
            let message = unsafe { &**message };
            event(message)
        })
    }

    /// The topic's name of an event of the batch at hand.
    pub(super) fn topic_name(&self, source: Source) -> String {
        debug_assert!(self.taken.iter().any(|m| {
            // SAFETY: as in `events`.
            ptr::eq(unsafe { (**m).rkt }, source.topic)
        }));
        // SAFETY: a message of the batch holds the topic's handle, whose name is a C string that lives with it.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(source.topic)) };
        name.to_string_lossy().into_owned()
    }

    fn clear(&mut self) {
        for message in self.taken.drain(..) {
            // SAFETY: each was given to us and is freed here only; nothing borrows it, for `self` is borrowed mutably.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: our own reference to the queue, let go once; the consumer is still there.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

fn event(message: &sys::rd_kafka_message_t) -> Event<'_> {
    let at = Source { topic: message.rkt, partition: message.partition };
    match RDKafkaErrorCode::from(message.err) {
        RDKafkaErrorCode::NoError => Event::Message(Taken { message }),
        RDKafkaErrorCode::PartitionEOF => Event::End { at, offset: message.offset },
        code => {
            // SAFETY: the string belongs to the message or is static; it is copied while the message lives.
            let text = unsafe { owned(sys::rd_kafka_message_errstr(message)) };
            let known = !message.rkt.is_null() && message.partition >= 0;
            Event::Failed { at: known.then_some(at), code, text }
        }
    }
}

impl<'b> Taken<'b> {
    pub(super) fn source(&self) -> Source {
        Source { topic: self.message.rkt, partition: self.message.partition }
    }

    pub(super) fn offset(&self) -> i64 {
        self.message.offset
    }

    pub(super) fn key(&self) -> Option<&'b [u8]> {
        // SAFETY: librdkafka gives a key's bytes and length, both alive and unchanged as long as the message.
        unsafe { bytes(self.message.key, self.message.key_len) }
    }

    pub(super) fn payload(&self) -> Option<&'b [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.message.payload, self.message.len) }
    }

    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives, and `kind` is written before the call returns.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.message, &mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0).then_some(ms)
    }
}

/// # Safety
/// Where `from` is not null, `length` bytes behind it must be alive and unchanged for `'b`.
unsafe fn bytes<'b>(from: *const std::ffi::c_void, length: usize) -> Option<&'b [u8]> {
    if from.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { slice::from_raw_parts(from.cast(), length) })
}

impl Headers for Taken<'_> {
    fn to_vec(&self) -> Vec<Header> {
        let mut headers = Vec::new();
        let mut list = ptr::null_mut();
        // SAFETY: the message lives; librdkafka parses its headers on the first call and keeps them with the message.
        // It does so without a lock, which is sound because a message is used by one thread (the type is not `Sync`).
        let found = unsafe { sys::rd_kafka_message_headers(self.message, &mut list) };
        if RDKafkaErrorCode::from(found) != RDKafkaErrorCode::NoError {
            return headers;
        }
        for index in 0.. {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: `list` belongs to the message; the three places are written when a header is there.
            let header = unsafe {
                let code = sys::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut length);
                if RDKafkaErrorCode::from(code) != RDKafkaErrorCode::NoError {
                    break;
                }
                (CStr::from_ptr(name).to_string_lossy().into_owned(), bytes(value, length).map(<[u8]>::to_vec))
            };
            headers.push(header);
        }
        headers
    }
}

/// The log lines of a client.
pub(super) struct Logs {
    queue: *mut sys::rd_kafka_queue_t,
}

// SAFETY: librdkafka's queues may be used from any thread and from several at once; a line is an event of its own.
unsafe impl Send for Logs {}
// SAFETY: as above.
unsafe impl Sync for Logs {}

impl Logs {
    /// Takes over the log lines of a consumer. Drop it before the consumer.
    pub(super) fn of<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        let client = consumer.client().native_ptr();
        // SAFETY: the client is alive; a new queue is never null, and the client keeps its own reference to it.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_new(client);
            sys::rd_kafka_set_log_queue(client, queue);
            queue
        };
        Self { queue }
    }

    /// The next line that waits: its level (syslog: 3 is an error, 4 a warning), its facility and its text.
    pub(super) fn next(&self) -> Option<(i32, String, String)> {
        loop {
            // SAFETY: the queue is ours; an event is ours to destroy, once; its strings are copied before.
            unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue, 0);
                if event.is_null() {
                    return None;
                }
                let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
                let found = sys::rd_kafka_event_log(event, &mut facility, &mut text, &mut level) == 0;
                let line = found.then(|| (level, owned(facility), owned(text)));
                sys::rd_kafka_event_destroy(event);
                if line.is_some() {
                    return line;
                }
            }
        }
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // SAFETY: our own reference, let go once; the consumer is still there, and later lines are thrown away.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

/// # Safety
/// `text` must be null or a C string that is alive.
unsafe fn owned(text: *const std::ffi::c_char) -> String {
    // SAFETY: the caller's promise.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}
