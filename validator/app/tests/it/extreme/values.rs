//! Values of ten megabytes.

use super::{judged, written};
use crate::scene::Scene;

const BYTES: usize = 10_000_000;

/// A text of ten megabytes that ends in `end`.
fn long(end: &str) -> String {
    let mut text = "0123456789-é".repeat(BYTES / 13);
    text.extend(std::iter::repeat_n('x', BYTES - text.len() - end.len()));
    text + end
}

#[test]
fn values_of_ten_megabytes_are_judged_to_their_last_byte() {
    let (sound, other) = (long("a"), long("b"));
    let cut = &sound[..BYTES - 1];
    let message = |offset: i64| format!("0@{offset} {sound} 1");
    let mut scene = Scene::offset();
    for offset in 0..5 {
        scene = scene.topic(&message(offset));
    }
    let scene = scene.file(&format!("0@0 {sound} 1 | 0@1 {sound} 1 | 0@2 {other} 1 | 0@3 {cut} 1 | 0@4 {sound} 1"));
    let judged = judged(written(&scene).path());
    assert_eq!(judged.counts(), "consumed 5, corrupted 2, intact 3 | corrupted 2, intact 3, total 5");
    let damages: Vec<String> = judged
        .findings
        .iter()
        .map(|finding| format!("{} {}", finding["offset"], finding["columns"][0]["damage"]))
        .collect();
    assert_eq!(damages, ["2 \"bit_flip\"", "3 \"truncated\""]);
    assert!(judged.mib < 1_000, "{} MiB for values of 10 MB", judged.mib);
}
