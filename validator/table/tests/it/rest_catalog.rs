//! The REST catalog against a server that answers as it is told, soundly and not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fixtures_harness::{Asked, Ending, HttpStub, Reply};
use serde_json::{Value as Json, json};
use validator_core::error_chain::error_chain;
use validator_core::secret::Secret;
use validator_table::{
    CatalogConfig, RestAccess, RestConfig, SnapshotSelector, Storage, Table, TableError, TableName, load_with,
};

use crate::lake::{Lake, column};
use crate::s3_stub::{config_of, serving, store_of, table_at};

pub const TABLE: &str = "/v1/namespaces/md/tables/trades";

pub fn config(url: &str) -> RestConfig {
    RestConfig { uri: url.to_owned(), timeout: Some(Duration::from_millis(500)), vended: true, ..RestConfig::default() }
}

pub async fn load_in(config: RestConfig, storage: Storage) -> Result<Table, TableError> {
    let name = TableName::parse("lake.md.trades").unwrap();
    load_with(&CatalogConfig::Rest(config), &name, storage).await
}

pub async fn load(config: RestConfig) -> Result<Table, TableError> {
    load_in(config, Storage::local().with_s3(config_of("http://127.0.0.1:1"))).await
}

pub fn json(body: Json) -> Reply {
    Reply::new(200, body.to_string())
}

pub fn error(status: u16, kind: &str) -> Reply {
    Reply::new(status, json!({ "error": { "message": "said so", "type": kind, "code": status } }).to_string())
}

/// What a sound catalog answers for one table.
pub fn sound(asked: &Asked, table: &Json) -> Reply {
    match asked.path.split('?').next().unwrap_or_default() {
        "/v1/config" => json(json!({ "defaults": {}, "overrides": {} })),
        TABLE => json(table.clone()),
        "/v1/namespaces/md/tables" => json(json!({ "identifiers": [
            { "namespace": ["md"], "name": "trades_v2" }, { "namespace": ["md"], "name": "quotes" } ] })),
        _ => error(404, "NoSuchTableException"),
    }
}

/// The metadata of a table on the disk, and an answer that names it.
pub fn on_disk() -> (Lake, Json) {
    let lake = Lake::new(vec![column(1, "a", "long")]);
    let location = lake.save();
    let answer = json!({ "metadata-location": location, "metadata": lake.metadata });
    (lake, answer)
}

#[tokio::test]
async fn a_table_is_found_and_its_metadata_read_from_the_file_that_the_catalog_names() {
    let (lake, answer) = on_disk();
    let stub = HttpStub::start(move |asked| sound(asked, &answer));
    let config = RestConfig { warehouse: Some("a b&c".to_owned()), ..config(&stub.url()) };
    let table = load(config).await.unwrap();
    assert_eq!(table.metadata_location(), lake.save());
    assert_eq!(stub.lines(), ["GET /v1/config?warehouse=a+b%26c".to_owned(), format!("GET {TABLE}")]);
    assert_eq!(stub.asked()[1].header("x-iceberg-access-delegation"), Some("vended-credentials"));
    assert_eq!(stub.asked()[1].header("authorization"), None);
}

#[tokio::test]
async fn prefix_separator_headers_and_names_are_sent_as_the_catalog_wants_them() {
    let (_lake, answer) = on_disk();
    let stub = HttpStub::start(move |asked| match asked.path.as_str() {
        "/cat/v1/config" => json(json!({
            "defaults": { "prefix": "default", "header.X-Their": "their" },
            "overrides": { "prefix": "ws/one", "namespace-separator": "%2E" },
        })),
        "/cat/v1/ws/one/namespaces/m%20d%2Ee%2Bu/tables/tr%25a" => json(answer.clone()),
        _ => error(404, "NoSuchTableException"),
    });
    let mut config = config(&format!("{}/cat/", stub.url()));
    config.prefix = Some("own".to_owned());
    config.headers = vec![("X-Own".to_owned(), Secret::new("own"))];
    config.vended = false;
    let name = TableName { catalog: "lake".into(), namespace: vec!["m d".into(), "e+u".into()], table: "tr%a".into() };
    load_with(&CatalogConfig::Rest(config), &name, Storage::local()).await.unwrap();
    let asked = stub.asked();
    assert_eq!((asked[1].header("x-own"), asked[1].header("x-their")), (Some("own"), Some("their")));
    assert_eq!(asked[1].header("x-iceberg-access-delegation"), None);
}

