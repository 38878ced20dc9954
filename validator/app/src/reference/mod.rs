//! The pages of docs/reference, made from the code: what they say is what the code says.
//!
//! Contract: pages differ only where the code does. `cargo xtask docs` writes them, and CI compares.

mod answers;
mod command_line;
mod configuration;
mod words;

use clap::ValueEnum;

use crate::cli::SchemaOf;
use crate::run::metrics;
use crate::schema;

/// The first line of every page.
const MADE: &str = "<!-- Made by `cargo xtask docs`; edit the code instead. -->";

/// File name, from docs/reference, and text of each page and schema, by name.
pub fn pages() -> Vec<(String, String)> {
    let page = |name: &str, text: String| (name.to_owned(), format!("{MADE}\n\n{}\n", text.trim_end()));
    let mut pages = vec![
        page("command-line.md", command_line::commands()),
        page("configuration.md", configuration::page()),
        page("exit-codes.md", command_line::exit_codes()),
        page("../metrics.md", metrics::page()),
        page("findings.md", answers::findings()),
        page("report.md", answers::report()),
        page("verdicts.md", words::page()),
    ];
    for of in SchemaOf::value_variants() {
        let word = of.to_possible_value().expect("no variant is skipped");
        pages.push((format!("{}.schema.json", word.get_name()), schema::text(*of)));
    }
    pages.sort();
    pages
}

/// A table of Markdown.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    text += &format!("|{}\n", "---|".repeat(head.len()));
    for row in rows {
        text += &line(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>());
    }
    text + "\n"
}

/// A sentence as a cell has it: without its period.
pub(crate) fn cell(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_breaks_its_table() {
        for (name, text) in pages().iter().filter(|(name, _)| name.ends_with(".md")) {
            let mut columns = 0;
            for line in text.lines().filter(|line| line.starts_with('|')) {
                let bars = line.replace("\\|", "").matches('|').count();
                columns = if line.starts_with("|---") || columns == 0 { bars } else { columns };
                assert!(bars == columns || line.starts_with("| "), "{name}: {line}");
                assert!(!line.contains("|  |  |"), "{name}: an empty row: {line}");
            }
        }
    }

    #[test]
    fn every_page_says_where_it_comes_from_and_says_something() {
        for (name, text) in pages() {
            assert!(text.len() > 300, "{name}");
            assert!(text.starts_with(MADE) || name.ends_with(".json"), "{name}");
        }
    }
}
