//! Hostile text in names and values comes out harmless in every form, and whole where a form promises that.

use std::io::Cursor;

use arrow_array::cast::AsArray;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_xml::XmlVersion;
use quick_xml::events::Event as Xml;
use validator_app::Answer;
use validator_app::render::{Palette, report_json, text_report};
use validator_app::report::{junit, markdown, write_findings};

use super::dom::Dom;
use super::{add, again, corrupted, damaged, page, shown};

/// Text that means something to a browser, a terminal, a spread sheet, XML, Markdown or a reader's eyes.
const HOSTILE: [&str; 16] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style></td></table><h1>owned</h1>",
    "javascript:alert(1)",
    "<!-- --> ]]> <![CDATA[ &amp; &#x1b; <?xml?>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m",
    "\0\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{fffe}\u{ffff}",
    "\u{202e}gpj.exe\u{2066}\u{200f}\u{200b}\u{feff}",
    "=cmd|' /C calc'!A0",
    "+1|2|3| @everyone",
    "a | b || c \\| d",
    "`` ` ``` ~~~ `code`",
    "[x](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example> www.evil.example a@evil.example",
    "# heading\n\n---\n* item\n> quote\n<details>\n```\nfence",
    "| a |\n|---|\n| b |\r\n\u{2028}\u{2029}\u{85}",
    "@owner #1 GH-1 {{ 7*7 }} {% raw %} ${x} $(id) `id`",
];

/// An answer in which every text is hostile, one after the other and all at once.
fn answer() -> Answer {
    let mut answer = damaged().answer();
    let all = HOSTILE.concat();
    for (offset, text) in (100..).zip(HOSTILE.iter().copied().chain([all.as_str()])) {
        let mut finding = corrupted(offset, text);
        finding.rows = vec![validator_core::finding::RowPlace { file: text.to_owned(), position: Some(1) }];
        finding.candidates = vec![validator_core::finding::Candidate { topic: text.into(), partition: 1, offset: 2 }];
        add(&mut answer, finding);
    }
    // Only findings of one cause are shown ten at a time: the others come first then.
    answer.findings.at_hand.reverse();
    answer.report.pipeline.clone_from(&all);
    answer.report.table.name.clone_from(&all);
    answer.report.table.metadata_location.clone_from(&all);
    answer.report.table.uuid = Some(all.clone());
    answer.report.warnings = HOSTILE.iter().map(|text| (*text).to_owned()).chain([all.clone()]).collect();
    answer.report.partitions[0].topic.clone_from(&all);
    let policy = |text: &str| validator_core::report::PolicyCount {
        column: text.to_owned(),
        tolerance: text.to_owned(),
        messages: 1,
        rows: Some(1),
    };
    answer.report.policy = HOSTILE.iter().map(|text| policy(text)).collect();
    answer
}

/// Characters that a terminal obeys, that turn the direction of writing, or that nobody sees; a line ends where it does.
fn is_hostile(c: char) -> bool {
    c != '\n' && validator_app::render::is_hostile(c)
}

#[test]
fn in_html_it_is_text() {
    let text = page(&answer());
    assert_eq!(text.chars().find(|c| is_hostile(*c)), None);
    let html = Dom::parse(&text);
    let select = |what: &str| html.select(what).len();
    for none in ["script", "img", "iframe", "link", "[onerror]", "[style]", "a[href^=http]", "a[href^=javascript]"] {
        assert_eq!(select(none), 0, "{none}");
    }
    assert_eq!((select("h1"), select("style"), select("main"), select("head > title")), (1, 1, 1, 1));
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    let shown = html.text();
    for text in ["<script>alert(1)</script>", "onerror=alert(1)>", "\\u{202e}gpj.exe", "\\u{1b}[2J", "\\u{ffff}"] {
        assert!(shown.contains(text), "{text} is shown as it is, or made visible");
    }
}

