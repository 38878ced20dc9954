//! Tables that Spark wrote through a REST catalog into S3, with position deletes of both granularities and deletion vectors:
//! they are read row for row as Spark itself exports them, a topic is proven against each, and what was damaged by hand is
//! found.
//!
//! One Spark process writes all tables, for all tests of this file.

mod lake;
mod rows;

use fixtures_harness::{SparkMoment, SparkStory, SparkTable};
use validator_app::Request;
use validator_app::config::SnapshotSelector;

use crate::real_kafka::facts::{summary, verdicts};
use lake::{Lake, MESSAGES, lake, pipeline};

/// Runs a check of each table, in a thread for each.
fn for_each_table(check: impl Fn(&Lake, &SparkTable) + Sync) {
    let Some(lake) = lake() else { return };
    let check = &check;
    std::thread::scope(|scope| {
        for table in &lake.tables {
            scope.spawn(move || check(lake, table));
        }
    });
}

fn at(moment: &SparkMoment) -> impl FnOnce(Request) -> Request {
    let id = moment.snapshot_id;
    move |request| Request { snapshot: Some(SnapshotSelector::Id(id)), ..request }
}

/// Live delete files by format.
fn formats(moment: &SparkMoment) -> Vec<&str> {
    moment.deletes.keys().map(String::as_str).collect()
}

#[test]
fn spark_wrote_the_deletes_that_the_stories_are_about() {
    for_each_table(|_, table| {
        let formats = [&table.sound, &table.damaged].map(formats);
        let expected: &[&str] = match table.story {
            SparkStory::DeletesByFile | SparkStory::DeletesByPartition => &["parquet"],
            SparkStory::DeletionVectors => &["puffin"],
            SparkStory::Upgraded => &["parquet", "puffin"],
        };
        assert_eq!(formats, [expected; 2], "{table:?}");
        assert!(table.sound.deletes.values().all(|(_, positions)| *positions > 20), "{table:?}");
    });
}

#[test]
fn each_table_is_read_row_for_row_as_spark_exports_it() {
    for_each_table(|lake, table| {
        let stage = lake.stage();
        let pipeline = pipeline(&lake.topic, table.story);
        for (moment, count) in [(&table.sound, MESSAGES), (&table.damaged, MESSAGES - 1)] {
            let exported = rows::exported(&moment.export);
            assert_eq!(exported.values().sum::<usize>() as i64, count, "{}", table.story.name());
            let read = rows::read(&stage, stage.prepare(&pipeline, at(moment)));
            rows::assert_same(table.story.name(), &read, &exported);
        }
    });
}

#[test]
fn a_topic_is_proven_against_each_table() {
    for_each_table(|lake, table| {
        let stage = lake.stage();
        let pipeline = pipeline(&lake.topic, table.story);
        let answer = stage.judge_as(&pipeline, at(&table.sound));
        let expected = format!("holds | consumed {MESSAGES}, intact {MESSAGES} | intact {MESSAGES}, total {MESSAGES}");
        assert_eq!(summary(&answer), expected, "{}: {:?}", table.story.name(), verdicts(&answer));
        assert_eq!(answer.report.warnings, [""; 0]);

        let ran = stage.run(&pipeline, &format!("reconcile pipeline.toml --snapshot {}", table.sound.snapshot_id), &[]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{}", ran.all());
        assert!(ran.stdout.starts_with("HOLDS  trades\n"), "{}", ran.all());
    });
}

#[test]
fn what_was_damaged_by_hand_is_found_and_nothing_else() {
    for_each_table(|lake, table| {
        let stage = lake.stage();
        let pipeline = pipeline(&lake.topic, table.story);
        let answer = stage.judge(&pipeline);
        let (intact, rows) = (MESSAGES - 3, MESSAGES - 1);
        assert_eq!(
            summary(&answer),
            format!(
                "breached | consumed {MESSAGES}, corrupted 2, intact {intact}, missing 1 \
                 | corrupted 2, intact {intact}, total {rows}"
            ),
            "{}",
            table.story.name()
        );
        assert_eq!(
            verdicts(&answer),
            [
                "corrupted sign_flip 0@8 [price 61837.87000024 → -61837.87000024 sign_flip]",
                "missing removed 1@17",
                "corrupted other 2@21 [venue null → elsewhere value_for_null]",
            ],
            "{}",
            table.story.name()
        );
        let ran = stage.run(&pipeline, "reconcile pipeline.toml", &[]);
        assert_eq!(ran.exit, 1, "{}", ran.all());
    });
}
