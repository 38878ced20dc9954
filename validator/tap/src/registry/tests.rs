//! The registry against a server that answers by script.

#[path = "../../tests/it/stub_registry.rs"]
mod stub;

use std::time::{Duration, Instant};

use self::stub::{Answer, Stub, not_found, registered};
use super::client::{Client, Patience};
use super::*;
use crate::avro::avro_fields;

const RECORD: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#;

/// As patient as a test can wait for.
const QUICK: Patience = Patience { request: Duration::from_millis(300), attempts: 3, pause: Duration::from_millis(1) };

fn schemas(url: String) -> Schemas {
    let config = RegistryConfig { url, ..RegistryConfig::default() };
    Schemas::with_client(Client::new(&config, QUICK).expect("a client"))
}

fn known(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Known(_))
}

fn why(lookup: Lookup) -> String {
    match lookup {
        Lookup::Known(_) => panic!("a schema that must not be one"),
        Lookup::Unknown(why) => why.to_string(),
    }
}

fn ok(body: &str) -> Answer {
    Answer::Body(200, body.to_owned())
}

#[test]
fn the_path_of_the_url_is_kept_and_an_id_is_asked_for_once() {
    let stub = Stub::start(|path, _| match path {
        "/apis/ccompat/v7/schemas/ids/7" => ok(&registered(RECORD)),
        _ => not_found(),
    });
    for base in ["/apis/ccompat/v7", "/apis/ccompat/v7/"] {
        let schemas = schemas(format!("{}{base}", stub.url()));
        for _ in 0..3 {
            assert!(known(&schemas.by_id(7).expect("an answer")));
            assert_eq!(why(schemas.by_id(8).expect("an answer")), "the registry does not know it");
        }
    }
    let asked: Vec<String> = stub.asked().into_iter().map(|asked| asked.path).collect();
    let [known, unknown] = ["/apis/ccompat/v7/schemas/ids/7", "/apis/ccompat/v7/schemas/ids/8"];
    // What is not known is asked for until it is believed, and then no more.
    let once = [known, unknown, unknown, unknown];
    assert_eq!(asked, [once, once].concat());
}

#[test]
fn a_404_that_is_not_a_registrys_points_at_the_url() {
    let stub = Stub::start(|_, _| Answer::Body(404, "<html>not found</html>".to_owned()));
    let error = schemas(stub.url()).by_id(7).expect_err("no registry answers");
    let said = error.to_string();
    assert!(
        said.ends_with("3 attempts: 404 Not Found in no registry's words: is the path of its URL right?"),
        "{said}"
    );
}

#[test]
fn an_id_that_is_known_a_moment_later_is_known() {
    for first in [not_found(), Answer::Body(404, "<html>upstream away</html>".to_owned())] {
        let stub = Stub::start(move |_, before| if before == 0 { first.clone() } else { ok(&registered(RECORD)) });
        assert!(known(&schemas(stub.url()).by_id(1).expect("an answer at last")));
    }
}

#[test]
fn of_many_ids_that_nobody_knows_each_is_asked_for_once() {
    let stub = Stub::start(|_, _| not_found());
    let schemas = schemas(stub.url());
    for id in 0..100 {
        assert_eq!(why(schemas.by_id(id).expect("an answer")), "the registry does not know it");
    }
    let doubted = limits::REGISTRY_IDS_DOUBTED as usize;
    assert_eq!(stub.asked().len(), 100 + doubted * (QUICK.attempts as usize - 1));
}

#[test]
fn a_token_goes_before_user_and_password() {
    let stub = Stub::of_schemas(&[(1, RECORD)]);
    let secret = |text: &str| Some(text.to_owned());
    let configs = [
        (None, None, None),
        (secret("me"), secret("pw"), None),
        (secret("me"), None, None),
        (secret("me"), secret("pw"), secret("t0k")),
    ];
    for (user, password, token) in configs {
        let config = RegistryConfig { url: stub.url(), user, password, token };
        assert!(!format!("{config:?}").contains("pw") && !format!("{config:?}").contains("t0k"));
        let schemas = Schemas::registry(config).expect("a client");
        assert!(!format!("{schemas:?}").contains("t0k"));
        assert!(known(&schemas.by_id(1).expect("an answer")));
    }
    let sent: Vec<_> = stub.asked().into_iter().map(|asked| asked.authorization).collect();
    // printf me:pw | base64; printf me: | base64
    assert_eq!(sent, [None, secret("Basic bWU6cHc="), secret("Basic bWU6"), secret("Bearer t0k")]);
}

#[test]
fn what_may_pass_is_asked_again() {
    for passing in [500, 502, 503, 429, 408] {
        let stub = Stub::start(move |_, before| match before {
            0 => Answer::Body(passing, "{}".to_owned()),
            1 => Answer::Torn,
            _ => ok(&registered(RECORD)),
        });
        assert!(known(&schemas(stub.url()).by_id(1).expect("an answer at last")), "{passing}");
        assert_eq!(stub.asked().len(), 3);
    }
}

#[test]
fn what_does_not_pass_ends_the_run_after_a_bound() {
    let stub = Stub::start(|_, _| Answer::Body(503, "{}".to_owned()));
    let error = schemas(stub.url()).by_id(1).expect_err("it never answers");
    let wanted = format!(
        "the schema registry gave no answer for {}/schemas/ids/1 in 1 s and 3 attempts: 503 Service Unavailable",
        stub.url()
    );
    assert_eq!(error.to_string(), wanted);
    assert_eq!(stub.asked().len(), 3);
}

#[test]
fn nobody_there_is_an_error_that_says_so() {
    // Bound and given back: nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let error = schemas(format!("http://{gone}")).by_id(1).expect_err("nobody listens").to_string();
    assert!(error.contains("in 1 s and 3 attempts: ") && error.contains("onnection refused"), "{error}");
}

