//! `check --explain`: the mapping as SQL, and the plan.

use insta::assert_snapshot;

use super::{sound, written};
use crate::scene::Scene;
use crate::transcript::{run_arguments, validator};

#[test]
fn a_contract_is_explained_as_sql() {
    let folder = written(&sound());
    folder.edit(
        "pipeline.toml",
        "[source]",
        "[compare]\ndrop = { venue = \"not kept\" }\ntolerate = { id = \"trim\" }\nmask = [\"price\"]\n\n[source]",
    );
    folder.edit(
        "pipeline.toml",
        "[identity]",
        "filter = \"id <> 'x'\"\n\n[fields]\nq = \"decimal(18, 8)\"\n\n[map]\nprice = \"round(q, 8)\"\n\n[identity]",
    );
    folder.edit("pipeline.toml", "format = \"json\"\n\n", "format = \"json\"\n");
    let recording = std::fs::read_to_string(folder.join("topic.jsonl")).expect("it is there");
    std::fs::write(folder.join("topic.jsonl"), recording.replace("price", "q")).expect("the folder takes files");
    let ran = validator(folder.path(), "check --explain pipeline.toml");
    assert_snapshot!(ran.all(), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 3 messages

    SELECT
      _topic AS topic,          -- the message's position
      _partition AS partition,  -- the message's position
      _offset AS offset,        -- the message's position
      id,                       -- by name: a field of string
      round(q, 8) AS price,     -- [map]
      at                        -- by name: a field of timestamptz
    FROM source.trades
    WHERE id <> 'x'  -- filter: what it does not keep is excluded
    -- identity: mode offset, columns topic, partition, offset; 4,096 offsets a segment
    -- null payload: excluded, cause tombstone
    -- dropped field venue: not kept
    -- tolerated in id: trim
    -- values that nobody is shown: price

    -- plan of the messages
    AggregateExec: mode=Final, gby=[segment_kind@0 as segment_kind, segment_number@1 as segment_number], aggr=[bag, offset_max]
      CoalescePartitionsExec
        AggregateExec: mode=Partial, gby=[segment_kind@0 as segment_kind, segment_number@1 as segment_number], aggr=[bag, offset_max]
          BagExec: side=Message, files=None
            MessageExec: topic partitions=2

    -- plan of the rows
    AggregateExec: mode=Final, gby=[segment_kind@0 as segment_kind, segment_number@1 as segment_number, files@2 as files], aggr=[bag, late]
      CoalescePartitionsExec
        AggregateExec: mode=Partial, gby=[segment_kind@0 as segment_kind, segment_number@1 as segment_number, files@2 as files], aggr=[bag, late]
          BagExec: side=Row, files=Each(10)
            SegmentExec
              IcebergScanExec: table=lake.market.trades, files=2
    ");
    // It is SQL: `validator sql` takes it.
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    let select = ran.stdout.split("\n\n").nth(1).expect("the mapping comes second");
    let rows = run_arguments(folder.path(), &["sql", "--format", "csv", &format!("{select}\nORDER BY 2, 3")], &[]);
    assert_snapshot!(rows.all(), @"
    exit 0
    --- stdout
    topic,partition,offset,id,price,at
    trades,0,0,a,1.00000000,2024-08-08T12:00:00.000000Z
    trades,0,1,b,2.00000000,2024-08-08T12:00:00.000000Z
    trades,1,0,c,3.00000000,2024-08-08T12:00:00.000000Z
    ");
}

#[test]
fn the_window_and_the_versions_of_keys_are_explained() {
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 b 2").file("a 1 | b 2");
    let ran = validator(written(&scene).path(), "check --explain pipeline.toml");
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("--")).collect();
    assert_snapshot!(lines.join("\n"), @"
    -- identity: mode key, columns id; the table keeps the last version of each
    -- window: column at, every 1m, 64 shards a window
    -- null payload: excluded, cause tombstone
    -- plan of the messages
    -- plan of the rows
    ");
    let ran = validator(written(&scene).path(), "check --explain --offline pipeline.toml");
    assert_eq!(ran.exit, 2);
}
