//! What brokers say of topics: whether they are there, which they are, and their partitions.
//!
//! rdkafka has no call for it, and a topic's name does not say whether it is the one that was followed: one that was deleted
//! and made again has other messages at the same offsets. Contract: what librdkafka gives is freed exactly once, by the
//! guards below; names are copied before.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

/// The number by which a cluster tells topics of one name apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicId(pub(super) i64, pub(super) i64);

/// One topic.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) is: Result<TopicIs, RDKafkaErrorCode>,
}

/// A topic that is there.
#[derive(Debug)]
pub(super) struct TopicIs {
    /// None: the brokers number no topics (before Kafka 2.8).
    pub(super) id: Option<TopicId>,
    pub(super) partitions: Vec<i32>,
}

/// Asks one broker for topics, each named once. Blocks for `timeout` at most.
pub(super) fn describe<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[&str],
    broker: i32,
    timeout: Duration,
) -> Result<Vec<Described>, String> {
    let client = consumer.client().native_ptr();
    let names: Vec<CString> = topics.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let wait_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
    // SAFETY: the client lives as long as `consumer`. Names, options and the collection outlive the call, which copies them;
    // each guard owns what was made for it. The result belongs to the event, and the event lives until this returns.
    unsafe {
        let queue = Queue(sys::rd_kafka_queue_new(client));
        let collection =
            Collection(sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()));
        let options =
            Options(sys::rd_kafka_AdminOptions_new(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS));
        let mut text = [0; 256];
        sys::rd_kafka_AdminOptions_set_request_timeout(options.0, wait_ms, text.as_mut_ptr(), text.len());
        sys::rd_kafka_AdminOptions_set_broker(options.0, broker, text.as_mut_ptr(), text.len());
        sys::rd_kafka_DescribeTopics(client, collection.0, options.0, queue.0);
        let event = sys::rd_kafka_queue_poll(queue.0, wait_ms);
        if event.is_null() {
            return Err(format!("broker {broker} did not describe topics in time"));
        }
        let event = Told(event);
        if RDKafkaErrorCode::from(sys::rd_kafka_event_error(event.0)) != RDKafkaErrorCode::NoError {
            return Err(copied(sys::rd_kafka_event_error_string(event.0)));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
        if result.is_null() {
            return Err("the client gave another answer".to_owned());
        }
        let mut count = 0;
        let found = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        Ok((0..count).map(|index| described(*found.add(index))).collect())
    }
}

/// # Safety
/// `topic` must be alive.
unsafe fn described(topic: *const sys::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: the caller's promise; what it points to lives as long, and is copied.
    unsafe {
        let name = copied(sys::rd_kafka_TopicDescription_name(topic));
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            let code = RDKafkaErrorCode::from(sys::rd_kafka_error_code(error));
            if code != RDKafkaErrorCode::NoError {
                return Described { name, is: Err(code) };
            }
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let id = (!id.is_null()).then(|| {
            TopicId(sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id))
        });
        let mut count = 0;
        let found = sys::rd_kafka_TopicDescription_partitions(topic, &mut count);
        let partitions = (0..count).map(|index| sys::rd_kafka_TopicPartitionInfo_partition(*found.add(index)));
        Described {
            name,
            is: Ok(TopicIs { id: id.filter(|id| *id != TopicId(0, 0)), partitions: partitions.collect() }),
        }
    }
}

/// # Safety
/// `text` must be null or a C string that is alive.
unsafe fn copied(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}

/// Guards: what each owns is let go once, when it is dropped.
struct Queue(*mut sys::rd_kafka_queue_t);
struct Collection(*mut sys::rd_kafka_TopicCollection_t);
struct Options(*mut sys::rd_kafka_AdminOptions_t);
struct Told(*mut sys::rd_kafka_event_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: our own reference; the client outlives the guard.
        unsafe { sys::rd_kafka_queue_destroy(self.0) };
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        // SAFETY: made for this guard.
        unsafe { sys::rd_kafka_TopicCollection_destroy(self.0) };
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: made for this guard.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0) };
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // SAFETY: an event is the poller's to destroy.
        unsafe { sys::rd_kafka_event_destroy(self.0) };
    }
}
