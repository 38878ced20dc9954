//! The fixtures themselves: what `reconcile` says of a table at the end of a play is what the truth of the play says.

use fixtures_kit::Truth;
use fixtures_warehouse::play::{Act, Play};

use super::answers::{assert_true, forget_removed, lines};
use super::stage::{Stage, chapter, every_fault};

/// Plays so many chapters without a pause, with an act after each.
fn play(stage: &Stage, play: &mut Play, acts: &[Act]) {
    for act in acts {
        stage.block_on(async {
            play.finish_chapter().await.expect("a chapter is played");
            play.step().await.expect("the next begins");
            play.act(*act).await.expect("an act is done");
        });
    }
    stage.block_on(async {
        play.finish_chapter().await.expect("a chapter is played");
        play.release(true).await.expect("what was held back is committed");
    });
}

/// Longer than everything that is waited for.
fn later_ms() -> i64 {
    chrono::Utc::now().timestamp_millis() + 60_000
}

#[test]
fn reconcile_says_of_a_play_what_its_truth_says() {
    let acts = [Act::Compact, Act::CompactLossy, Act::DeleteRows, Act::CompactDoubling, Act::Compact];
    for seed in 0..4 {
        let stage = Stage::new();
        let mut played = stage.begin(seed, chapter(200, 5, every_fault()), 20);
        play(&stage, &mut played, &acts);
        let world = played.world(later_ms());
        let truth = Truth::of(&world);
        assert!(truth.findings.len() > 30, "hardly anything went wrong: {}", truth.findings.len());
        let (report, findings) = stage.reconciled(&world);
        assert_true(&format!("seed {seed}"), &truth, &report, &lines(&findings));
    }
}

#[test]
fn a_table_that_was_set_back_expired_and_made_anew_is_read_as_its_truth_says() {
    let acts =
        [Act::RollBack, Act::Compact, Act::Expire(3), Act::RollBack, Act::Recreate, Act::Compact, Act::Expire(1)];
    for seed in 10..14 {
        let stage = Stage::new();
        let mut played = stage.begin(seed, chapter(200, 5, every_fault()), 20);
        play(&stage, &mut played, &acts);
        let world = played.world(later_ms());
        let mut truth = Truth::of(&world);
        let (mut report, findings) = stage.reconciled(&world);
        let mut findings = lines(&findings);
        forget_removed(&mut truth, &mut report, &mut findings);
        assert_true(&format!("seed {seed}"), &truth, &report, &findings);
    }
}
