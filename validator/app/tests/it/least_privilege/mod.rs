//! docs/guide/least-privilege.md, held against real servers: the rights that it names are enough, and without each of them a
//! command says what it lacks and judges nothing.

pub mod brokers;
mod bucket;
mod catalog;
mod servers;

use crate::transcript::Ran;

/// The guide.
fn guide() -> String {
    let path = crate::repository::root().join("docs/guide/least-privilege.md");
    std::fs::read_to_string(path).expect("the guide is there")
}

/// The one block of the guide in that language that holds this text.
pub fn block(language: &str, holds: &str) -> String {
    let guide = guide();
    let blocks = crate::guide::blocks(&guide, language).into_iter();
    let found: Vec<&str> = blocks.filter(|block| block.contains(holds)).collect();
    assert_eq!(found.len(), 1, "blocks of {language} with {holds}");
    found[0].to_owned()
}

/// What was told, its lines joined: the page is as wide as the terminal; the words are the same.
fn told(ran: &Ran) -> String {
    ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// No verdict, exit code 3, and each of these texts.
fn assert_could_not_look(ran: &Ran, texts: &[&str]) {
    assert_eq!(ran.exit, 3, "{}", ran.all());
    let said = format!("{} {}", ran.stdout.split_whitespace().collect::<Vec<_>>().join(" "), told(ran));
    for verdict in ["HOLDS", "BREACHED"] {
        assert!(!said.contains(verdict), "{}", ran.all());
    }
    for text in texts {
        assert!(said.contains(text), "{text:?} is not in\n{}", ran.all());
    }
}
