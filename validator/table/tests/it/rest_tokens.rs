//! Tokens of a REST catalog: renewed when they have ended and before they do, and a server that gives none is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use fixtures_harness::{Asked, Ending, HttpStub, Reply};
use futures::future::join_all;
use serde_json::{Value as Json, json};
use validator_core::error_chain::error_chain;
use validator_core::secret::Secret;
use validator_table::{RestAccess, RestConfig};

use crate::rest_catalog::{TABLE, client, config, error, json, load, on_disk, sound};

const TOKENS: &str = "/v1/oauth/tokens";

/// A catalog that gives the tokens `t1`, `t2`, …, each for so many seconds, and takes them all; `instead` goes before its
/// answer to a question that has the token of this number.
fn giving(
    answer: Json,
    lasts: u64,
    instead: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> HttpStub {
    let given = AtomicUsize::new(0);
    HttpStub::start(move |asked| {
        if asked.path == TOKENS {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            return json(json!({ "access_token": format!("t{number}"), "token_type": "bearer", "expires_in": lasts }));
        }
        instead(asked, number_of(asked)).unwrap_or_else(|| sound(asked, &answer))
    })
}

/// The number of the token that came with a question.
fn number_of(asked: &Asked) -> usize {
    asked.header("authorization").and_then(|told| told.strip_prefix("Bearer t")?.parse().ok()).unwrap_or(0)
}

/// The numbers of the tokens that came with the questions for the table.
fn taken_for_the_table(stub: &HttpStub) -> Vec<usize> {
    stub.asked().iter().filter(|asked| asked.path == TABLE).map(number_of).collect()
}

fn count(stub: &HttpStub, path: &str) -> usize {
    stub.asked().iter().filter(|asked| asked.path == path).count()
}

/// Client credentials that go to a server of their own.
fn client_of(giver: &HttpStub) -> RestAccess {
    let server_uri = Some(format!("{}/token", giver.url()));
    RestAccess::Client { id: None, secret: Secret::new("hunter2"), server_uri, parameters: Vec::new() }
}

#[tokio::test]
async fn a_token_is_renewed_where_the_catalog_says_that_it_has_ended() {
    let (_lake, answer) = on_disk();
    for status in [401, 419] {
        let ended = move || Some(error(status, "AuthenticationTimeoutException"));
        let stub = giving(
            answer.clone(),
            3_600,
            move |asked, number| {
                if asked.path == TABLE && number == 1 { ended() } else { None }
            },
        );
        load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap();
        assert_eq!((taken_for_the_table(&stub), count(&stub, TOKENS)), (vec![1, 2], 2), "{status}");

        let stub = giving(answer.clone(), 3_600, move |asked, _| if asked.path == TABLE { ended() } else { None });
        let told = load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap_err();
        assert_eq!((taken_for_the_table(&stub), count(&stub, TOKENS)), (vec![1, 2], 2), "{status} always");
        assert!(error_chain(&told).contains(&format!("{TABLE}: {status}")), "{}", error_chain(&told));
        assert!(!told.is_usage());
    }
}

#[tokio::test]
async fn a_given_token_that_has_ended_cannot_be_renewed() {
    let stub = HttpStub::start(|_| error(419, "AuthenticationTimeoutException"));
    let access = RestAccess::Token(Secret::new("hunter2"));
    let told = load(RestConfig { access, ..config(&stub.url()) }).await.unwrap_err();
    let text = format!("{} {told:?}", error_chain(&told));
    assert!(text.contains("419") && text.contains("AuthenticationTimeoutException: said so"), "{text}");
    assert!(!text.contains("hunter2") && !told.is_usage(), "{text}");
    assert_eq!(stub.lines(), ["GET /v1/config"]);
}

#[tokio::test]
async fn a_token_is_renewed_a_quarter_of_its_life_before_it_ends() {
    // The catalog takes every token, and itself makes us wait between the two questions of a look-up.
    let looks = [("0", 8, vec![1]), ("6", 60, vec![1]), ("6", 8, vec![2])].map(|(wait, lasts, taken)| async move {
        let (_lake, answer) = on_disk();
        let questions = AtomicUsize::new(0);
        let stub = giving(answer, lasts, move |asked, _| {
            let first = asked.path == "/v1/config" && questions.fetch_add(1, Ordering::SeqCst) == 0;
            first.then(|| error(503, "X").header("Retry-After", wait))
        });
        load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap();
        assert_eq!(taken_for_the_table(&stub), taken, "{wait} of {lasts} seconds");
        assert_eq!(count(&stub, TOKENS), taken[0], "{wait} of {lasts} seconds");
    });
    join_all(looks).await;
}

/// What a server that gives no token now may answer; it may give one another time.
fn passing() -> [Reply; 8] {
    let token = || json(json!({ "access_token": "t1" }));
    [
        error(500, "X"),
        error(503, "X"),
        error(429, "X").header("Retry-After", "0"),
        error(408, "X"),
        token().ending(Ending::Cut(3)),
        token().ending(Ending::Reset(3)),
        token().ending(Ending::Silence(3)),
        token().ending(Ending::Refused),
    ]
}

#[tokio::test]
async fn a_server_of_tokens_that_fails_once_is_asked_again() {
    let looks = passing().map(|reply| async move {
        let (_lake, answer) = on_disk();
        let (asks, failing) = (AtomicUsize::new(0), reply.clone());
        let giver = HttpStub::start(move |_| match asks.fetch_add(1, Ordering::SeqCst) {
            0 => failing.clone(),
            _ => json(json!({ "access_token": "t1" })),
        });
        let stub = HttpStub::start(move |asked| match number_of(asked) {
            1 => sound(asked, &answer),
            _ => error(401, "NotAuthorizedException"),
        });
        load(RestConfig { access: client_of(&giver), ..config(&stub.url()) }).await.unwrap();
        assert_eq!(giver.lines(), ["POST /token", "POST /token"], "{reply:?}");
        assert_eq!(giver.asked()[0].body, giver.asked()[1].body, "{reply:?}");
    });
    join_all(looks).await;
}

#[tokio::test]
async fn a_server_of_tokens_that_never_gives_one_is_told_by_its_name() {
    let looks = passing().map(|reply| async move {
        let always = reply.clone();
        let giver = HttpStub::start(move |_| always.clone());
        let stub = HttpStub::start(|_| error(401, "NotAuthorizedException"));
        let told = load(RestConfig { access: client_of(&giver), ..config(&stub.url()) }).await.unwrap_err();
        let text = format!("{} {told:?}", error_chain(&told));
        assert!(text.contains(&format!("gave no answer for {}/token in ", giver.url())), "{text}");
        assert!(text.contains("and 4 attempts") && !text.contains("hunter2") && !told.is_usage(), "{text}");
        assert_eq!((giver.asked().len(), stub.asked().len()), (4, 0), "{reply:?}");
    });
    join_all(looks).await;
}

#[tokio::test]
async fn a_server_of_tokens_that_fails_at_a_renewal_ends_the_look_up() {
    let (_lake, answer) = on_disk();
    let asks = AtomicUsize::new(0);
    let giver = HttpStub::start(move |_| match asks.fetch_add(1, Ordering::SeqCst) {
        0 => json(json!({ "access_token": "t1", "expires_in": 3_600 })),
        _ => Reply::new(400, r#"{"error":"invalid_client","error_description":"no such client"}"#),
    });
    let stub = HttpStub::start(move |asked| match asked.path.as_str() {
        TABLE => error(419, "AuthenticationTimeoutException"),
        _ => sound(asked, &answer),
    });
    let told = load(RestConfig { access: client_of(&giver), ..config(&stub.url()) }).await.unwrap_err();
    let text = error_chain(&told);
    assert!(text.contains(&format!("refuses {}/token: 400", giver.url())), "{text}");
    assert!(text.contains("invalid_client: no such client") && !told.is_usage(), "{text}");
    assert_eq!((giver.asked().len(), count(&stub, TABLE)), (2, 1));
}
