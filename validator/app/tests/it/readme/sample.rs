//! What the README shows of a run over recorded orders.

use fixtures_kit::value::Value;

use super::{Orders, Shop, readme};
use crate::guide::blocks;
use crate::transcript::validator;

/// The order that no row has, the one that two have, and the one whose row costs 1,000 times as much.
const LOST: i64 = 4107 * 2;
const TWICE: i64 = 2500 * 2 + 1;
const DEAR: i64 = 1200 * 2;
/// Column `amount`.
const AMOUNT: usize = 1;

fn orders() -> Orders {
    Orders { begun_ms: 1_700_000_000_000, step_ms: 500, count: 10_000, cents: |nth| nth * 29 + 1_315 }
}

/// By partition and offset, in two files.
fn rows(orders: &Orders) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for nth in (0..orders.count).step_by(2).chain((1..orders.count).step_by(2)).filter(|nth| *nth != LOST) {
        let mut row = orders.row(nth);
        if nth == DEAR {
            row[AMOUNT] = Value::decimal(i128::from((orders.cents)(nth)) * 1_000, 2);
        }
        if nth == TWICE {
            rows.push(row.clone());
        }
        rows.push(row);
    }
    rows
}

/// The words of a report; what another run has otherwise, times, ids and paths, is written in one way.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().filter(|word| *word != "ms").map(str::to_owned).collect();
    for at in 0..words.len() {
        match words[at].as_str() {
            "judged" if words.get(at + 1).is_some_and(|word| word.ends_with("Z,")) => words[at + 1] = "TIME".to_owned(),
            "took" => words[at + 1] = "N".to_owned(),
            "snapshot" => {
                words[at + 1] = "ID".to_owned() + words[at + 1].trim_start_matches(|c: char| c.is_ascii_digit())
            }
            path if path.starts_with("file://") => words[at] = "FILE".to_owned(),
            _ => {}
        }
    }
    words
}

#[test]
fn the_report_is_what_a_run_prints() {
    let text = readme();
    let shown = blocks(&text, "text").into_iter().find(|block| block.starts_with("BREACHED")).expect("a report");
    let orders = orders();
    let shop = Shop::of(&orders, rows(&orders), 5_000);
    let ran =
        validator(shop.folder.path(), "reconcile orders --source capture/*.jsonl.gz --envelope kcat").assert_no_panic();
    assert_eq!(ran.exit, 1, "{}", ran.all());
    let printed = words(&ran.stdout);
    let mut at = 0;
    let pieces: Vec<&str> = shown.split("…").map(str::trim).filter(|piece| !piece.is_empty()).collect();
    assert_eq!(pieces.len(), 3);
    for piece in pieces {
        let words = words(piece);
        let found = (at..printed.len()).find(|from| printed[*from..].starts_with(&words));
        let found = found.unwrap_or_else(|| panic!("a run does not print\n{piece}\nbut\n{}", ran.all()));
        at = found + words.len();
    }
}
