//! Why a source could not be opened or read.

use std::path::PathBuf;
use std::sync::Arc;

use validator_core::contract::{Envelope, Format};
use validator_core::position::TopicPartition;

/// A failure of the source itself, never of one message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// No broker answered in time.
    #[error("no broker of {brokers} answered within {seconds} s: {last}")]
    BrokersUnreachable {
        /// The brokers asked.
        brokers: String,
        /// The time given to them.
        seconds: u64,
        /// What the client last said.
        last: String,
    },
    /// The topic does not exist.
    #[error("topic {topic} does not exist")]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// No topic has a name that the pattern matches.
    #[error("no topic matches {pattern} (the brokers show {there} topics)")]
    NoTopicMatches {
        /// The pattern.
        pattern: String,
        /// How many topics there are.
        there: usize,
    },
    /// What begins as a pattern is none.
    #[error("`{pattern}` is no pattern of topics: {why}")]
    BadPattern {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The topic was deleted and made again.
    #[error("topic {topic} is not the one that was followed: it was deleted and made again")]
    TopicRecreated {
        /// The topic.
        topic: String,
    },
    /// The group has this process as a member no longer.
    #[error("this process is no member of the fleet's group any more: {what}")]
    MemberReplaced {
        /// As the group says it.
        what: String,
    },
    /// The brokers do not let us into the group of the fleet.
    #[error("the fleet's group {group} may not be joined by this user, who has no right to READ it")]
    GroupForbidden {
        /// The group.
        group: String,
    },
    /// The log was cut below what was read of it, and has grown again.
    #[error(
        "{tp} was cut below offset {position}, up to which it was read, and has grown since: other messages have its offsets"
    )]
    LogRegrown {
        /// The partition.
        tp: TopicPartition,
        /// The offset that was to come.
        position: i64,
    },
    /// The log ends before what was read of it: it was cut, or is another one.
    #[error("{tp} ends at offset {end}, and was read up to {position}: its log was cut, or is another one")]
    LogCut {
        /// The partition.
        tp: TopicPartition,
        /// The offset that was to come.
        position: i64,
        /// One past its last one now.
        end: i64,
    },
    /// The brokers do not let us read the topic.
    #[error("topic {topic} may not be read by this user, who has no right to {right} it")]
    TopicForbidden {
        /// The topic.
        topic: String,
        /// The operation that was refused, in Kafka's word.
        right: &'static str,
    },
    /// The brokers do not let us write the repair topic.
    #[error("topic {topic} may not be written by this user, who has no right to WRITE it")]
    WriteForbidden {
        /// The topic.
        topic: String,
    },
    /// A replay into a topic that messages come from.
    #[error("topic {topic} is a source of messages: nothing is written to it")]
    WritesToSource {
        /// The topic.
        topic: String,
    },
    /// A message of a replay.
    #[error("{tp}@{offset} is not written: {what}")]
    NotWritten {
        /// The partition that it is of.
        tp: TopicPartition,
        /// Its offset there.
        offset: i64,
        /// Why not.
        what: String,
    },
    /// A property that the tap must set itself.
    #[error("the Kafka property {name} is set by the validator, which must not commit, write or skip: leave it out")]
    ReservedProperty {
        /// The property.
        name: String,
    },
    /// A property that librdkafka refuses.
    #[error("the Kafka property {name} is refused: {what}")]
    Property {
        /// The property.
        name: String,
        /// Why.
        what: String,
    },
    /// The Kafka client itself failed.
    #[error("the Kafka client failed: {what}")]
    Client {
        /// What it said.
        what: String,
    },
    /// A partition cannot be read on.
    #[error("{tp} cannot be read on at offset {position}: {what}")]
    Unreadable {
        /// The partition.
        tp: TopicPartition,
        /// The offset that was to come.
        position: i64,
        /// What the client said.
        what: String,
    },
    /// The look for the reasons of holes failed.
    #[error("find out why offsets hold no message")]
    Unexplained {
        /// What failed.
        source: Arc<TapError>,
    },
    /// A bound names a partition that the topic does not have.
    #[error("topic {topic} has no partition {partition}: it has {count}")]
    PartitionMissing {
        /// The topic.
        topic: String,
        /// The partition named.
        partition: i32,
        /// Partitions of the topic.
        count: usize,
    },
    /// The range of a partition ends before it begins.
    #[error("--from lies behind --to: in {tp} it begins at offset {from} and ends before {to}")]
    RangeReversed {
        /// The partition.
        tp: TopicPartition,
        /// The offset of `--from`.
        from: i64,
        /// The offset of `--to`.
        to: i64,
    },
    /// Nothing arrived for too long.
    #[error("no progress in {tp} at offset {position} for {seconds} s: {last}")]
    Stalled {
        /// The partition.
        tp: TopicPartition,
        /// The offset that was to come.
        position: i64,
        /// The time without progress.
        seconds: u64,
        /// What the client last said.
        last: String,
    },
    /// A recorded file cannot be opened or read.
    #[error("read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A glob is malformed.
    #[error("the pattern {pattern} of recorded files is malformed")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// A glob finds nothing.
    #[error("no recorded file matches {pattern}")]
    NoFiles {
        /// The pattern.
        pattern: String,
    },
    /// More files than can be indexed.
    #[error("{count} recorded files are more than {limit}")]
    TooManyFiles {
        /// Files found.
        count: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The file's name says another kind of file than the envelope.
    #[error("{path} does not hold messages so: {}", where_messages_lie(*.envelope, *.format))]
    EnvelopeMismatch {
        /// The file.
        path: PathBuf,
        /// The envelope that was asked for.
        envelope: Envelope,
        /// The format of the messages.
        format: Format,
    },
    /// Lines of `kcat -J` that were asked for as messages.
    #[error("{path} is a recording of `kcat -J`: its lines hold messages, and are none themselves")]
    RecordedByKcat {
        /// The file.
        path: PathBuf,
    },
    /// None of the topics occurs in the recording.
    #[error("topic {topics} is not recorded: the files hold {there}")]
    TopicNotRecorded {
        /// The topics asked for.
        topics: String,
        /// The topics there are.
        there: String,
    },
    /// A recorded line or row does not say which message it is.
    #[error("{path}, line {line}: {what}")]
    Record {
        /// The file.
        path: PathBuf,
        /// 1-based line or row.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A recorded Parquet file cannot be read.
    #[error("read {path}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// Messages out of order where they cannot be sorted.
    #[error("{path} holds {tp} out of order: only plain JSON lines can be sorted, decompress or sort the file")]
    OutOfOrder {
        /// The file.
        path: PathBuf,
        /// The partition.
        tp: TopicPartition,
    },
    /// Too many messages to sort.
    #[error("more than {limit} recorded messages lie out of order: sort the files by topic, partition and offset")]
    TooDisordered {
        /// The most there may be.
        limit: usize,
    },
    /// Two different messages at one offset.
    #[error("{path}, line {line}: another message is recorded at {tp} offset {offset}")]
    Contradiction {
        /// The file of the second one.
        path: PathBuf,
        /// Its 1-based line.
        line: u64,
        /// The partition.
        tp: TopicPartition,
        /// The offset of both.
        offset: i64,
    },
    /// The batch in a decoder is full.
    #[error("the batch holds over {limit} bytes of payloads: finish it before")]
    BatchFull {
        /// The most it may hold.
        limit: usize,
    },
    /// A schema file holds no schema.
    #[error("{path} is no Avro schema: {what}")]
    SchemaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The client of the schema registry cannot be set up.
    #[error("set up the client of the schema registry: {what}")]
    RegistryClient {
        /// What is wrong.
        what: String,
    },
    /// The schema registry gave no answer, however often it was asked.
    #[error("the schema registry gave no answer for {url} in {seconds} s and {attempts} attempts: {last}")]
    RegistryUnreachable {
        /// The question.
        url: String,
        /// The time that was given to it.
        seconds: u64,
        /// Times it was asked.
        attempts: u32,
        /// What happened last.
        last: String,
    },
    /// The schema registry refuses to answer: 401, 403 and the like.
    #[error("the schema registry refuses {url}: {status}")]
    RegistryRefused {
        /// The question.
        url: String,
        /// The HTTP status.
        status: String,
    },
    /// The schema registry's answer is not what its interface says.
    #[error("the answer of the schema registry for {url} cannot be read: {what}")]
    RegistryAnswer {
        /// The question.
        url: String,
        /// What is wrong.
        what: String,
    },
}

/// In what files messages of a format lie, by envelope.
fn where_messages_lie(envelope: Envelope, format: Format) -> &'static str {
    match (envelope, format) {
        (Envelope::Table, _) => "envelope table is Parquet with topic, partition, offset, key and value (.parquet)",
        (Envelope::Kcat, _) => "envelope kcat is lines of `kcat -J` (.gz and .zst too)",
        (Envelope::None, Format::Avro) => "envelope none with format avro is Avro container files (.avro)",
        (Envelope::None, Format::Parquet) => "envelope none with format parquet is Parquet files (.parquet)",
        (Envelope::None, _) => "envelope none is one message a line (.gz and .zst too)",
    }
}
