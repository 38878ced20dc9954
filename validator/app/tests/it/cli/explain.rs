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
    assert_snapshot!(before_plans(&ran.all()), @"
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
    -- a run reads each message once: at most 3 messages of 2 partitions
    -- a run reads each row once: 3 rows in 2 files, 3.4 KiB
    -- both are summed by segment; segments whose sums differ are read again, message by message
    ");
    // It is SQL: `validator sql` takes it.
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    let select = ran.stdout.split("\n\n").nth(1).expect("the mapping comes second");
    let rows = run_arguments(
        folder.path(),
        &["sql", "--unmasked", "--format", "csv", &format!("{select}\nORDER BY 2, 3")],
        &[],
    );
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
    let lines: Vec<&str> = before_plans(&ran.stdout).lines().filter(|line| line.starts_with("--")).collect();
    assert_snapshot!(lines.join("\n"), @"
    -- identity: mode key, columns id; the table keeps the last version of each
    -- window: column at, every 1m, 64 shards a window
    -- null payload: excluded, cause tombstone
    -- a run reads each message once: at most 2 messages of 1 partition; of each key the last version counts
    -- a run reads each row once: 2 rows in 1 file, 732 B
    -- both are summed by segment; segments whose sums differ are read again, message by message
    ");
    let ran = validator(written(&scene).path(), "check --explain --offline pipeline.toml");
    assert_eq!(ran.exit, 2);
}

/// Names that are words of SQL, a type that SQL has no word for: what is printed can still be asked.
#[test]
fn what_is_explained_can_be_asked_whatever_the_names_and_types_are() {
    let folder = written(&Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2"));
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    let fields =
        "[fields]\norder = \"string\"\nfrom = \"decimal(18, 8)\"\n\n[map]\nid = '\"order\"'\nprice = '\"from\"'\n\n";
    folder.edit("pipeline.toml", "[identity]", &format!("{fields}[identity]"));
    let recording = std::fs::read_to_string(folder.join("topic.jsonl")).expect("it is there");
    let recording = recording.replace("\\\"id\\\"", "\\\"order\\\"").replace("\\\"price\\\"", "\\\"from\\\"");
    std::fs::write(folder.join("topic.jsonl"), recording).expect("the folder takes files");
    let ran = validator(folder.path(), "check --explain pipeline.toml");
    let select = ran.stdout.split("\n\n").nth(1).unwrap_or_else(|| panic!("{}", ran.all()));
    let rows = run_arguments(folder.path(), &["sql", "--format", "csv", &format!("{select}\nORDER BY 3")], &[]);
    assert_eq!((rows.exit, rows.stdout.lines().count()), (0, 3), "{select}\n{}", rows.all());
    assert!(rows.stdout.contains("a,1.00000000"), "{}", rows.all());
}

#[test]
fn the_plan_of_either_side_is_shown_node_by_node() {
    let ran = validator(written(&sound()).path(), "check --explain pipeline.toml");
    let (_, plans) = ran.stdout.split_once("-- plan of the messages\n").expect("the plans come last");
    let (messages, rows) = plans.split_once("-- plan of the rows\n").expect("that of the rows comes second");
    for (plan, nodes) in
        [(messages, &["AggregateExec", "BagExec", "MessageExec"][..]), (rows, &["AggregateExec", "SegmentExec"])]
    {
        let places: Vec<Option<usize>> = nodes.iter().map(|node| plan.find(node)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{plan}");
        assert!(plan.trim_end().lines().all(|line| line.starts_with("--   ")), "{plan}");
    }
    assert!(rows.contains("IcebergScanExec: table=lake.market.trades, files=2"), "{rows}");
}

/// What does not depend on the machine: the plans have as many streams as it has cores.
fn before_plans(text: &str) -> &str {
    text.split("-- plan of the messages").next().unwrap_or_default()
}
