//! S3-compatible stores: a table read from a real one row by row, and what a failing one may be believed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fixtures_harness::{Asked, Ending, HttpStub, Reply, S3Server};
use validator_core::error_chain::error_chain;
use validator_table::{FaultKind, Pinned, RowGroups, S3Config, SnapshotSelector, Storage, Table, TableError};

use crate::lake::{Lake, load_in, read};
use crate::s3_stub::{FILES, answer, config_of, copy, refusal, serving, store_of, table_at, table_of};

/// Rows of a data file of more bytes than are read with its footer.
const LONG: usize = 20_000;

async fn rows_of(pinned: &Pinned) -> Vec<String> {
    let mut rows = Vec::new();
    for file in &pinned.files {
        let reader = pinned.open(file, &pinned.schema.fields).await.unwrap();
        let (read, ends) = read(&reader, &RowGroups::All, pinned).await;
        assert!(ends.iter().all(|end| end.fault.is_none()), "{ends:?}");
        rows.extend(read);
    }
    rows.sort();
    rows
}

fn all_rows() -> Vec<String> {
    FILES.iter().flat_map(|(_, values)| values.iter().map(|value| format!("a={value}"))).collect()
}

fn real(server: &S3Server, secret: &str) -> S3Config {
    let mut config = config_of(&server.endpoint());
    config.set("s3.access-key-id", S3Server::KEY_ID).unwrap();
    config.set("s3.secret-access-key", secret).unwrap();
    config.set("s3.request-timeout", "10").unwrap();
    config
}

async fn pinned(table: Result<Table, TableError>) -> Pinned {
    table.unwrap().pin(&SnapshotSelector::Current).await.unwrap()
}

#[tokio::test]
async fn a_table_in_a_real_store_is_read_row_by_row_in_every_spelling_of_its_scheme() {
    let server = S3Server::start(&["lake"]);
    for scheme in ["s3", "s3a", "s3n"] {
        let (lake, location) = table_at(&format!("{scheme}://lake/{scheme}/t")).await;
        copy(lake.dir.path(), &server.file("lake", &format!("{scheme}/t")));
        let storage = Storage::local().with_s3(real(&server, S3Server::SECRET));
        let pinned = pinned(load_in(&location, storage).await).await;
        assert_eq!(rows_of(&pinned).await, all_rows(), "{scheme}");
        assert!(pinned.findings.is_empty());
    }
}

#[tokio::test]
async fn a_real_store_tells_a_wrong_key_from_what_is_not_there() {
    let server = S3Server::start(&["lake"]);
    let (lake, location) = table_at("s3://lake/t").await;
    copy(lake.dir.path(), &server.file("lake", "t"));
    let wrong = load_in(&location, Storage::local().with_s3(real(&server, "wrong"))).await.unwrap_err();
    let told = error_chain(&wrong);
    assert!(told.contains("store failed") && told.contains("SignatureDoesNotMatch"), "{told}");
    assert!(!wrong.is_usage());

    let storage = || Storage::local().with_s3(real(&server, S3Server::SECRET));
    let read = pinned(load_in(&location, storage()).await).await;
    let path = server.file("lake", "t/data/b.parquet");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(fault_of(&read, "b.parquet").await, Some(FaultKind::Corrupt));
    std::fs::write(&path, "").unwrap();
    assert_eq!(fault_of(&read, "b.parquet").await, Some(FaultKind::Corrupt));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(fault_of(&read, "b.parquet").await, Some(FaultKind::Missing));
}

/// What opening or reading a file of the table fails with.
async fn fault_of(pinned: &Pinned, name: &str) -> Option<FaultKind> {
    let file = pinned.files.iter().find(|file| file.path.ends_with(name)).unwrap();
    match pinned.open(file, &pinned.schema.fields).await {
        Err(fault) => Some(fault.kind),
        Ok(reader) => {
            let (rows, ends) = read(&reader, &RowGroups::All, pinned).await;
            let fault = ends.into_iter().find_map(|end| end.fault).map(|fault| fault.kind);
            assert!(fault.is_some() || rows == ["a=4", "a=5"] || rows.len() == LONG, "{rows:?}");
            fault
        }
    }
}

/// A store that is sound but for one data file, of which each request is answered by `fault`.
struct Failing {
    lake: Lake,
    stub: HttpStub,
    location: String,
}

