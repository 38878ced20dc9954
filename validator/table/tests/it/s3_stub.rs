//! An S3 server that serves a folder, one bucket named `lake`, and fails as it is told; and a small table for it.

use std::path::Path;

use arrow_array::Int64Array;
use fixtures_harness::{Asked, HttpStub, Reply};
use std::sync::Arc;
use validator_table::{S3Config, Storage};

use crate::lake::{Lake, assigned, column, field};
use arrow_schema::DataType;

/// What the table's one column holds, file by file.
pub const FILES: [(&str, &[i64]); 2] = [("dt=2024%2F01/a b+ü.parquet", &[1, 2, 3]), ("b.parquet", &[4, 5])];

/// A table whose every location is below `base`, with two data files, and where its metadata is.
pub async fn table_at(base: &str) -> (Lake, String) {
    table_of(base, &FILES).await
}

/// The same with these data files.
pub async fn table_of(base: &str, contents: &[(&str, &[i64])]) -> (Lake, String) {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let mut files = Vec::new();
    for (name, values) in contents {
        let array = Arc::new(Int64Array::from(values.to_vec()));
        lake.write(name, vec![(field(1, "a", DataType::Int64), array)]);
        let size = std::fs::metadata(lake.path("data").join(name)).unwrap().len();
        let mut builder = lake.builder(name, values.len() as u64, size);
        files.push(builder.file_path(format!("{base}/data/{name}")).build().unwrap());
    }
    let mut manifest = assigned(lake.manifest("m0.avro", files).await, 101);
    manifest.manifest_path = format!("{base}/metadata/m0.avro");
    lake.commit("append", vec![manifest]).await;
    let dir = lake.dir.path().display().to_string();
    let text = serde_json::to_string(&lake.metadata).unwrap();
    let text = text.replace(&format!("file://{dir}"), base).replace(&dir, base);
    lake.metadata = serde_json::from_str(&text).unwrap();
    lake.save();
    (lake, format!("{base}/metadata/v1.metadata.json"))
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { assert!(std::fs::copy(entry.path(), to).is_ok()) }
    }
}

/// Starts a server over the folder; what `fault` answers goes before.
pub fn serving(folder: &Path, fault: impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static) -> HttpStub {
    let folder = folder.to_owned();
    HttpStub::start(move |asked| {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let key = decoded(path.strip_prefix("/lake").unwrap_or(path).trim_start_matches('/'));
        fault(asked, &key).unwrap_or_else(|| answer(&folder, asked, &key, query))
    })
}

/// The store of such a server, impatient.
pub fn store_of(url: &str) -> Storage {
    Storage::local().with_s3(config_of(url))
}

/// Its settings.
pub fn config_of(url: &str) -> S3Config {
    let mut config = S3Config::default();
    for (name, value) in [
        ("s3.endpoint", url),
        ("s3.access-key-id", "stub"),
        ("s3.secret-access-key", "hunter2"),
        ("s3.connect-timeout", "2"),
        ("s3.request-timeout", "500ms"),
    ] {
        config.set(name, value).unwrap();
    }
    config
}

/// What the server answers when nothing is wrong with it.
pub fn answer(folder: &Path, asked: &Asked, key: &str, query: &str) -> Reply {
    if query.contains("list-type=2") {
        return listing(folder, query);
    }
    let Ok(bytes) = std::fs::read(folder.join(key)) else {
        return refusal(404, "NoSuchKey");
    };
    let size = bytes.len();
    let whole = |reply: Reply| {
        reply.header("ETag", format!("\"{size}\"")).header("Last-Modified", "Thu, 08 Aug 2024 12:00:00 GMT")
    };
    let Some(range) = asked.header("range").and_then(|range| range.strip_prefix("bytes=")) else {
        return whole(Reply::new(200, bytes));
    };
    let (first, last) = range.split_once('-').unwrap();
    let (first, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, (last + 1).min(size)),
        (Ok(first), Err(_)) => (first, size),
        (Err(_), Ok(count)) => (size.saturating_sub(count), size),
        (Err(_), Err(_)) => (0, size),
    };
    if first >= end {
        return refusal(416, "InvalidRange");
    }
    let part = bytes[first..end].to_vec();
    whole(Reply::new(206, part).header("Content-Range", format!("bytes {first}-{}/{size}", end - 1)))
}

/// A refusal in S3's words.
pub fn refusal(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said so</Message></Error>"))
}

fn listing(folder: &Path, query: &str) -> Reply {
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).map(decoded).unwrap_or_default();
    let mut inside = String::new();
    for entry in std::fs::read_dir(folder.join(&prefix)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            inside.push_str(&format!("<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>"));
        } else {
            inside.push_str(&listed(&format!("{prefix}{name}")));
        }
    }
    list_of(&inside)
}

/// One object of a listing.
pub fn listed(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><LastModified>2024-08-08T12:00:00.000Z</LastModified><Size>1</Size></Contents>")
}

/// A listing of these elements.
pub fn list_of(inside: &str) -> Reply {
    Reply::new(200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{inside}</ListBucketResult>"))
        .header("Content-Type", "application/xml")
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let value = match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        };
        bytes.push(value);
    }
    String::from_utf8(bytes).unwrap()
}