#[test]
fn in_junit_it_is_text_of_legal_xml() {
    let answer = answer();
    let xml = junit(&shown(&answer, &again())).expect("memory takes it");
    assert_eq!(xml.chars().find(|c| is_hostile(*c)), None);
    let mut reader = quick_xml::Reader::from_str(&xml);
    let (mut names, mut text) = (std::collections::BTreeSet::new(), String::new());
    loop {
        match reader.read_event().expect("it is well-formed") {
            Xml::Start(tag) | Xml::Empty(tag) => {
                names.insert(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
                for attribute in tag.attributes() {
                    let value = attribute
                        .expect("it is well-formed")
                        .normalized_value(XmlVersion::Explicit1_0)
                        .expect("entities are known");
                    assert!(!value.chars().any(is_hostile), "{value:?}");
                }
            }
            Xml::Text(part) => text.push_str(&part.xml_content(XmlVersion::Explicit1_0).expect("it is text")),
            Xml::CData(part) => text.push_str(&String::from_utf8_lossy(&part)),
            Xml::Comment(part) => panic!("a comment: {part:?}"),
            Xml::Eof => break,
            _ => {}
        }
    }
    let known =
        ["error", "failure", "properties", "property", "skipped", "system-out", "testcase", "testsuite", "testsuites"];
    assert_eq!(names.iter().map(String::as_str).filter(|name| !known.contains(name)).collect::<Vec<_>>(), [""; 0]);
    assert!(text.contains("u{1b}[2J"), "what was taken out of the text is told");
}

#[test]
fn in_markdown_it_makes_no_link_no_html_and_no_cell() {
    let answer = answer();
    let text = markdown(&shown(&answer, &again()));
    assert_eq!(text.chars().find(|c| is_hostile(*c)), None);
    let (mut cells, mut columns, mut plain) = (0, 0, String::new());
    let mut in_fence = false;
    for event in Parser::new_ext(&text, Options::all()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => panic!("a link: {dest_url}"),
            Event::Start(Tag::Table(alignments)) => columns = alignments.len(),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => assert_eq!(cells, columns),
            Event::Start(Tag::CodeBlock(_)) => in_fence = true,
            Event::End(TagEnd::CodeBlock) => in_fence = false,
            Event::Text(part) if !in_fence => plain.push_str(&part),
            _ => {}
        }
    }
    // GitHub makes links of names and addresses in plain text, after Markdown is read.
    for sign in ["@", "://", "www.", "#1", "GH-1", "alert", "evil"] {
        assert!(!plain.contains(sign), "{sign} stands in plain text: {plain}");
    }
    assert!(text.contains("\\u{202e}gpj.exe"));
}

#[test]
fn in_parquet_and_json_lines_it_is_whole() {
    let mut answer = answer();
    let mut lines = Vec::new();
    answer.findings.write(&mut lines).expect("memory takes it");
    let lines = String::from_utf8(lines).expect("JSON is text");
    // A line stays a line, and no terminal obeys it.
    assert_eq!(lines.lines().count() as u64, answer.findings.counts().total());
    assert_eq!(lines.chars().find(|c| is_hostile(*c)), None);
    let mut file = Vec::new();
    write_findings(&mut answer.findings, &mut Cursor::new(&mut file)).expect("memory takes it");
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(file), 1024);
    let batches: Vec<_> = reader.expect("a file").map(|batch| batch.expect("a batch")).collect();
    let details: Vec<String> = batches
        .iter()
        .flat_map(|batch| batch["detail"].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for text in HOSTILE {
        assert!(details.iter().any(|detail| detail == text), "{text:?}");
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["detail"] == text;
        assert!(lines.lines().any(read), "{text:?}");
    }
}

#[test]
fn in_the_text_report_no_terminal_obeys_it() {
    let text = text_report(&answer(), Palette::PLAIN, 80);
    assert_eq!(text.chars().find(|c| is_hostile(*c)), None);
    assert!(text.contains("\\u{1b}"));
}

#[test]
fn in_report_json_no_terminal_obeys_it_and_it_is_whole() {
    let answer = answer();
    let text = report_json(&answer.report);
    assert_eq!(text.chars().find(|c| is_hostile(*c)), None);
    let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(read["pipeline"], HOSTILE.concat());
    assert!(HOSTILE.iter().enumerate().all(|(at, text)| read["warnings"][at] == *text));
}
