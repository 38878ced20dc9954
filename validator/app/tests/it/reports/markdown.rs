//! The summary for a CI server.

use validator_app::Answer;
use validator_app::report::markdown;

use super::{again, damaged, shown, sound};
use crate::scene::Scene;

fn summary(answer: &Answer) -> String {
    let text = markdown(&shown(answer, &again()));
    // Paths of files differ from run to run.
    let words = text.split('`').map(|span| match span.rsplit_once("/data/") {
        Some((_, file)) => file,
        None => span,
    });
    words.collect::<Vec<_>>().join("`")
}

#[test]
fn a_summary_of_a_breached_run() {
    insta::assert_snapshot!(summary(&damaged().answer()));
}

#[test]
fn a_summary_of_a_run_that_holds_and_of_an_unjudged_one() {
    insta::assert_snapshot!(summary(&sound().answer()));
    insta::assert_snapshot!(summary(&Scene::offset().topic("0@0 a 1").answer()));
}
