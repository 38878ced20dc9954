//! Values of findings: read once for each time that a finding changes, and never again.

use std::fs;

use super::service::{run_until_idle, told};
use super::stage::{Stage, chapter, every_fault};

/// Sums of `findings=` in the lines of a log that say this.
fn findings_of(log: &str, said: &str) -> u64 {
    let lines = log.lines().filter(|line| line.contains(said));
    let number = |line: &str| {
        let (_, rest) = line.split_once("findings=")?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().ok()
    };
    lines.map(|line| number(line).unwrap_or_else(|| panic!("no number in {line}"))).sum()
}

#[test]
fn values_are_read_once_for_each_change_of_a_finding_and_then_the_run_is_idle() {
    let stage = Stage::new();
    let mut play = stage.begin(41, chapter(300, 7, every_fault()), 0);
    stage.block_on(async {
        play.finish_chapter().await.expect("a chapter is played");
        play.release(true).await.expect("what was held back is committed");
    });
    let log = || fs::read_to_string(stage.join("run.log")).expect("it talks");
    run_until_idle(stage.folder());
    let first = log();
    let (_, findings) = told(stage.folder(), &play.contract().name);
    let (read, changed) = (findings_of(&first, "reading the values"), findings_of(&first, "keeping: checkpoint "));
    assert!(read >= findings.len() as u64 / 2 && read <= changed, "{read} read, {changed} changed");
    // Nothing moves any more: nothing is asked for.
    run_until_idle(stage.folder());
    let all = log();
    let second = all.strip_prefix(&first).unwrap_or(&all);
    assert_eq!(findings_of(second, "reading the values"), 0, "{second}");
}
