//! Everything is wrong: all rows lost, all damaged, all there twice. Memory does not grow with it, and nothing goes uncounted.

use std::fmt::Write as _;

use super::{Judged, judged, written};
use crate::scene::Scene;

const FEW: u64 = 100_000;
const MANY: u64 = 250_000;
/// What 150,000 more may take: entries, values and slips up to their bounds. Their drafts and findings, held to the end,
/// would take 200 MiB beside.
const MORE_MIB_MAX: u64 = 270;

/// A topic of so many messages, and for each the rows that `rows` gives.
fn run(count: u64, rows: fn(u64) -> String) -> Judged {
    let (mut topic, mut file) = (String::new(), String::new());
    for offset in 0..count {
        let bar = if offset == 0 { "" } else { "|" };
        write!(topic, "{bar}0@{offset} {offset} 1").expect("a string takes text");
        file += &rows(offset);
    }
    judged(written(&Scene::offset().topic(&topic).file(file.trim_end_matches('|'))).path())
}

fn assert_bounded(few: &Judged, many: &Judged) {
    assert!(many.mib < few.mib + MORE_MIB_MAX, "{} MiB for {FEW}, {} MiB for {MANY}", few.mib, many.mib);
    assert_eq!(many.report["findings"]["total"].as_u64(), Some(many.findings.len() as u64));
    let offsets: Vec<u64> = many.findings.iter().filter_map(|finding| finding["offset"].as_u64()).collect();
    assert!(offsets.is_sorted() && offsets.len() == many.findings.len(), "findings stand in the order of messages");
}

#[test]
fn that_every_row_is_damaged_takes_no_more_memory() {
    let rows = |offset: u64| format!("0@{offset} {offset} 2|");
    let (few, many) = (run(FEW, rows), run(MANY, rows));
    assert_eq!(many.counts(), format!("consumed {MANY}, corrupted {MANY} | corrupted {MANY}, total {MANY}"));
    assert_bounded(&few, &many);
    let last = many.findings.last().expect("there are findings");
    assert_eq!((&last["offset"], &last["columns"][0]["row"]), (&(MANY - 1).into(), &"2".into()), "{last}");
}

#[test]
fn that_every_row_but_one_is_lost_takes_no_more_memory() {
    let rows = |offset: u64| if offset == 7 { format!("0@{offset} {offset} 1|") } else { String::new() };
    let (few, many) = (run(FEW, rows), run(MANY, rows));
    let without = MANY - 1;
    // The table has moved past what stands before its one row; the rest is given up a day later only.
    let counts = format!("consumed {MANY}, intact 1, missing 7, overdue {} | intact 1, total 1", without - 7);
    assert_eq!(many.counts(), counts);
    assert_bounded(&few, &many);
}

#[test]
fn that_every_row_is_there_twice_takes_no_more_memory() {
    let rows = |offset: u64| format!("0@{offset} {offset} 1|0@{offset} {offset} 1|");
    let (few, many) = (run(FEW, rows), run(MANY, rows));
    let copies = 2 * MANY;
    assert_eq!(many.counts(), format!("consumed {MANY}, duplicated {MANY} | copies {copies}, total {copies}"));
    assert_bounded(&few, &many);
}
