//! Compressed recordings (interface, section 3): a run over them says what one over the plain file says.

use std::fs;
use std::io::Write as _;

use serde_json::Value as Json;

use super::recorded;
use crate::bad_input::written;
use crate::scene::{Folder, Scene};
use crate::transcript::{Ran, validator};

/// Members of gzip behind each other, cut at these bytes of the text.
fn gzip(text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let member = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(part).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    parts(text, cuts).into_iter().flat_map(member).collect()
}

/// Bytes of a block in a frame whose window is the smallest that there is.
const ZSTD_BLOCK_BYTES: usize = 1024;

/// Frames of zstd (RFC 8878) behind each other, cut likewise: of blocks as they are, each after a frame to be skipped.
fn zstd(text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let frame = |part: &[u8]| {
        let mut bytes = [&0x184D_2A50_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"any"].concat();
        bytes.extend(0xFD2F_B528_u32.to_le_bytes());
        bytes.extend([0, 0]);
        let blocks = part.chunks(ZSTD_BLOCK_BYTES).count();
        for (nth, block) in part.chunks(ZSTD_BLOCK_BYTES).enumerate() {
            let header = (block.len() as u32) << 3 | u32::from(nth + 1 == blocks);
            bytes.extend(&header.to_le_bytes()[..3]);
            bytes.extend(block);
        }
        bytes
    };
    parts(text, cuts).into_iter().flat_map(frame).collect()
}

fn parts<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let ends = cuts.iter().copied().chain([text.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(from, to)| &text[from..to]).collect()
}

fn reconcile(folder: &Folder, words: &str) -> Ran {
    let all =
        format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report r.json --findings f.jsonl {words}");
    validator(folder.path(), &all).assert_no_panic()
}

/// Exit, report without its times, findings.
fn said(folder: &Folder, words: &str) -> (i32, Json, String) {
    let ran = reconcile(folder, words);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|_| panic!("{}", ran.all()));
    let mut report: Json = serde_json::from_str(&read("r.json")).expect("JSON");
    for time in ["started_at", "finished_at", "elapsed_ms"] {
        report.as_object_mut().expect("a report").remove(time).expect("it is there");
    }
    (ran.exit, report, read("f.jsonl"))
}

/// Writes the recording in each form beside the plain one.
///
/// # Panics
/// When one of them says something else.
fn assert_alike(folder: &Folder, ranges: &[&str]) -> (i32, Json, String) {
    let text = fs::read(folder.join("topic.jsonl")).expect("the scene wrote it");
    let (third, half) = (text.len() / 3, text.len() / 2);
    let forms = [
        ("one.jsonl.gz", gzip(&text, &[])),
        ("more.jsonl.gz", gzip(&text, &[third, half])),
        ("one.jsonl.zst", zstd(&text, &[])),
        ("more.jsonl.zst", zstd(&text, &[third, half])),
    ];
    for (name, bytes) in &forms {
        fs::write(folder.join(name), bytes).expect("the folder takes files");
    }
    for range in ranges {
        let plain = said(folder, &format!("{range} --source topic.jsonl --envelope kcat"));
        for (name, _) in &forms {
            let compressed = said(folder, &format!("{range} --source {name} --envelope kcat"));
            assert_eq!(plain, compressed, "{range} {name}");
        }
    }
    said(folder, "--source more.jsonl.gz --envelope kcat")
}

const TOPIC: &str = r#"0@0 a 1 | 0@1 b 2 | 0@2/+60 c 3 | 0@3 null | 1@0 d 4 | 1@1/+60 {"id":"#;

#[test]
fn gzip_and_zstd_say_what_the_plain_recording_says() {
    let rows = "0@0 a 1 | 0@1 b 9 | 1@0 d 4 | 1@0 d 4 | 5@0 x 1";
    let ranges = ["", "--from 0:1,1:0 --to 0:3,1:1", "--from 2024-08-08T12:00:30Z", "--threads 1"];
    let (exit, report, findings) = assert_alike(&written(&Scene::offset().topic(TOPIC).file(rows)), &ranges);
    // a is intact, b corrupted, c on its way, d there twice; x is of no partition.
    let counts = ["intact", "corrupted", "overdue", "excluded", "duplicated", "undecodable"];
    assert_eq!(counts.map(|name| report["messages"][name].as_u64()), [Some(1); 6], "{report:#}");
    assert_eq!((exit, report["rows"]["phantom"].as_u64(), findings.lines().count()), (1, Some(1), 5));
    let rows = "a 1 | b 9 | d 4 | d 4 | x 1";
    for scene in [Scene::key(), Scene::content(), Scene::upsert()] {
        assert_alike(&written(&scene.topic(TOPIC).file(rows)), &[""]);
    }
}

