//! Known sinks and the columns in which they keep topic, partition, offset and timestamp of a message.
//!
//! A profile names columns; it does not vouch for them. Whether the offsets are real is verified on the data.
//! Sources: Apache Iceberg `KafkaMetadataTransform`; Redpanda "Query Iceberg Topics"; AutoMQ `RecordAssembler`; the
//! metadata columns of Spark's and Flink's Kafka sources; the bronze tables of the K2 market data platform.

use thiserror::Error;
use validator_core::contract::Identity;
use validator_core::schema::Schema;

/// A known sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Kafka Connect with `KafkaMetadataTransform`: flat columns or one struct.
    KafkaConnect,
    /// Redpanda Iceberg topics.
    Redpanda,
    /// AutoMQ table topics.
    AutoMq,
    /// Spark Structured Streaming with the columns of its Kafka source.
    Spark,
    /// Flink with the metadata columns of its Kafka source.
    Flink,
    /// The K2 bronze tables.
    K2Bronze,
}

/// The columns of one layout: topic, partition, offset, timestamp.
struct Layout {
    topic: Option<&'static str>,
    partition: &'static str,
    offset: &'static str,
    timestamp: &'static str,
}

/// Why a profile does not fit a table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the table has no column `{}`", looked_for.join("`, nor `"))]
pub struct ProfileMismatch {
    /// The first column of each layout that is not there.
    pub looked_for: Vec<String>,
}

/// The words of `profile = "…"`.
pub const PROFILES: [(&str, Profile); 6] = [
    ("kafka-connect", Profile::KafkaConnect),
    ("redpanda", Profile::Redpanda),
    ("automq", Profile::AutoMq),
    ("spark", Profile::Spark),
    ("flink", Profile::Flink),
    ("k2-bronze", Profile::K2Bronze),
];

const CONNECT_FLAT: Layout = Layout {
    topic: Some("_kafka_metadata_topic"),
    partition: "_kafka_metadata_partition",
    offset: "_kafka_metadata_offset",
    timestamp: "_kafka_metadata_timestamp",
};
const CONNECT_NESTED: Layout = Layout {
    topic: Some("_kafka_metadata.topic"),
    partition: "_kafka_metadata.partition",
    offset: "_kafka_metadata.offset",
    timestamp: "_kafka_metadata.timestamp",
};
const REDPANDA: Layout =
    Layout { topic: None, partition: "redpanda.partition", offset: "redpanda.offset", timestamp: "redpanda.timestamp" };
const AUTOMQ: Layout = Layout { topic: None, ..CONNECT_NESTED };
const PLAIN: Layout = Layout { topic: Some("topic"), partition: "partition", offset: "offset", timestamp: "timestamp" };
const K2_BRONZE: Layout = Layout { timestamp: "kafka_timestamp", ..PLAIN };

impl Profile {
    /// The profile's word.
    pub fn name(self) -> &'static str {
        PROFILES.iter().find(|(_, profile)| *profile == self).map_or("", |(name, _)| name)
    }

    fn layouts(self) -> &'static [Layout] {
        match self {
            Self::KafkaConnect => &[CONNECT_FLAT, CONNECT_NESTED],
            Self::Redpanda => &[REDPANDA],
            Self::AutoMq => &[AUTOMQ],
            Self::Spark | Self::Flink => &[PLAIN],
            Self::K2Bronze => &[K2_BRONZE],
        }
    }

    /// The identity before the table is known: the profile's first layout, whole.
    pub fn expected(self, width: u64) -> Identity {
        identity(&self.layouts()[0], width, true)
    }

    /// The identity in this table: the first layout whose columns it has. The timestamp column may be absent.
    ///
    /// # Errors
    /// The table has none of the layouts.
    pub fn resolve(self, schema: &Schema, width: u64) -> Result<Identity, ProfileMismatch> {
        let mut looked_for = Vec::new();
        for layout in self.layouts() {
            let columns = [layout.topic, Some(layout.partition), Some(layout.offset)];
            match columns.into_iter().flatten().find(|column| schema.field_at(column).is_none()) {
                None => return Ok(identity(layout, width, schema.field_at(layout.timestamp).is_some())),
                Some(absent) => looked_for.push(absent.to_owned()),
            }
        }
        Err(ProfileMismatch { looked_for })
    }
}

fn identity(layout: &Layout, width: u64, timestamp: bool) -> Identity {
    Identity::Offset {
        topic: layout.topic.map(str::to_owned),
        partition: Some(layout.partition.to_owned()),
        offset: layout.offset.to_owned(),
        timestamp: timestamp.then(|| layout.timestamp.to_owned()),
        width,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use validator_core::schema::{Field, Type};

    fn schema(columns: &[&str]) -> Schema {
        Schema::new(columns.iter().map(|name| Field::new(1, *name, false, Type::Long)).collect())
    }

    fn offset_of(identity: &Identity) -> (Option<&str>, &str, Option<&str>) {
        let Identity::Offset { topic, offset, timestamp, .. } = identity else { panic!("not offset mode") };
        (topic.as_deref(), offset, timestamp.as_deref())
    }

    #[test]
    fn kafka_connect_is_flat_or_nested_as_the_table_is() {
        let flat = schema(&["_kafka_metadata_topic", "_kafka_metadata_partition", "_kafka_metadata_offset"]);
        let found = Profile::KafkaConnect.resolve(&flat, 8).expect("the layout is there");
        assert_eq!(offset_of(&found), (Some("_kafka_metadata_topic"), "_kafka_metadata_offset", None));

        let fields = ["topic", "partition", "offset", "timestamp"];
        let inner = fields.iter().map(|name| Field::new(2, *name, false, Type::Long)).collect();
        let nested = Schema::new(vec![Field::new(1, "_kafka_metadata", false, Type::Struct(inner))]);
        let found = Profile::KafkaConnect.resolve(&nested, 8).expect("the layout is there");
        let expected = (Some("_kafka_metadata.topic"), "_kafka_metadata.offset", Some("_kafka_metadata.timestamp"));
        assert_eq!(offset_of(&found), expected);
        let found = Profile::AutoMq.resolve(&nested, 8).expect("the layout is there");
        assert_eq!(offset_of(&found), (None, "_kafka_metadata.offset", Some("_kafka_metadata.timestamp")));
    }

    #[test]
    fn a_table_without_the_columns_is_refused_by_their_names() {
        let table = schema(&["_kafka_metadata_topic", "price"]);
        let error = Profile::KafkaConnect.resolve(&table, 8).expect_err("no layout fits");
        let expected = "the table has no column `_kafka_metadata_partition`, nor `_kafka_metadata.topic`";
        assert_eq!(error.to_string(), expected);
        assert!(Profile::Spark.resolve(&table, 8).is_err());
    }

    #[test]
    fn every_profile_has_its_word() {
        for (name, profile) in PROFILES {
            assert_eq!(profile.name(), name);
        }
    }
}