#[tokio::test]
async fn levels_of_a_namespace_are_parted_by_the_unit_separator() {
    let (_lake, answer) = on_disk();
    let stub = HttpStub::start(move |asked| match asked.path.as_str() {
        "/v1/namespaces/md%1Feu/tables/trades" => json(answer.clone()),
        _ => sound(asked, &answer),
    });
    let name = TableName::parse("lake.md.eu.trades").unwrap();
    load_with(&CatalogConfig::Rest(config(&stub.url())), &name, Storage::local()).await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_not_there_names_the_nearest() {
    let stub = HttpStub::start(|asked| match asked.path.as_str() {
        TABLE => error(404, "NoSuchTableException"),
        "/v1/namespaces/md/tables?pageToken=2" => {
            json(json!({ "identifiers": [{ "namespace": ["md"], "name": "trade" }] }))
        }
        "/v1/namespaces/md/tables" => {
            json(json!({ "identifiers": [{ "namespace": ["md"], "name": "quotes" }], "next-page-token": "2" }))
        }
        _ => sound(asked, &json!({})),
    });
    let told = load(config(&stub.url())).await.unwrap_err();
    assert_eq!(
        error_chain(&told),
        "catalog lookup failed: table not found: lake.md.trades; did you mean lake.md.trade?"
    );
    assert!(told.is_usage());
    // A catalog that does not list offers nothing, and the table is not there all the same.
    let stub = HttpStub::start(|asked| match asked.path.as_str() {
        "/v1/config" => sound(asked, &json!({})),
        _ => error(404, "NoSuchNamespaceException"),
    });
    assert_eq!(
        error_chain(&load(config(&stub.url())).await.unwrap_err()),
        "catalog lookup failed: table not found: lake.md.trades"
    );
}

#[tokio::test]
async fn refusals_are_final_and_not_the_users_fault() {
    for (status, kind) in [
        (400, "BadRequestException"),
        (401, "NotAuthorizedException"),
        (403, "ForbiddenException"),
        (406, "UnsupportedOperationException"),
    ] {
        for refused in ["/v1/config", TABLE] {
            let stub =
                HttpStub::start(
                    move |asked| {
                        if asked.path == refused { error(status, kind) } else { sound(asked, &json!({})) }
                    },
                );
            let told =
                load(RestConfig { access: RestAccess::Token(Secret::new("t0ken")), ..config(&stub.url()) }).await;
            let told = told.unwrap_err();
            let text = error_chain(&told);
            assert!(text.contains(&format!("rest catalog refuses {}{refused}: {status}", stub.url())), "{text}");
            assert!(text.contains(kind) && text.ends_with("said so") && !text.contains("t0ken"), "{text}");
            assert!(!told.is_usage());
            assert_eq!(stub.lines().iter().filter(|line| line.ends_with(refused)).count(), 1);
        }
    }
}

#[tokio::test]
async fn not_found_is_believed_of_a_rest_catalog_only() {
    for refused in ["/v1/config", TABLE] {
        let stub = HttpStub::start(move |asked| {
            if asked.path == refused { Reply::new(404, "<html>nginx</html>") } else { sound(asked, &json!({})) }
        });
        let told = load(config(&stub.url())).await.unwrap_err();
        assert!(error_chain(&told).contains("rest catalog refuses") && !told.is_usage(), "{}", error_chain(&told));
    }
    let stub = HttpStub::start(|_| error(404, "NoSuchWarehouseException"));
    let told = load(config(&stub.url())).await.unwrap_err();
    assert!(
        told.is_usage() && error_chain(&told).contains("NoSuchWarehouseException: said so"),
        "{}",
        error_chain(&told)
    );
}

#[tokio::test]
async fn what_may_pass_is_repeated_within_bounds() {
    for reply in [
        error(500, "X"),
        error(503, "X"),
        error(429, "X").header("Retry-After", "0"),
        error(408, "X"),
        json(json!({ "defaults": {} })).ending(Ending::Cut(3)),
        json(json!({ "defaults": {} })).ending(Ending::Reset(3)),
        json(json!({ "defaults": {} })).ending(Ending::Silence(3)),
        json(json!({})).ending(Ending::Refused),
    ] {
        let (_lake, answer) = on_disk();
        let (count, failing) = (AtomicUsize::new(0), reply.clone());
        let stub = HttpStub::start(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => failing.clone(),
            _ => sound(asked, &answer),
        });
        load(config(&stub.url())).await.unwrap();
        let always = reply.clone();
        let stub = HttpStub::start(move |_| always.clone());
        let begun = Instant::now();
        let told = load(config(&stub.url())).await.unwrap_err();
        assert!(error_chain(&told).contains("and 4 attempts"), "{}", error_chain(&told));
        assert!(!told.is_usage() && begun.elapsed() < Duration::from_secs(30));
        assert_eq!(stub.asked().len(), 4, "{reply:?}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = load(config(&format!("http://{nobody}"))).await.unwrap_err();
    assert!(
        error_chain(&told).contains("4 attempts") && error_chain(&told).contains("refused"),
        "{}",
        error_chain(&told)
    );
}

#[tokio::test]
async fn answers_that_are_none_or_too_long_are_refused() {
    for (body, why) in
        [("", "EOF"), ("<html></html>", "expected value"), ("{}", "no REST catalog"), ("[]", "no REST catalog")]
    {
        let stub = HttpStub::start(move |_| Reply::new(200, body));
        let told = error_chain(&load(config(&stub.url())).await.unwrap_err());
        assert!(told.contains("cannot be used") && told.contains(why), "{told}");
    }
    for body in ["", "{", "[1]", "{}", r#"{"metadata-location":null}"#] {
        let stub = HttpStub::start(
            move |asked| {
                if asked.path == TABLE { Reply::new(200, body) } else { sound(asked, &json!({})) }
            },
        );
        let told = load(config(&stub.url())).await.unwrap_err();
        assert!(error_chain(&told).contains("cannot be used") && !told.is_usage(), "{}", error_chain(&told));
    }
    let promised = HttpStub::start(|_| Reply::new(200, "x").header("Content-Length", "999999999999"));
    let told = error_chain(&load(config(&promised.url())).await.unwrap_err());
    assert!(told.contains("bytes long"), "{told}");
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_host_only() {
    let (_lake, answer) = on_disk();
    let stub = HttpStub::start(move |asked| match asked.path.as_str() {
        "/v1/config" => Reply::new(307, "").header("Location", "/moved/v1/config"),
        "/moved/v1/config" => json(json!({ "defaults": {} })),
        _ => sound(asked, &answer),
    });
    let access = || RestAccess::Token(Secret::new("t0ken"));
    load(RestConfig { access: access(), ..config(&stub.url()) }).await.unwrap();

    let other = HttpStub::start(|_| json(json!({ "defaults": {} })));
    let to = other.url();
    let stub = HttpStub::start(move |_| Reply::new(301, "").header("Location", format!("{to}/v1/config?token=x")));
    let told = load(RestConfig { access: access(), ..config(&stub.url()) }).await.unwrap_err();
    assert!(error_chain(&told).contains(&format!(
        "redirects {}/v1/config to {}: not followed",
        stub.url(),
        other.url()
    )));
    assert!(other.asked().is_empty() && !told.is_usage());

    let to = other.url();
    let stub = HttpStub::start(move |_| json(json!({ "overrides": { "uri": to } })));
    let told = load(RestConfig { access: access(), ..config(&stub.url()) }).await.unwrap_err();
    assert!(error_chain(&told).contains("not followed") && other.asked().is_empty(), "{}", error_chain(&told));

    let stub = HttpStub::start(|asked| Reply::new(302, "").header("Location", asked.path.clone()));
    assert!(error_chain(&load(config(&stub.url())).await.unwrap_err()).contains("more than 3 times"));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_nobody_is_refused() {
    let (_lake, answer) = on_disk();
    let wrong_answer = answer.clone();
    let fine = HttpStub::start_tls("127.0.0.1", move |asked| sound(asked, &answer));
    let wrong = HttpStub::start_tls("catalog.example", move |asked| sound(asked, &wrong_answer));
    let trusting = |stub: &HttpStub| RestConfig {
        ca: Some(validator_table::Pem::parse(stub.ca().into()).unwrap()),
        access: RestAccess::Token(Secret::new("t0ken")),
        timeout: Some(Duration::from_secs(10)),
        ..config(&stub.url())
    };
    load(trusting(&fine)).await.unwrap();
    for config in [RestConfig { ca: None, ..trusting(&fine) }, trusting(&wrong)] {
        let told = load(config).await.unwrap_err();
        assert!(error_chain(&told).contains("certificate") && !told.is_usage(), "{}", error_chain(&told));
    }
    assert!(wrong.asked().is_empty());
}

/// A catalog that wants the newest of the tokens that it gave.
fn guarded(answer: Json, lasts: u64, forgets_after: usize) -> (HttpStub, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let (counter, uses) = (Arc::clone(&given), AtomicUsize::new(0));
    let stub = HttpStub::start(move |asked| {
        if asked.path == "/v1/oauth/tokens" {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            uses.store(0, Ordering::SeqCst);
            return json(json!({ "access_token": format!("t{number}"), "token_type": "bearer", "expires_in": lasts }));
        }
        let current = format!("Bearer t{}", counter.load(Ordering::SeqCst));
        let taken = uses.fetch_add(1, Ordering::SeqCst) < forgets_after;
        if asked.header("authorization") == Some(current.as_str()) && taken {
            sound(asked, &answer)
        } else {
            error(401, "NotAuthorizedException")
        }
    });
    (stub, given)
}

pub fn client(secret: &str) -> RestAccess {
    RestAccess::Client { id: Some("me".into()), secret: Secret::new(secret), server_uri: None, parameters: Vec::new() }
}

#[tokio::test]
async fn client_credentials_fetch_a_token_and_again_when_it_is_no_longer_taken() {
    let (_lake, answer) = on_disk();
    // Each token is good for one question: the second one of a look-up meets 401 mid-way.
    let (stub, given) = guarded(answer.clone(), 3_600, 1);
    load(RestConfig { access: client("s3cr&t"), ..config(&stub.url()) }).await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 2);
    let form = &stub.asked()[0].body;
    for part in ["grant_type=client_credentials", "client_id=me", "client_secret=s3cr%26t", "scope=catalog"] {
        assert!(form.split('&').any(|field| field == part), "{form}");
    }
    // One that lasts for no time at all is fetched for each question.
    let (stub, given) = guarded(answer.clone(), 0, 10);
    load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 2);
    let (stub, given) = guarded(answer, 3_600, 10);
    load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 1);
    // Never taken: asked twice, not for ever.
    let (stub, given) = guarded(json!({}), 3_600, 0);
    let told = load(RestConfig { access: client("x"), ..config(&stub.url()) }).await.unwrap_err();
    assert!(error_chain(&told).contains("401"), "{}", error_chain(&told));
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn tokens_come_from_the_server_that_is_named_and_secrets_are_never_told() {
    let (_lake, answer) = on_disk();
    let giver = HttpStub::start(|_| json(json!({ "access_token": "t0ken" })));
    let stub = HttpStub::start(move |asked| match asked.header("authorization") {
        Some("Bearer t0ken") => sound(asked, &answer),
        _ => error(401, "NotAuthorizedException"),
    });
    let access = |uri: String| RestAccess::Client {
        id: None,
        secret: Secret::new("hunter2"),
        server_uri: Some(uri),
        parameters: vec![("scope".into(), "all".into()), ("audience".into(), "lake".into())],
    };
    load(RestConfig { access: access(format!("{}/token", giver.url())), ..config(&stub.url()) }).await.unwrap();
    assert_eq!(giver.lines(), ["POST /token"]);
    assert!(giver.asked()[0].body.contains("scope=all&audience=lake") && !giver.asked()[0].body.contains("client_id"));

    for (reply, told_of) in [
        (
            Reply::new(400, r#"{"error":"invalid_client","error_description":"no such client"}"#),
            "invalid_client: no such client",
        ),
        (Reply::new(401, ""), "401"),
        (Reply::new(200, "{}"), "no access_token"),
        (Reply::new(200, "t0ken"), "cannot be used"),
        (Reply::new(307, "").header("Location", "/elsewhere"), "not followed"),
    ] {
        let giver = HttpStub::start(move |_| reply.clone());
        let config = RestConfig { access: access(giver.url()), ..config(&stub.url()) };
        let told = load(config.clone()).await.unwrap_err();
        let text = format!("{} {told:?} {config:?}", error_chain(&told));
        assert!(text.contains(told_of), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("t0ken"), "{text}");
        assert_eq!(giver.asked().len(), 1);
    }
}

#[tokio::test]
async fn keys_that_the_catalog_lends_are_used_by_the_longest_prefix_and_renewed() {
    let (lake, location) = table_at("s3://lake").await;
    let store = serving(lake.dir.path(), |asked, _| {
        let signed = asked.header("authorization").unwrap_or_default();
        let token = asked.header("x-amz-security-token").unwrap_or_default();
        // The first key ends before it was said to.
        match (signed.contains("Credential=lent/"), token) {
            (true, "n1") => Some(crate::s3_stub::refusal(400, "ExpiredToken")),
            (true, _) => None,
            _ => Some(crate::s3_stub::refusal(403, "AccessDenied")),
        }
    });
    let (endpoint, loads) = (store.url(), AtomicUsize::new(0));
    let stub = HttpStub::start(move |asked| {
        let number = if asked.path == TABLE { loads.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        let key = |id: &str| json!({ "s3.access-key-id": id, "s3.secret-access-key": "hunter2", "s3.session-token": format!("n{number}") });
        let mut config = key("wide");
        config["s3.endpoint"] = json!(endpoint);
        sound(
            asked,
            &json!({
                "metadata-location": location, "config": config,
                "storage-credentials": [{ "prefix": "s3://lake", "config": key("lent") }, { "prefix": "s3://other/", "config": key("other") }],
            }),
        )
    });
    let table = load_in(config(&stub.url()), Storage::local().with_s3(Default::default())).await.unwrap();
    let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
    assert_eq!(pinned.files.len(), 2);
    assert_eq!(stub.lines().iter().filter(|line| line.ends_with(TABLE)).count(), 2, "asked anew once");
    assert!(!format!("{table:?} {pinned:?}").contains("hunter2"));
}

#[tokio::test]
async fn ones_own_key_and_endpoint_go_before_what_the_catalog_serves() {
    let (lake, location) = table_at("s3://lake").await;
    let store = serving(lake.dir.path(), |asked, _| {
        let own = asked.header("authorization").unwrap_or_default().contains("Credential=stub/");
        let lent = asked.header("x-amz-security-token").is_some();
        (!own || lent).then(|| crate::s3_stub::refusal(403, "AccessDenied"))
    });
    let stub = HttpStub::start(move |asked| {
        sound(
            asked,
            &json!({
                "metadata-location": location,
                "config": { "s3.endpoint": "http://inside.example", "s3.access-key-id": "lent", "s3.secret-access-key": "x", "s3.session-token": "y" },
            }),
        )
    });
    let config = RestConfig { vended: false, ..config(&stub.url()) };
    load_in(config, store_of(&store.url())).await.unwrap().pin(&SnapshotSelector::Current).await.unwrap();
}

#[tokio::test]
async fn signing_by_the_catalog_is_refused_by_name() {
    let stub = HttpStub::start(|asked| {
        sound(
            asked,
            &json!({
        "metadata-location": "s3://lake/v1.metadata.json", "config": { "s3.remote-signing-enabled": "true" } }),
        )
    });
    let told = load(config(&stub.url())).await.unwrap_err();
    assert!(error_chain(&told).contains("s3.remote-signing-enabled") && !told.is_usage(), "{}", error_chain(&told));
}

#[tokio::test]
async fn the_copy_in_the_answer_is_used_only_where_there_is_no_file_and_it_is_said() {
    let (lake, answer) = on_disk();
    let of = |answer: Json| HttpStub::start(move |asked| sound(asked, &answer));
    // No location at all: a catalog that keeps metadata elsewhere.
    let stub = of(json!({ "metadata": lake.metadata }));
    let table = load(config(&stub.url())).await.unwrap();
    assert_eq!(table.metadata_location(), format!("{}{TABLE}", stub.url()));
    assert!(table.pin(&SnapshotSelector::Current).await.unwrap().findings.is_empty());

    // A file that is not there.
    let mut gone = answer.clone();
    gone["metadata-location"] = json!("/no/such/v9.metadata.json");
    let stub = of(gone.clone());
    let table = load(config(&stub.url())).await.unwrap();
    let findings = table.pin(&SnapshotSelector::Current).await.unwrap().findings;
    let found: Vec<_> = findings.iter().map(|finding| (finding.cause, finding.path.as_str())).collect();
    assert_eq!(found, [("missing_metadata_file", "/no/such/v9.metadata.json")]);
    gone.as_object_mut().unwrap().remove("metadata");
    let told = load(config(&of(gone).url())).await.unwrap_err();
    assert!(error_chain(&told).contains("object not found"), "{}", error_chain(&told));

    // A file that is broken, or of another state.
    let mut other = answer.clone();
    other["metadata"]["last-sequence-number"] = json!(7);
    let told = load(config(&of(other).url())).await.unwrap_err();
    assert!(
        error_chain(&told).contains("which is right cannot be known") && !told.is_usage(),
        "{}",
        error_chain(&told)
    );
    std::fs::write(lake.save(), "{}").unwrap();
    let told = load(config(&of(answer).url())).await.unwrap_err();
    assert!(error_chain(&told).contains("table metadata broken"), "{}", error_chain(&told));
}