#[test]
fn what_is_disputed_in_a_long_compressed_recording_is_found_again() {
    let message = |n: i64| format!("{}@{} k{n} {n}\n", n % 3, n / 3);
    let topic: String = (0..9_000).map(message).collect();
    let row = |n: i64| match n {
        17 | 8_200 => String::new(),
        4_500 => format!("{}@{} k{n} 0.5\n", n % 3, n / 3),
        n => message(n),
    };
    let rows: String = (0..9_000).map(row).collect();
    let folder = written(&Scene::offset().topic(&topic).file(&rows));
    let ranges = ["", "--from 0:100,1:2500,2:0 --to 0:2900,1:2800,2:1"];
    let (exit, report, findings) = assert_alike(&folder, &ranges);
    assert_eq!((exit, report["messages"]["missing"].as_u64(), findings.lines().count()), (1, Some(2), 3));
}

/// Forty lines of JSON, of which the eighth of each ten has id b, as `zstd -19` writes them.
const FORTY: &str = "28b52ffd64c00725020092030c11a0ed315b7cb3f7a84ee1db389c508903030a4ca37fff25e3980b7351c889751d93357858d7\
                     6d39f8acc1c9ba66ce3204003dcd103f1448817071a917abb6aaa000308729";

#[test]
fn lines_without_an_envelope_are_read_out_of_what_the_command_zstd_writes() {
    let id = |n: usize| if n % 10 == 7 { "b" } else { "a" };
    let line = |n| format!("{{\"id\": \"{}\", \"price\": \"1\", \"at\": \"2024-08-08T12:00:00Z\"}}\n", id(n));
    let text: String = (0..40).map(line).collect();
    let byte = |at: usize| u8::from_str_radix(&FORTY[at..at + 2], 16).expect("hexadecimal digits");
    let compressed: Vec<u8> = (0..FORTY.len()).step_by(2).map(byte).collect();
    // Three rows for the four messages of id b.
    let rows: Vec<String> = (0..39).map(|n| format!("{} 1", id(n))).filter(|row| row == "a 1").collect();
    let scene = Scene::content_plain().topic("0@0 x 1").file(&format!("{} | b 1 | b 1 | b 1 | a 1", rows.join("|")));
    let folder = recorded::written(&scene, "json");
    fs::write(folder.join("plain.jsonl"), &text).expect("the folder takes files");
    fs::write(folder.join("gzip.jsonl.gz"), gzip(text.as_bytes(), &[100])).expect("the folder takes files");
    fs::write(folder.join("zstd.jsonl.zst"), compressed).expect("the folder takes files");
    let [plain, gzip, zstd] = ["plain.jsonl", "gzip.jsonl.gz", "zstd.jsonl.zst"]
        .map(|name| said(&folder, &format!("--source {name} --envelope none")));
    assert_eq!((&plain, &plain), (&gzip, &zstd));
    let count = |name: &str| plain.1["messages"][name].as_u64();
    assert_eq!((plain.0, count("intact"), count("missing")), (1, Some(39), Some(1)), "{:#}", plain.1);
}

#[test]
fn a_compressed_recording_that_is_cut_is_refused_by_its_name() {
    let folder = written(&Scene::offset().topic(TOPIC).file("0@0 a 1"));
    let text = fs::read(folder.join("topic.jsonl")).expect("the scene wrote it");
    let cut = |bytes: Vec<u8>, by: usize| bytes[..bytes.len() - by].to_vec();
    for (name, bytes) in [
        ("a.jsonl.gz", cut(gzip(&text, &[]), 1)),
        ("b.jsonl.gz", cut(gzip(&text, &[40]), 60)),
        ("c.jsonl.zst", cut(zstd(&text, &[]), 1)),
        ("d.jsonl.zst", cut(zstd(&text, &[40]), 60)),
        ("e.jsonl.gz", text.clone()),
        ("f.jsonl.zst", text.clone()),
    ] {
        fs::write(folder.join(name), bytes).expect("the folder takes files");
        let ran = reconcile(&folder, &format!("--source {name} --envelope kcat"));
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.all());
        assert!(ran.stderr.starts_with("error: open the topic\n") && ran.stderr.contains(name), "{}", ran.all());
        assert!(!folder.join("r.json").exists(), "{name}");
    }
}
