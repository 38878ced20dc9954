//! A whole file, as `init` writes it, and what it says.

use insta::assert_snapshot;

use super::{k2, shapes, sinks};

#[test]
fn the_file_of_a_key_table() {
    let shape = k2::shapes().into_iter().find(|shape| shape.name == "v2 cold bronze binance").expect("it is there");
    let (text, ran) = shapes::stage(&shape).written();
    assert_snapshot!(text, @"");
    assert_snapshot!(ran.all(), @"");
}

#[test]
fn without_output_the_file_is_the_answer() {
    let ran = shapes::stage(&sinks::shapes().swap_remove(0)).init("");
    assert_snapshot!(ran.all(), @"");
}
