//! A million findings, a thousand partitions, values of a megabyte: bounded, and counted exactly.

use std::time::Instant;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use validator_app::Answer;
use validator_app::render::{Palette, text_report};
use validator_app::report::{junit, markdown, write_findings};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::spread::Slices;
use validator_core::verdict::{Cause, Damage};

use super::dom::Dom;
use super::{add, again, corrupted, damaged, page, shown};

const MILLION: u64 = 1_000_000;

/// A million corrupted messages of every kind of damage in a thousand partitions, as a run tells them: the first whole, of the
/// rest the number and the place.
pub fn million() -> Answer {
    let mut answer = damaged().answer();
    let partition = answer.report.partitions[0].clone();
    answer.report.partitions = (0..1_000)
        .map(|number| validator_core::report::PartitionReport { partition: number, to: 5_000, ..partition.clone() })
        .collect();
    answer.slices = vec![Slices::new(0..5_000); 1_000];
    for number in 0..MILLION {
        let (index, offset) = (number % 1_000, i64::try_from(number / 1_000).expect("small"));
        let damage = Damage::ALL[usize::try_from(number).expect("small") % Damage::ALL.len()];
        let at = MessageAt { partition: PartitionIndex(u32::try_from(index).expect("small")), offset };
        answer.findings.spread.note(at, Some(1_723_118_400_000 + offset * 1_000));
        answer.slices[usize::try_from(index).expect("small")].note(offset);
        if number < 1_000 {
            let mut finding = corrupted(offset, &"<b>&\"".repeat(200));
            finding.cause = Some(Cause::Damage(damage));
            answer.findings.push(finding).expect("there is room");
        } else {
            let kind = validator_core::verdict::MessageVerdict::Corrupted.into();
            answer.findings.count(kind, Some(Cause::Damage(damage)), Some("price".to_owned()));
        }
    }
    answer.report.findings = answer.findings.counts().clone();
    answer
}

#[test]
fn a_million_findings_are_counted_exactly_on_a_page_below_two_megabytes() {
    let answer = million();
    let total = answer.report.findings.total();
    let began = Instant::now();
    let text = page(&answer);
    assert!(began.elapsed().as_secs() < 20, "a page took {:?}", began.elapsed());
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    let html = Dom::parse(&text);
    let select = |what: &str| html.select(what);
    let number = |text: String| text.replace(',', "").trim().parse::<u64>().expect("a number");
    let numbers = |what: &str| select(what).iter().map(|one| number(one.text())).collect::<Vec<_>>();
    assert_eq!(numbers("#findings > h2 .tally"), [total]);
    assert_eq!(numbers("#findings > .scroll td.num").iter().sum::<u64>(), total);
    // What is shown and what is said not to be shown add up, cause by cause.
    for cause in select(".cause") {
        let shown = cause.select("article").len() as u64;
        let said = |what: &str| cause.select(what).first().copied();
        let more = said(".more").map_or(0, |more| {
            let first = more.words().split(' ').next().unwrap_or_default().to_owned();
            number(first)
        });
        let all = said("h3 .tally").map(|tally| number(tally.text())).expect("a cause has its number");
        assert_eq!(shown + more, all);
    }
    // A thousand partitions in few rows, which add up as well.
    assert!(select(".heat tbody tr").len() <= 24);
    assert_eq!(numbers(".heat tbody td.num").iter().sum::<u64>(), MILLION);
    let caption = select("#partitions figcaption")[0].words();
    assert!(caption.contains("There are 1,000 partitions, more than fit: 42 neighbours share a row."), "{caption}");
}

#[test]
fn junit_and_markdown_of_a_million_findings_are_short_and_count_all() {
    let answer = million();
    let again = again();
    let xml = junit(&shown(&answer, &again)).expect("memory takes it");
    let text = markdown(&shown(&answer, &again));
    // GitHub takes a summary of up to a megabyte.
    assert!(xml.len() < 2_000_000 && text.len() < 200_000, "{} and {} bytes", xml.len(), text.len());
    let count = |n: u64| validator_app::render::count(n);
    assert!(text.contains(&format!("### {} findings", count(answer.report.findings.total()))));
    assert!(xml.contains("and 49,9") && text.contains("more of corrupted"), "{text}");
}

#[test]
fn many_findings_become_row_groups_of_a_bounded_size() {
    let mut answer = damaged().answer();
    // More than are held in memory, and more than a row group has.
    for offset in 0..140_000 {
        answer.findings.push(corrupted(offset, "t")).expect("there is room");
    }
    let total = i64::try_from(answer.findings.counts().total()).expect("small");
    assert!(total > 140_000 && answer.findings.at_hand.len() == 100_000);
    let mut file = Vec::new();
    write_findings(&mut answer.findings, &mut file).expect("memory takes it");
    let read = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).expect("a file");
    let groups: Vec<i64> = read.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [131_072, total - 131_072]);
    let batches = read.build().expect("a file").map(|batch| batch.expect("a batch"));
    let offsets =
        batches.flat_map(|batch| batch["offset"].as_primitive::<Int64Type>().iter().flatten().collect::<Vec<_>>());
    assert!(offsets.skip(5).eq(0..140_000), "they come in their order, those from the disk behind those from memory");
}

#[test]
fn a_value_of_a_megabyte_is_cut_with_its_length_or_whole() {
    let mut answer = damaged().answer();
    let long = "x".repeat(1_000_000);
    // One with a long value, and one in which every name is long too.
    let mut finding = corrupted(76, "short");
    finding.columns[0].message = long.as_str().into();
    add(&mut answer, corrupted(77, &long));
    add(&mut answer, finding);
    answer.findings.at_hand.reverse();
    let again = again();
    let (html, xml) = (page(&answer), junit(&shown(&answer, &again)).expect("memory takes it"));
    let text = markdown(&shown(&answer, &again));
    for (form, most) in [(&html, 200_000), (&xml, 100_000), (&text, 50_000)] {
        assert!(form.len() < most && form.contains("1,000,000 characters"), "{} bytes", form.len());
    }
    for columns in [40, 80] {
        let text = text_report(&answer, Palette::PLAIN, columns);
        assert!(text.len() < 50_000 && text.contains("1,000,000 characters"), "{} bytes", text.len());
        assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
    }
    let mut lines = Vec::new();
    answer.findings.write(&mut lines).expect("memory takes it");
    assert!(String::from_utf8(lines).expect("JSON is text").contains(&long));
}