#[test]
fn a_registry_that_keeps_silent_is_given_up() {
    let stub = Stub::start(|_, _| Answer::Silence);
    let begun = Instant::now();
    let error = schemas(stub.url()).by_id(1).expect_err("it never answers").to_string();
    assert!(error.contains("3 attempts") && error.contains("timed out"), "{error}");
    assert!(begun.elapsed() >= 3 * QUICK.request, "each attempt has its time");
    assert_eq!(stub.asked().len(), 3);
}

#[test]
fn refusals_and_strange_answers_are_final() {
    for (answer, says) in [
        (Answer::Body(401, "{}".to_owned()), "refuses"),
        (Answer::Body(403, "{}".to_owned()), "403 Forbidden"),
        (ok("<html>"), "cannot be read: expected value"),
        (ok("{}"), "missing field `schema`"),
    ] {
        let stub = Stub::start(move |_, _| answer.clone());
        let error = schemas(stub.url()).by_id(1).expect_err("no answer to work with").to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(stub.asked().len(), 1);
    }
}

#[test]
fn a_url_that_is_none_is_refused_at_once() {
    for url in ["", "registry:8081", "ftp://r/", "/apis"] {
        let config = RegistryConfig { url: url.to_owned(), ..RegistryConfig::default() };
        assert!(matches!(Schemas::registry(config), Err(TapError::RegistryClient { .. })), "{url}");
    }
    let config = RegistryConfig { url: "http://me:pw@127.0.0.1:1/p".to_owned(), ..RegistryConfig::default() };
    let schemas = Schemas::with_client(Client::new(&config, QUICK).expect("a client"));
    assert!(!schemas.by_id(1).expect_err("nobody listens").to_string().contains("pw"));
}

#[test]
fn schemas_of_other_kinds_and_broken_ones_are_no_schemas() {
    let stub = Stub::start(|path, _| match path {
        "/schemas/ids/1" => ok(r#"{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}"#),
        "/schemas/ids/2" => ok(&registered(r#"{"type":"record","name":"R"}"#)),
        "/schemas/ids/3" => ok(r#"{"schemaType":"AVRO","schema":"\"string\"","references":null}"#),
        _ => not_found(),
    });
    let schemas = schemas(stub.url());
    assert_eq!(why(schemas.by_id(1).expect("an answer")), "it is a PROTOBUF schema, not an Avro one");
    assert_eq!(why(schemas.by_id(2).expect("an answer")), "a record has no `fields`");
    assert!(known(&schemas.by_id(3).expect("an answer")));
}

#[test]
fn references_are_fetched_with_theirs_and_once() {
    let reference = |subject: &str| serde_json::json!({ "name": "x", "subject": subject, "version": 2 });
    let with = |schema: &str, subjects: &[&str]| {
        let references: Vec<_> = subjects.iter().map(|subject| reference(subject)).collect();
        serde_json::json!({ "schema": schema, "references": references }).to_string()
    };
    let money = r#"{"type":"fixed","name":"a.Money","size":8,"logicalType":"decimal","precision":18,"scale":2}"#;
    let price = r#"{"type":"record","name":"a.Price","fields":[{"name":"m","type":"Money"}]}"#;
    let root =
        r#"{"type":"record","name":"b.R","fields":[{"name":"p","type":"a.Price"},{"name":"m","type":"a.Money"}]}"#;
    let bodies = [
        ("/schemas/ids/1", with(root, &["price/x", "money"])),
        ("/schemas/ids/2", with(root, &["price/x", "gone"])),
        ("/schemas/ids/3", with(root, &["money"])),
        ("/subjects/price%2Fx/versions/2", with(price, &["money"])),
        ("/subjects/money/versions/2", with(money, &[])),
    ];
    let stub = Stub::start(move |path, _| match bodies.iter().find(|(known, _)| *known == path) {
        Some((_, body)) => ok(body),
        None => not_found(),
    });
    let schemas = schemas(stub.url());
    assert!(known(&schemas.by_id(1).expect("an answer")));
    let asked: Vec<String> = stub.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(asked, ["/schemas/ids/1", "/subjects/price%2Fx/versions/2", "/subjects/money/versions/2"]);
    assert_eq!(why(schemas.by_id(2).expect("an answer")), "it refers to version 2 of gone, which is not there");
    assert_eq!(why(schemas.by_id(3).expect("an answer")), "the field p of b.R: the type a.Price is defined nowhere");
    let fields = avro_fields(&schemas, &[], &[1]).expect("the stub answers").fields;
    let shown: Vec<String> = fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    assert_eq!(shown, ["p: struct<m: decimal(18, 2)>", "m: decimal(18, 2)"]);
}

#[test]
fn the_provider_may_be_used_and_dropped_inside_an_async_context() {
    let stub = Stub::of_schemas(&[(1, RECORD)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let schemas = schemas(stub.url());
        assert!(known(&schemas.by_id(1).expect("an answer")));
    });
}

#[test]
fn decoders_that_meet_an_id_at_once_ask_once() {
    let stub = Stub::of_schemas(&[(1, RECORD)]);
    let schemas = schemas(stub.url());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(known(&schemas.by_id(1).expect("an answer"))));
        }
    });
    assert_eq!(stub.asked().len(), 1);
}

#[test]
fn a_file_that_is_missing_or_no_schema_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.avsc");
    assert!(matches!(Schemas::file(&path), Err(TapError::File { .. })));
    std::fs::write(&path, "{\"type\":").expect("a file");
    let error = Schemas::file(&path).expect_err("no schema").to_string();
    assert!(error.contains("x.avsc is no Avro schema: the schema is no JSON"), "{error}");
}
