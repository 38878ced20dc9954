//! Findings that say next to nothing: without columns, values, identity, rows, time or sentence, as of the millionth of its kind
//! and of a finding about a file. Each form has them, and says nothing that is not known.

use arrow_array::cast::AsArray;
use quick_xml::events::Event;
use validator_app::Answer;
use validator_app::render::{Palette, text_report};
use validator_app::report::{junit, markdown, write_findings};
use validator_core::finding::{Finding, FindingId};
use validator_core::position::TopicPartition;
use validator_core::verdict::{Cause, Damage, MessageVerdict};

use super::dom::Dom;
use super::{add, again, page, shown, sound};

/// An answer with a finding that says its place alone, and with one that does not even say that.
fn answer() -> Answer {
    let mut answer = sound().answer();
    let place = TopicPartition { topic: "trades".to_owned(), partition: 3 };
    let cause = Some(Cause::Damage(Damage::Other));
    let alone = Finding::of_message("trades", MessageVerdict::Corrupted, cause, &place, 4_711);
    assert!(alone.columns.is_empty() && alone.rows.is_empty() && alone.identity.is_none());
    let id = FindingId::of_table("trades", alone.verdict, None, "");
    let nowhere = Finding { id, topic: None, partition: None, offset: None, cause: None, ..alone.clone() };
    for finding in [alone, nowhere] {
        add(&mut answer, Finding { detail: String::new(), ..finding });
    }
    answer
}

#[test]
fn a_finding_without_columns_has_its_place_on_the_page_and_no_table_of_values() {
    let text = page(&answer());
    let html = Dom::parse(&text);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    let articles = html.select("article.finding");
    assert_eq!(articles.len(), 2);
    let words: Vec<String> = articles.iter().map(|article| article.words()).collect();
    assert!(words.iter().any(|words| words.starts_with("trades[3]@4711")), "{words:?}");
    assert!(articles.iter().all(|article| article.select(".sides, .value, time, .detail").is_empty()), "{words:?}");
    assert!(articles.iter().all(|article| article.select("dt, dd, h4").iter().all(|part| !part.words().is_empty())));
    for nothing in ["None", "null", "undefined", "NaN"] {
        assert!(!words.iter().any(|words| words.contains(nothing)), "{words:?}");
    }
}

#[test]
fn a_finding_without_columns_stands_in_every_other_form() {
    let mut answer = answer();
    let again = again();
    let (xml, summary) = (junit(&shown(&answer, &again)).expect("memory takes it"), markdown(&shown(&answer, &again)));
    let text = text_report(&answer, Palette::PLAIN, 40);
    for form in [&xml, &summary, &text] {
        assert!(form.contains("trades[3]@4711"), "{form}");
        assert!(!form.contains("None") && !form.contains("null"), "{form}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    let mut reader = quick_xml::Reader::from_str(&xml);
    while reader.read_event().expect("it is well-formed") != Event::Eof {}
    let mut file = Vec::new();
    write_findings(&mut answer.findings, &mut file).expect("memory takes it");
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(file), 1024);
    let batches: Vec<_> = reader.expect("a file").map(|batch| batch.expect("a batch")).collect();
    let columns = batches[0]["columns"].as_list::<i32>();
    assert_eq!((batches[0].num_rows(), columns.value_length(0), columns.value_length(1)), (2, 0, 0));
    let mut lines = Vec::new();
    answer.findings.write(&mut lines).expect("memory takes it");
    assert_eq!(String::from_utf8(lines).expect("JSON is text").matches("\"columns\":[]").count(), 2);
}
