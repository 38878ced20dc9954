//! Questions to a REST catalog behind its configuration: repeated where that may help, and never without end.

use std::sync::atomic::{AtomicUsize, Ordering};

use fixtures_harness::{Ending, HttpStub, Reply};
use futures::future::join_all;
use serde_json::{Value as Json, json};
use validator_core::error_chain::error_chain;

use crate::rest_catalog::{TABLE, config, error, json, load, on_disk, sound};

const LIST: &str = "/v1/namespaces/md/tables";
/// `REST_PAGES_LISTED_MAX`
const PAGES: usize = 10;

fn count(stub: &HttpStub, path: &str) -> usize {
    stub.asked().iter().filter(|asked| asked.path.split('?').next() == Some(path)).count()
}

/// Answers to the question for a table after which it is worth asking again.
fn passing(answer: &Json) -> Vec<Reply> {
    let whole = answer.to_string();
    let padded = Reply::new(200, format!("{whole}{}", " ".repeat(100)));
    let mut replies: Vec<Reply> = [500, 502, 503, 504, 408].map(|status| error(status, "X")).into();
    replies.push(error(429, "X").header("Retry-After", "0"));
    for at in [0, 3, whole.len() - 1] {
        replies.extend([Ending::Cut(at), Ending::Reset(at)].map(|ending| json(answer.clone()).ending(ending)));
    }
    // All of the answer, and yet less than was promised.
    replies.push(padded.ending(Ending::Cut(whole.len())));
    replies.push(json(answer.clone()).ending(Ending::Silence(3)));
    replies.push(json(answer.clone()).ending(Ending::Refused));
    replies
}

#[tokio::test]
async fn the_question_for_a_table_is_repeated_where_that_may_help() {
    let (lake, answer) = on_disk();
    let looks = passing(&answer).into_iter().map(|reply| {
        let (answer, location) = (answer.clone(), lake.save());
        async move {
            let (asks, failing) = (AtomicUsize::new(0), reply.clone());
            let stub = HttpStub::start(move |asked| match asked.path.as_str() {
                TABLE if asks.fetch_add(1, Ordering::SeqCst) < 2 => failing.clone(),
                _ => sound(asked, &answer),
            });
            let table = load(config(&stub.url())).await.unwrap();
            assert_eq!(table.metadata_location(), location, "{reply:?}");
            assert_eq!((count(&stub, "/v1/config"), count(&stub, TABLE)), (1, 3), "{reply:?}");
        }
    });
    join_all(looks).await;
}

#[tokio::test]
async fn the_question_for_a_table_is_given_up_after_four_attempts_and_told() {
    let (_lake, answer) = on_disk();
    let looks = passing(&answer).into_iter().map(|reply| {
        let answer = answer.clone();
        async move {
            let always = reply.clone();
            let stub = HttpStub::start(move |asked| match asked.path.as_str() {
                TABLE => always.clone(),
                _ => sound(asked, &answer),
            });
            let told = load(config(&stub.url())).await.unwrap_err();
            let text = error_chain(&told);
            assert!(text.contains(&format!("gave no answer for {}{TABLE} in ", stub.url())), "{text}");
            assert!(text.contains("and 4 attempts") && !told.is_usage(), "{text}");
            assert_eq!((count(&stub, "/v1/config"), count(&stub, TABLE)), (1, 4), "{reply:?}");
        }
    });
    join_all(looks).await;
}

/// A page of table names, and the token of the next one.
fn page(names: &[&str], next: &str) -> Reply {
    let identifiers: Vec<Json> = names.iter().map(|name| json!({ "namespace": ["md"], "name": name })).collect();
    json(json!({ "identifiers": identifiers, "next-page-token": next }))
}

#[tokio::test]
async fn pages_of_names_without_end_are_left_after_some() {
    for changing in [false, true] {
        let pages = AtomicUsize::new(0);
        let stub = HttpStub::start(move |asked| match asked.path.split('?').next().unwrap_or_default() {
            TABLE => error(404, "NoSuchTableException"),
            LIST => match pages.fetch_add(1, Ordering::SeqCst) {
                0 => page(&["quotes"], "p"),
                PAGES.. => page(&["tradess"], "p"),
                number if changing => page(&["trade"], &format!("p{number}")),
                _ => page(&["trade"], "p"),
            },
            _ => sound(asked, &json!({})),
        });
        let told = load(config(&stub.url())).await.unwrap_err();
        let text = error_chain(&told);
        assert_eq!(count(&stub, LIST), PAGES, "{text}");
        assert!(text.contains("table not found: lake.md.trades; did you mean lake.md.trade"), "{text}");
        assert!(!text.contains("tradess") && told.is_usage(), "{text}");
    }
}

#[tokio::test]
async fn a_name_is_offered_once_however_often_pages_repeat_it() {
    let stub = HttpStub::start(|asked| match asked.path.split('?').next().unwrap_or_default() {
        TABLE => error(404, "NoSuchTableException"),
        LIST => page(&["trade"], "again"),
        _ => sound(asked, &json!({})),
    });
    let text = error_chain(&load(config(&stub.url())).await.unwrap_err());
    assert!(text.ends_with("table not found: lake.md.trades; did you mean lake.md.trade?"), "{text}");
}

#[tokio::test]
async fn pages_that_fail_half_way_offer_what_came_before() {
    for reply in [error(500, "X"), error(403, "ForbiddenException"), Reply::new(200, "<html></html>")] {
        let second = reply.clone();
        let stub = HttpStub::start(move |asked| match asked.path.as_str() {
            TABLE => error(404, "NoSuchTableException"),
            LIST => page(&["trade"], "2"),
            path if path.starts_with(LIST) => second.clone(),
            _ => sound(asked, &json!({})),
        });
        let told = load(config(&stub.url())).await.unwrap_err();
        let text = error_chain(&told);
        assert!(text.ends_with("table not found: lake.md.trades; did you mean lake.md.trade?"), "{text}");
        assert!(told.is_usage() && count(&stub, LIST) <= 5, "{reply:?}");
    }
}