impl Failing {
    async fn new(fault: impl Fn(&Asked, Reply, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::over(table_at("s3://lake").await, fault)
    }

    /// With a data file that takes more than one request.
    async fn long(fault: impl Fn(&Asked, Reply, usize) -> Reply + Send + Sync + 'static) -> Self {
        // No two differences are alike, so that nothing makes it short.
        let values: Vec<i64> = (0..LONG as i64).map(|n| n.wrapping_mul(6_364_136_223_846_793_005) ^ n << 21).collect();
        Self::over(table_of("s3://lake", &[("b.parquet", &values)]).await, fault)
    }

    fn over(
        (lake, location): (Lake, String),
        fault: impl Fn(&Asked, Reply, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (folder, count) = (lake.dir.path().to_owned(), AtomicUsize::new(0));
        let stub = serving(&folder.clone(), move |asked, key| {
            let sound = || answer(&folder, asked, key, "");
            (key == "data/b.parquet").then(|| fault(asked, sound(), count.fetch_add(1, Ordering::SeqCst)))
        });
        Self { lake, stub, location }
    }

    async fn fault(&self) -> Option<FaultKind> {
        assert!(self.lake.dir.path().is_dir());
        fault_of(&pinned(load_in(&self.location, store_of(&self.stub.url())).await).await, "b.parquet").await
    }

    fn asked(&self) -> usize {
        self.stub.asked().iter().filter(|asked| asked.path == "/lake/data/b.parquet").count()
    }
}

#[tokio::test]
async fn not_found_is_believed_of_a_key_and_after_repetition_only() {
    let failing = Failing::new(|_, _, _| refusal(404, "NoSuchKey")).await;
    assert_eq!((failing.fault().await, failing.asked()), (Some(FaultKind::Missing), 3));
    let failing = Failing::new(|_, sound, n| if n < 2 { refusal(404, "NoSuchKey") } else { sound }).await;
    assert_eq!(failing.fault().await, None);
    for body in ["<Error><Code>NoSuchBucket</Code></Error>", "<html>404 page not found</html>", "Not Found"] {
        let failing = Failing::new(move |_, _, _| Reply::new(404, body)).await;
        assert_eq!(failing.fault().await, Some(FaultKind::Unreadable), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_a_failure_is_repeated_within_bounds() {
    let failing = Failing::new(|_, _, _| refusal(403, "AccessDenied")).await;
    let fault = failing.fault().await;
    assert_eq!(fault, Some(FaultKind::Unreadable));
    assert!(failing.asked() <= 2, "{}", failing.asked());
    let failing = Failing::new(|_, sound, n| if n < 3 { refusal(503, "SlowDown") } else { sound }).await;
    assert_eq!(failing.fault().await, None);
    let failing = Failing::new(|_, _, _| refusal(500, "InternalError")).await;
    let begun = Instant::now();
    assert_eq!(failing.fault().await, Some(FaultKind::Unreadable));
    assert!((5..=12).contains(&failing.asked()), "{}", failing.asked());
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_body_that_is_cut_reset_or_silent_is_never_taken_for_the_object() {
    for ending in [Ending::Cut(3), Ending::Reset(3), Ending::Silence(3), Ending::Refused] {
        let once = Failing::new(move |_, sound, n| if n == 0 { sound.ending(ending) } else { sound }).await;
        assert_eq!(once.fault().await, None, "{ending:?} once");
        let always = Failing::new(move |_, sound, _| sound.ending(ending)).await;
        assert_eq!(always.fault().await, Some(FaultKind::Unreadable), "{ending:?} always");
    }
    let endless = Failing::new(|_, sound, _| sound.ending(Ending::Endless)).await;
    assert_eq!(endless.fault().await, Some(FaultKind::Unreadable));
}

#[tokio::test]
async fn an_answer_to_another_question_is_never_taken_for_the_object() {
    let lie = |name: &'static str, value: &'static str| {
        move |_: &Asked, _: Reply, _: usize| Reply::new(206, "0123456789").header("ETag", "\"x\"").header(name, value)
    };
    for range in ["bytes 0-9/10000", "bytes 5-14/15", "bytes 0-99/100", "bytes 0-8/9", "junk"] {
        let failing = Failing::new(lie("Content-Range", range)).await;
        assert_eq!(failing.fault().await, Some(FaultKind::Unreadable), "{range}");
    }
    let whole = Failing::new(|_, _, _| Reply::new(200, "0123456789")).await;
    assert_eq!(whole.fault().await, Some(FaultKind::Unreadable));
    // Shorter than it says, by the length that it says too.
    let short = Failing::new(|_, sound, _| sound.header("Content-Length", "5")).await;
    assert_eq!(short.fault().await, Some(FaultKind::Unreadable));
    let huge = Failing::new(|_, _, _| {
        Reply::new(206, "x")
            .header("Content-Length", "1099511627776")
            .header("Content-Range", "bytes 0-1099511627775/1099511627776")
    });
    assert_eq!(huge.await.fault().await, Some(FaultKind::Unreadable));
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_a_failure_of_the_store() {
    let sound = Failing::long(|_, sound, _| sound).await;
    assert_eq!(sound.fault().await, None);
    assert!(sound.asked() >= 2, "{}", sound.asked());
    let replaced = Failing::long(|_, sound, n| if n == 0 { sound } else { sound.replacing("ETag", "\"other\"") }).await;
    assert_eq!(replaced.fault().await, Some(FaultKind::Unreadable));
    let longer = Failing::long(|asked, sound, n| {
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")).unwrap_or_default();
        if n == 0 { sound } else { sound.replacing("Content-Range", &format!("bytes {range}/99999999")) }
    });
    assert_eq!(longer.await.fault().await, Some(FaultKind::Unreadable));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = HttpStub::start(|_| Reply::new(200, "stolen"));
    let to = format!("{}/lake/data/b.parquet", other.url());
    let failing = Failing::new(move |_, _, _| Reply::new(307, "").header("Location", to.clone())).await;
    assert_eq!(failing.fault().await, Some(FaultKind::Unreadable));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn what_a_store_says_of_a_refusal_never_shows_the_token() {
    let stub = HttpStub::start(|asked| {
        let token = asked.header("x-amz-security-token").unwrap_or_default();
        let body = format!(
            "<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message>\
             <CanonicalRequest>x-amz-security-token:{token}</CanonicalRequest></Error>"
        );
        Reply::new(403, body)
    });
    let mut config = config_of(&stub.url());
    config.set("s3.session-token", "t0ken").unwrap();
    let error = load_in("s3://lake/v1.metadata.json", Storage::local().with_s3(config.clone())).await.unwrap_err();
    let told = format!("{} {error:?} {config:?}", error_chain(&error));
    assert!(told.contains("SignatureDoesNotMatch: No."), "{told}");
    assert!(!told.contains("t0ken") && !told.contains("hunter2"), "{told}");
    assert_eq!(stub.asked()[0].header("x-amz-security-token"), Some("t0ken"));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_nobody_is_refused() {
    let fine = HttpStub::start_tls("127.0.0.1", |_| refusal(404, "NoSuchKey"));
    let wrong = HttpStub::start_tls("store.example", |_| refusal(404, "NoSuchKey"));
    for (stub, trusted, told) in
        [(&fine, true, "object not found"), (&fine, false, "store failed"), (&wrong, true, "store failed")]
    {
        let mut config = config_of(&stub.url());
        if trusted {
            config.ca = Some(validator_table::Pem::parse(stub.ca().into()).unwrap());
        }
        let error = load_in("s3://lake/v1.metadata.json", Storage::local().with_s3(config)).await.unwrap_err();
        assert!(error_chain(&error).contains(told), "{}", error_chain(&error));
    }
    assert!(wrong.asked().is_empty());
}

#[tokio::test]
async fn the_same_object_in_two_spellings_is_read_twice_and_found() {
    let (mut lake, _) = table_at("s3://lake").await;
    let size = std::fs::metadata(lake.path("data/b.parquet")).unwrap().len();
    let twice = ["s3://lake/data/b.parquet", "s3a://lake/data/b.parquet"];
    let files = twice.map(|path| lake.builder("b.parquet", 2, size).file_path(path.to_owned()).build().unwrap());
    let mut manifest = crate::lake::assigned(lake.manifest("m1.avro", files.into()).await, 102);
    manifest.manifest_path = "s3://lake/metadata/m1.avro".to_owned();
    lake.commit("append", vec![manifest]).await;
    let dir = lake.dir.path().display().to_string();
    let text = serde_json::to_string(&lake.metadata).unwrap().replace(&dir, "s3://lake");
    lake.metadata = serde_json::from_str(&text).unwrap();
    lake.save();
    let stub = serving(lake.dir.path(), |_, _| None);
    let pinned = pinned(load_in("s3n://lake/metadata/v2.metadata.json", store_of(&stub.url())).await).await;
    assert_eq!((pinned.files.len(), pinned.files[0].entries), (1, 2));
    assert_eq!(pinned.findings.iter().map(|finding| finding.cause).collect::<Vec<_>>(), ["double_reference"]);
}
