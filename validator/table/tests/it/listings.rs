//! Listings of a store that fail: repeated, or an error; a shorter list would be an older table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fixtures_harness::{Ending, HttpStub, Reply};
use futures::future::join_all;
use tempfile::TempDir;
use validator_core::error_chain::error_chain;
use validator_table::{CatalogConfig, TableError, TableName, load_with};

use crate::lake::{Lake, column};
use crate::s3_stub::{list_of, listed, refusal, serving, store_of};

const FOLDER: &str = "md/eu/trades/metadata/";

/// A warehouse without a hint, of whose newest version nothing but its listing knows: probing ends at the gap.
fn warehouse() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(FOLDER);
    std::fs::create_dir_all(&folder).unwrap();
    let metadata = serde_json::to_vec(&Lake::new(vec![column(1, "a", "long")]).metadata).unwrap();
    for version in [1, 2, 3, 5] {
        std::fs::write(folder.join(format!("v{version}.metadata.json")), &metadata).unwrap();
    }
    dir
}

/// The listing of its folder, the newest version last.
fn versions() -> String {
    [1, 2, 3, 5].map(|version| listed(&format!("{FOLDER}v{version}.metadata.json"))).concat()
}

/// The text of the whole listing.
fn whole() -> String {
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>", versions())
}

fn page(body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200, body).header("Content-Type", "application/xml")
}

/// A store whose n-th listing is this, from 0, and its listings so far.
fn listing(dir: &TempDir, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (HttpStub, Arc<AtomicUsize>) {
    let lists = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lists);
    let stub = serving(dir.path(), move |asked, _| {
        asked.path.contains("list-type=2").then(|| reply(count.fetch_add(1, Ordering::SeqCst)))
    });
    (stub, lists)
}

/// The name of the metadata file that is found.
async fn found(stub: &HttpStub) -> Result<String, TableError> {
    let catalog = CatalogConfig::Filesystem { warehouse: "s3://lake".to_owned() };
    let name = TableName::parse("lake.md.eu.trades").unwrap();
    let table = load_with(&catalog, &name, store_of(&stub.url())).await?;
    Ok(table.metadata_location().rsplit('/').next().unwrap().to_owned())
}

/// Those of these answers to a listing by which a version was found.
async fn believed(answers: &[String]) -> Vec<(&str, String)> {
    let (dir, mut believed) = (warehouse(), Vec::new());
    for answer in answers {
        let body = answer.clone();
        let (stub, _) = listing(&dir, move |_| page(body.clone()));
        match found(&stub).await {
            Ok(name) => believed.push((answer.as_str(), name)),
            failed => assert_failed(failed, answer),
        }
    }
    believed
}

/// A failure of the store, and not a version.
fn assert_failed(found: Result<String, TableError>, what: &str) {
    let error = found.map(|name| panic!("{what}: {name}")).unwrap_err();
    assert!(error_chain(&error).contains("store failed") && !error.is_usage(), "{what}: {}", error_chain(&error));
}

#[tokio::test]
async fn a_listing_that_fails_once_is_repeated() {
    let dir = warehouse();
    let replies = [refusal(500, "InternalError"), refusal(503, "SlowDown"), page("").ending(Ending::Refused)];
    for reply in replies {
        let failing = reply.clone();
        let (stub, lists) = listing(&dir, move |n| if n == 0 { failing.clone() } else { list_of(&versions()) });
        assert_eq!(found(&stub).await.unwrap(), "v5.metadata.json", "{reply:?}");
        assert_eq!(lists.load(Ordering::SeqCst), 2, "{reply:?}");
        let always = reply.clone();
        let (stub, lists) = listing(&dir, move |_| always.clone());
        assert_failed(found(&stub).await, &format!("{reply:?}"));
        assert_eq!(lists.load(Ordering::SeqCst), 5, "{reply:?}");
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_repeated_or_an_error_and_never_a_shorter_one() {
    // Behind each whole element: what came until then reads like a list.
    let ends: Vec<usize> = whole().match_indices("</Contents>").map(|(at, tag)| at + tag.len()).collect();
    let endings = ends.into_iter().flat_map(|at| [Ending::Cut(at), Ending::Reset(at), Ending::Silence(at)]);
    let looks = endings.map(|ending| async move {
        let (dir, what) = (warehouse(), format!("{ending:?}"));
        let (stub, _) = listing(&dir, move |n| if n == 0 { page(whole()).ending(ending) } else { page(whole()) });
        match found(&stub).await {
            Ok(name) => assert_eq!(name, "v5.metadata.json", "{what}"),
            failed => assert_failed(failed, &what),
        }
        let (stub, lists) = listing(&dir, move |_| page(whole()).ending(ending));
        assert_failed(found(&stub).await, &what);
        assert!(lists.load(Ordering::SeqCst) <= 5, "{what}");
    });
    join_all(looks).await;
}

#[tokio::test]
async fn a_listing_whose_text_ends_anywhere_before_its_end_is_an_error() {
    let (dir, end, sent) = (warehouse(), whole().len(), Arc::new(AtomicUsize::new(0)));
    let sending = Arc::clone(&sent);
    let (stub, _) = listing(&dir, move |_| page(&whole().as_bytes()[..sending.load(Ordering::SeqCst)]));
    for at in 0..end {
        sent.store(at, Ordering::SeqCst);
        assert_failed(found(&stub).await, &format!("{at} of {end} bytes"));
    }
    sent.store(end, Ordering::SeqCst);
    assert_eq!(found(&stub).await.unwrap(), "v5.metadata.json");
}

#[tokio::test]
async fn a_listing_that_says_it_goes_on_but_not_where_is_no_whole_one() {
    let first = listed(&format!("{FOLDER}v1.metadata.json"));
    let next = ["", "<NextContinuationToken></NextContinuationToken>", "<NextMarker>v1</NextMarker>"];
    let answers =
        next.map(|next| format!("<ListBucketResult><IsTruncated>true</IsTruncated>{next}{first}</ListBucketResult>"));
    assert_eq!(believed(&answers).await, []);
}

#[tokio::test]
async fn a_page_that_is_no_listing_is_not_an_empty_one() {
    let answers = [
        "",
        "hello",
        "{}",
        "<html><body>hello</body></html>",
        "<Error><Code>InternalError</Code><Message>no</Message></Error>",
        "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>",
    ];
    assert_eq!(believed(&answers.map(str::to_owned)).await, []);
}
