//! The page: its structure, what it says of runs of every kind, and that nothing outside of it is needed.

use std::collections::HashSet;

use insta::assert_snapshot;
use validator_core::clock::UtcMillis;

use super::dom::{Dom, Element};
use super::{damaged, page, sound};
use crate::scene::Scene;

/// Text of each element, one a line.
fn lines(html: &Dom, what: &str) -> String {
    html.select(what).into_iter().map(Element::words).collect::<Vec<_>>().join("\n")
}

fn parsed(scene: &Scene) -> Dom {
    let mut answer = scene.answer();
    answer.report.finished_at = UtcMillis(answer.report.started_at.0);
    Dom::parse(&page(&answer))
}

/// What a person with a screen reader, and a browser that is cut off from everything, need.
fn assert_well_made(html: &Dom) {
    // A meta element that stands for a header is read where it is; so are the others.
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    assert_eq!(html.select("html")[0].attr("lang"), Some("en"));
    for one in ["head > title", "body > header", "body > main", "body > footer", "header nav[aria-label]", "h1"] {
        assert_eq!(html.select(one).len(), 1, "{one}");
    }
    for none in
        ["script", "link", "img", "iframe", "object", "embed", "form", "base", "[style]", "[onclick]", "[onerror]"]
    {
        assert_eq!(html.select(none).len(), 0, "{none}");
    }
    let policy = html.select("meta[http-equiv='Content-Security-Policy']")[0].attr("content").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(html.select("th").iter().all(|cell| matches!(cell.attr("scope"), Some("col" | "row"))));
    assert!(html.select("svg").iter().all(|svg| svg.attr("role") == Some("img") && svg.attr("aria-label").is_some()));
    let scrolled = html.select(".scroll");
    assert!(scrolled.iter().all(|one| one.attr("tabindex") == Some("0") && one.attr("aria-label").is_some()));
    let ids: Vec<&str> = html.select("[id]").iter().filter_map(|one| one.attr("id")).collect();
    let known: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "ids are unique");
    for link in html.select("a") {
        let to = link.attr("href").expect("a link leads somewhere");
        assert!(to.strip_prefix('#').is_some_and(|id| known.contains(id)), "{to}");
    }
    for element in html.select("[aria-labelledby]") {
        assert!(element.attr("aria-labelledby").is_some_and(|id| known.contains(id)));
    }
    for element in html.select("*") {
        for (name, value) in &element.attributes {
            let leads_out = ["src", "href", "action", "data", "srcset", "xmlns"].contains(&name.as_str());
            assert!(!leads_out || value.starts_with('#'), "{name}={value}");
            assert!(!name.starts_with("on") && !value.contains("javascript:"), "{name}={value}");
        }
    }
    let css = html.select("style")[0].text();
    assert!(!css.contains("url(") && !css.contains("@import"), "the style sheet asks for something");
    // Headings do not skip a level.
    let levels: Vec<u8> = html.select("h1, h2, h3, h4").iter().map(|one| one.name.as_bytes()[1] - b'0').collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn a_page_of_a_breached_run_says_what_is_broken_and_shows_each_finding() {
    let html = parsed(&damaged());
    assert_well_made(&html);
    assert_snapshot!(lines(&html, "title, header h1, .headline, .reasons, .card, .budget-box, .counts tr"));
    assert_snapshot!(lines(
        &html,
        ".heat tr, #time figcaption, #partitions figcaption, #time details tr, #partitions h3 + .scroll tr"
    ));
    assert_eq!(html.select("article.finding").len(), html.select("#findings article").len());
    let marked: Vec<String> = html.select(".sides .value mark").into_iter().map(Element::words).collect();
    assert_eq!(marked, ["5"], "2.125 against 2.12");
}

#[test]
fn findings_say_place_values_rows_commit_and_sentence() {
    let html = parsed(&damaged());
    let articles: Vec<String> = html.select("article.finding").into_iter().map(Element::words).collect();
    // Paths of files and ids differ from run to run.
    let plain = |text: &String| {
        let words = text.split(' ').map(|word| match word.rsplit_once("/data/") {
            Some((_, file)) => file,
            None if word.len() == 64 => "ID",
            None => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    assert_snapshot!(articles.iter().map(plain).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_page_of_a_run_that_holds_has_no_finding_and_a_budget_of_none() {
    let html = parsed(&sound().fidelity("target = 1.0"));
    assert_well_made(&html);
    assert_snapshot!(lines(
        &html,
        "title, header h1, .headline, .reasons, .card .number, .card .target, .budget-box, .none"
    ));
}

#[test]
fn a_page_of_an_unjudged_run_says_so() {
    let html = parsed(&Scene::offset().topic("0@0 a 1"));
    assert_well_made(&html);
    assert_snapshot!(lines(&html, "title, header h1, .headline, .reasons, .card .number, .budget-box, .cause h3"));
}

#[test]
fn a_page_of_a_run_over_nothing_is_a_page() {
    let html = parsed(&Scene::offset().topic("0@0 a 1").file("0@0 a 1").from("0").to("0"));
    assert_well_made(&html);
    assert_snapshot!(lines(
        &html,
        "header h1, .headline, .card .number, .budget-box, #time > p, #partitions > p, #warnings li"
    ));
}

#[test]
fn a_masked_value_is_masked_on_the_page() {
    let html = parsed(&damaged().section("[compare]\nmask = [\"price\"]"));
    let text = html.text();
    assert!(text.contains("(masked)") && !text.contains("2.125"), "{text}");
}
