//! A real run in which every message differs, handed on in every form: each is bounded, and each says the same number.

use std::fmt::Write as _;
use std::fs;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::dom::Dom;
use crate::scene::Scene;
use crate::transcript::validator;

/// `cargo xtask bench report` makes a run of a million, and measures it.
const FINDINGS: u64 = 100_000;

#[test]
fn a_run_in_which_every_message_differs_is_whole_in_every_form() {
    let (mut topic, mut file) = (String::new(), String::new());
    for offset in 0..FINDINGS {
        let bar = if offset == 0 { "" } else { "|" };
        write!(topic, "{bar}0@{offset} {offset} 1").expect("a string takes text");
        write!(file, "{bar}0@{offset} {offset} 2").expect("a string takes text");
    }
    let scene = Scene::offset().topic(&topic).file(&file);
    let folder = tokio::runtime::Runtime::new().expect("the system gives threads").block_on(scene.write());
    let ran = validator(
        folder.path(),
        "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --quiet --report r.json --html r.html --junit r.xml \
         --markdown r.md --findings f.parquet",
    )
    .assert_no_panic();
    assert_eq!(ran.exit, 1, "{}", ran.all());
    let text = |name: &str| fs::read_to_string(folder.join(name)).expect("the run wrote it");
    let report: serde_json::Value = serde_json::from_str(&text("r.json")).expect("a report is JSON");
    assert_eq!(report["findings"]["total"].as_u64(), Some(FINDINGS));
    let parquet = fs::File::open(folder.join("f.parquet")).expect("the run wrote it");
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).expect("it is Parquet");
    assert_eq!(u64::try_from(parquet.metadata().file_metadata().num_rows()), Ok(FINDINGS));
    let (html, xml, summary) = (text("r.html"), text("r.xml"), text("r.md"));
    for (name, form, bytes_max) in [("r.html", &html, 2_000_000), ("r.xml", &xml, 200_000), ("r.md", &summary, 100_000)]
    {
        assert!(form.len() < bytes_max, "{name} has {} bytes", form.len());
        assert!(form.contains("100,000"), "{name} does not say how many there are");
    }
    let page = Dom::parse(&html);
    let heat: u64 = page
        .select(".heat tbody td.num")
        .iter()
        .map(|cell| cell.text().replace(',', "").trim().parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(heat, FINDINGS, "the heat map counts every finding, shown or not");
}
