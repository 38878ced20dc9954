//! **Pairing**, Precedence: excluded > paired > diverted > undecodable > unobservable > pending, overdue, missing. Of dead
//! letters in a topic.

use crate::scene::letters::DLQ;
use crate::scene::{Scene, alike};

#[test]
fn a_message_without_a_row_that_is_in_the_dead_letters_is_diverted() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4 | 1@1 e 5");
    let scene = scene.file("0@0 a 1 | 0@3 d 4 | 1@1 e 5").letters("0@1").with_dlq();
    assert_says(&scene, &["rows 3: 3 intact", "diverted trades[0]@1", "missing lost trades[0]@2"]);
}

#[test]
fn what_is_not_due_yet_and_what_the_table_has_not_passed_is_diverted_too() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1/+7199 b 2 | 0@2/+7199 c 3").file("0@0 a 1");
    let scene = scene.letters("0@1").with_dlq().fidelity("settle = \"1h\"");
    assert_says(&scene, &["messages 3: 1 diverted, 1 intact, 1 pending", "diverted trades[0]@1"]);
}

#[test]
fn a_message_with_a_row_has_the_verdict_of_its_row_and_a_warning_says_so() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 null | 0@4 e 5");
    let scene = scene.file("0@0 a 1 | 0@1 b 9 | 0@2 c 3 | 0@2 c 3").letters("0@0 0@1 0@2 0@3 0@4").with_dlq();
    assert_says(
        &scene,
        &[
            "messages 5: 1 corrupted, 1 diverted, 1 duplicated, 1 excluded, 1 intact",
            "diverted trades[0]@4",
            "warning: dead letters name 4 messages that have a row, or of which none is asked for: that goes before",
        ],
    );
}

#[test]
fn an_undecodable_message_in_the_dead_letters_is_diverted_and_still_pairs_with_no_row() {
    let bad = "0@0 a 1 | 0@1 {\"id\": | 0@2 {\"id\": | 0@3 d 4";
    let scene = Scene::offset().topic(bad).file("0@0 a 1 | 0@1 b 2 | 0@3 d 4").letters("0@1").with_dlq();
    assert_says(&scene, &["messages 4: 1 diverted, 2 intact, 1 undecodable", "rows 3: 2 intact, 1 unjudged"]);
    let scene = Scene::key().topic(bad).file("a 1 | d 4").letters("0@1").with_dlq();
    assert_says(&scene, &["messages 4: 1 diverted, 2 intact, 1 undecodable"]);
}

#[test]
fn in_the_other_modes_the_position_tells_too() {
    let topic = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4";
    let of = |scene: Scene| scene.topic(topic).file("a 1 | d 4").letters("0@1").with_dlq();
    assert_in(
        &alike(&of(Scene::key()), &of(Scene::key_plain())),
        &["messages 4: 1 diverted, 2 intact, 1 missing", "diverted trades[0]@1", "missing lost trades[0]@2"],
    );
    assert_in(
        &alike(&of(Scene::content()), &of(Scene::content_plain())),
        &["messages 4: 1 diverted, 2 intact, 1 missing", "diverted trades[0]@1", "missing lost trades[0]@2"],
    );
}

/// Counts are exact: the row that is there is that of the message which was not put aside.
#[test]
fn of_equal_messages_the_one_in_the_dead_letters_has_its_row_last() {
    let of =
        |scene: Scene| scene.topic("0@0 a 1 | 0@1 a 1 | 0@2 a 1 | 0@3 z 9").file("a 1 | z 9").letters("0@0").with_dlq();
    assert_says(&of(Scene::key()), &["messages 4: 1 diverted, 2 intact, 1 missing", "diverted trades[0]@0"]);
    assert_says(&of(Scene::content()), &["messages 4: 1 diverted, 2 intact, 1 missing", "diverted trades[0]@0"]);
    let both = of(Scene::content()).file("a 1");
    assert_says(&both, &["messages 4: 1 diverted, 3 intact", "diverted trades[0]@0"]);
}

#[test]
fn letters_of_other_topics_other_ranges_and_holes_divert_nothing() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@3 c 3 | 0@9 d 4").file("0@1 b 2 | 0@3 c 3");
    let scene = scene.letters("0@0 0@2 0@9 0@77 5@1").with_dlq();
    let scene = scene.letter(&[
        ("__connect.errors.topic", "quotes"),
        ("__connect.errors.partition", "0"),
        ("__connect.errors.offset", "1"),
    ]);
    let scene = scene.letter(&[("x", "y")]).from("1").to("9");
    assert_says(
        &scene,
        &[
            "warning: 1 dead letter of 7 do not say which message they are of: in Kafka Connect, errors.deadletterqueue.context.headers.enable writes it",
            "warning: dead letters name 1 offset that hold no message",
        ],
    );
}

#[test]
fn without_headers_that_name_a_message_there_is_no_run() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1").letter(&[("x", "y")]).with_dlq();
    assert_says(&scene, &["error: none of 1 dead letters of trades-dlq says which message it is of"]);
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1").with_dlq();
    assert_says(&scene, &["error: read the dead letters of topic trades-dlq"]);
}

#[test]
fn headers_of_its_own_are_named() {
    let own = format!("dead_letter = {{ topic = \"{DLQ}\", headers = [\"p\", \"o\"] }}");
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@2 c 3");
    let scene = scene.letter(&[("p", "0"), ("o", "1")]).fidelity(&own).fidelity("diverted_max = 1.0");
    assert_says(&scene, &["messages 3: 1 diverted, 2 intact", "diverted trades[0]@1"]);
}

/// Beyond the share that was declared the outcome is breached.
#[test]
fn too_many_diverted_messages_breach() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@2 c 3").letters("0@1");
    let scene = scene.fidelity(&format!("dead_letter = {{ topic = \"{DLQ}\" }}"));
    assert_says(&scene, &["messages 3: 1 diverted, 2 intact", "breached, fidelity 1.0"]);
}

#[test]
fn the_cause_is_told_in_one_line_and_without_values_where_any_is_masked() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@2 c 3").with_dlq();
    let scene = scene.letter(&[
        ("__connect.errors.topic", "trades"),
        ("__connect.errors.partition", "0"),
        ("__connect.errors.offset", "1"),
        ("__connect.errors.exception.class.name", "java.lang.IllegalStateException"),
        ("__connect.errors.exception.message", "price 2 of\u{1b}[31m <b>b</b>\nis \u{202e}gpj"),
    ]);
    let detail = |scene: &Scene| scene.answer().findings.at_hand[0].detail.clone();
    let class = "no row: it is among the dead letters of trades-dlq, put aside for java.lang.IllegalStateException";
    let told = detail(&scene);
    assert_eq!(told, format!("{class}: price 2 of\u{fffd}[31m <b>b</b> is \u{fffd}gpj"));
    assert_eq!(detail(&scene.section("[compare]\nmask = [\"price\"]")), class);
}

/// Each of these lines is said; of a line that is cut, its beginning.
pub fn assert_says(scene: &Scene, lines: &[&str]) {
    assert_in(&scene.verdicts(), lines);
}

fn assert_in(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.lines().any(|found| found.starts_with(line)), "{line:?} is not said:\n{said}");
    }
}
