//! The topic, and the tables that Spark made of its messages.

use std::fmt::Write as _;
use std::sync::LazyLock;

use fixtures_harness::{
    Producer, Record, RestCatalog, S3Access, SparkStory, SparkTable, TopicSpec, kafka_cluster, minio, producer_config,
    unique_name, write_spark_tables,
};
use serde_json::{Value, json};

use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades;

const PARTITIONS: i64 = 3;
/// Messages of the topic: the same number in each partition.
pub const MESSAGES: i64 = 180;
/// Milliseconds since the epoch of the first trade, an hour before midnight: the trades are of two days.
const FIRST_MS: i64 = 1_723_158_000_000;

/// See the module.
pub struct Lake {
    /// The topic's name.
    pub topic: String,
    /// A table per story.
    pub tables: Vec<SparkTable>,
    catalog: RestCatalog,
    access: S3Access,
    // The exports.
    _folder: tempfile::TempDir,
}

/// The one lake of this process; `None` where there is no S3 server for it, which is then said.
pub fn lake() -> Option<&'static Lake> {
    static LAKE: LazyLock<Option<Lake>> = LazyLock::new(|| Some(make(minio()?.access().clone())));
    LAKE.as_ref()
}

fn make(access: S3Access) -> Lake {
    let cluster = kafka_cluster();
    let topic = unique_name("spark");
    good(cluster.create_topic(&TopicSpec::new(&topic, PARTITIONS as i32)));
    let payloads: Vec<Vec<u8>> = (0..MESSAGES).map(|id| message(id).to_string().into_bytes()).collect();
    let records: Vec<Record<'_>> = (0..MESSAGES)
        .zip(&payloads)
        .map(|(id, payload)| Record::new((id % PARTITIONS) as i32, None, Some(payload)))
        .collect();
    good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));

    let folder = fixtures_harness::scratch_dir("lake");
    let mut lines = String::new();
    for id in 0..MESSAGES {
        writeln!(lines, "{}", row(&topic, id)).expect("a string takes text");
    }
    let rows = folder.path().join("rows.jsonl");
    std::fs::write(&rows, lines).expect("a temporary folder takes files");
    let catalog = good(RestCatalog::on_s3(&access, "warehouse"));
    let tables = good(write_spark_tables(&catalog, Some(&access), &rows, folder.path(), &SparkStory::ALL));
    Lake { topic, tables, catalog, access, _folder: folder }
}

/// What the message of a trade says: text, whole and broken numbers, an instant, a day, a list and a map, each sometimes
/// null or empty.
fn message(id: i64) -> Value {
    let (unscaled, scale) = trades::price(id);
    let at = chrono::DateTime::from_timestamp_micros(FIRST_MS * 1_000 + id * 41_000_007).expect("a time of 2024");
    let leg = |number: i64| json!({"qty": id * number, "side": (number % 2 == 1).then_some("BUY")});
    let fee = |number: i64| (format!("fee {number}"), json!(format!("{number}.{:02}", id % 100)));
    json!({
        "id": id,
        "price": fixtures_kit::value::Number::new(unscaled, scale).text_at_scale(scale),
        "venue": trades::venue(id),
        "at": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "day": at.date_naive().to_string(),
        "weight": id as f64 / 7.0,
        "legs": (id % 6 != 5).then(|| (0..id % 4).map(leg).collect::<Vec<_>>()),
        "fees": (id % 7 != 6).then(|| (0..id % 3).map(fee).collect::<serde_json::Map<_, _>>()),
    })
}

/// The row that the message should be.
fn row(topic: &str, id: i64) -> Value {
    let mut row = message(id);
    let place = [("partition", id % PARTITIONS), ("offset", id / PARTITIONS), ("attempt", 0)];
    let fields = row.as_object_mut().expect("a message is an object");
    fields.insert("topic".to_owned(), json!(topic));
    fields.extend(place.map(|(name, number)| (name.to_owned(), json!(number))));
    row
}

impl Lake {
    /// A stage over the topic, with the tables in its catalog `foreign`.
    pub fn stage(&self) -> Stage {
        let S3Access { endpoint, access_key_id, secret_access_key, .. } = &self.access;
        let stage = Stage::new().with_kafka(kafka_cluster()).with_service(&format!(
            "[catalogs.foreign]\ntype = \"rest\"\nuri = {:?}\n[catalogs.foreign.storage]\n\
             \"s3.endpoint\" = {endpoint:?}\n\"s3.path-style-access\" = true\n\"s3.region\" = {:?}\n\
             \"s3.access-key-id\" = {access_key_id:?}\n\"s3.secret-access-key\" = {{ file = \"secret\" }}\n",
            self.catalog.uri(),
            S3Access::REGION,
        ));
        std::fs::write(stage.folder().join("secret"), secret_access_key).expect("a temporary folder takes files");
        stage
    }
}

/// The pipeline file of the topic into the story's table.
pub fn pipeline(topic: &str, story: SparkStory) -> String {
    format!(
        "[pipeline]\nname = \"trades\"\ntopic = {topic:?}\ntable = \"foreign.ns.{}\"\nformat = \"json\"\n\
         [identity]\nmode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n\
         [compare]\nignore = {{ attempt = \"which delivery of the sink it was\" }}\n",
        story.name()
    )
}
