//! Runs the queries of `queries.txt` against their answers; `UPDATE_QUERIES=1` writes the answers anew.

use super::{ask, trades, written};

#[test]
fn queries_have_their_answers() {
    let folder = written(&trades());
    let file = crate::repository::package().join("tests/it/sql/queries.txt");
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let (head, cases) = text.split_once("\n\n").expect("a comment comes first");
    let mut answered = format!("{head}\n\n");
    let mut count = 0;
    for case in cases.split_terminator("\n\n") {
        let (query, _) = case.split_once("\n----").expect("a query ends with four dashes");
        let ran = ask(&folder, "--format csv", query.trim());
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{query}\n{}", ran.all());
        answered += &format!("{}\n----\n{}\n", query.trim(), ran.stdout);
        count += 1;
    }
    if std::env::var_os("UPDATE_QUERIES").is_some() {
        std::fs::write(&file, &answered).expect("the file can be written");
    }
    assert_eq!(answered.trim_end(), text.trim_end());
    assert!(count >= 20, "{count} queries were asked");
}
