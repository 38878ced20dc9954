//! Pages in Chromium: a breach with more than ten causes, and one with a million findings, light and dark, wide, narrow and
//! printed, with and without scripts.

use std::fs;
use std::path::Path;

use fixtures_harness::{Impact, Seen, Visit, browser};

use super::large::million;
use super::page;
use crate::transcript::validator;

/// For a machine with other work; `cargo xtask bench report` holds it against one second.
const DRAWN_MS_MAX: f64 = 10_000.0;

/// Looks at a page in all ways, and holds what any page must keep against each.
fn seen(file: &Path, name: &str) -> Option<Vec<Seen>> {
    let visit = || Visit::file(file).text("h1").text("article.finding").text("#findings > h2 .tally");
    let visits = [
        visit().axe().screenshot(&format!("{name}-light")),
        visit().dark().axe().screenshot(&format!("{name}-dark")),
        visit().wide(360).axe().screenshot(&format!("{name}-narrow")),
        visit().without_scripts(),
        visit().printed().wide(794).screenshot(&format!("{name}-printed")),
        visit().dark().printed().wide(794).screenshot(&format!("{name}-printed-from-dark")),
    ];
    let seen = browser()?.look(&visits).unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)));
    for (at, width) in seen.iter().zip([1280, 1280, 360, 1280, 794, 794]) {
        assert!(at.errors.is_empty() && at.outside.is_empty(), "{at:?}");
        assert_eq!(at.violations_from(Impact::Serious), [] as [&fixtures_harness::Violation; 0]);
        assert_eq!(at.content_width, width, "the page must not be scrolled sideways");
        assert!(at.first_paint_ms.is_some_and(|ms| ms < DRAWN_MS_MAX) && at.load_ms < DRAWN_MS_MAX, "{at:?}");
        assert_eq!(at.of("article.finding").len(), seen[0].of("article.finding").len());
    }
    Some(seen)
}

#[test]
fn a_breach_with_many_causes_is_readable_in_every_way() {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let ran = validator(folder.path(), "demo --seed 7 --html demo.html").assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let file = folder.path().join("demo.html");
    let text = fs::read_to_string(&file).expect("it was written");
    let causes = text.matches("<section class=\"cause ").count();
    assert!(causes >= 10, "{causes} causes");
    let Some(seen) = seen(&file, "report-causes") else { return };
    assert!(seen[0].of("article.finding").len() >= 20 && seen[0].title.contains("breached"), "{}", seen[0].title);
}

#[test]
fn a_page_of_a_million_findings_is_drawn_and_fits_every_window() {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let (answer, file) = (million(), folder.path().join("million.html"));
    fs::write(&file, page(&answer)).expect("the folder takes files");
    let Some(seen) = seen(&file, "report-million") else { return };
    let total = validator_app::render::count(answer.report.findings.total());
    assert!(seen.iter().all(|at| at.of("#findings > h2 .tally") == [total.clone()]), "{:?}", seen[0]);
}
