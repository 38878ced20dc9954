//! A scene on disk: the recording as `kcat -J` prints it, catalog and warehouse, and the two files that a user writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fixtures_kit::World;
use fixtures_warehouse::{Warehouse, WrittenTable};
use serde_json::{Value as Json, json};

use super::text::TOPIC;
use super::{Message, Mode, Scene};

/// A folder that goes with its scene.
#[derive(Debug)]
pub struct Folder {
    directory: tempfile::TempDir,
    /// Where the table lies.
    pub table: WrittenTable,
}

impl Folder {
    /// Its path. Not below `TMPDIR`, so that it is equally long everywhere and lines of messages break alike.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Changes a file of it: the first occurrence of `this` becomes `that`.
    pub fn edit(&self, name: &str, this: &str, that: &str) {
        let text = fs::read_to_string(self.join(name)).expect("the file is there");
        assert!(text.contains(this), "{name} does not hold {this:?}");
        fs::write(self.join(name), text.replacen(this, that, 1)).expect("the folder takes files");
    }

    /// The files of the table whose names end so.
    pub fn files_of_table(&self, ending: &str) -> Vec<PathBuf> {
        let root = PathBuf::from(self.table.location.trim_start_matches("file://"));
        let mut found = Vec::new();
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the table is there").flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.to_string_lossy().ends_with(ending) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

impl Scene {
    /// Writes everything.
    pub async fn write(&self) -> Folder {
        let directory = tempfile::Builder::new().prefix("v-").tempdir_in("/tmp").expect("/tmp takes folders");
        let warehouse = Warehouse::create(&directory.path().join("warehouse")).await.expect("a warehouse");
        let table = warehouse.write(&self.table).await.expect("a table");
        for table in &self.beside {
            warehouse.write(table).await.expect("a table");
        }
        let lines = self.messages.iter().map(kcat_line).chain(self.letters.iter().cloned());
        let recording: String = lines.map(|line| line + "\n").collect();
        let service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), None);
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("a file");
        write("topic.jsonl", &recording);
        write("validator.toml", &service);
        write("pipeline.toml", &self.pipeline_toml(""));
        Folder { directory, table }
    }

    /// The pipeline file, with more lines in `[identity]`.
    pub fn pipeline_toml(&self, cut: &str) -> String {
        let identity = match self.mode {
            Mode::Offset => "mode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n",
            Mode::Key => "mode = \"key\"\ncolumns = [\"id\"]\nwindow = \"at\"\n",
            Mode::KeyPlain => "mode = \"key\"\ncolumns = [\"id\"]\n",
            Mode::Content => "mode = \"content\"\nwindow = \"at\"\n",
            Mode::ContentPlain => "mode = \"content\"\n",
            Mode::UpsertByMap => "mode = \"key\"\ncolumns = [\"id\"]\nwindow = \"at\"\nupsert = true\n",
            Mode::Upsert => "mode = \"key\"\ncolumns = [\"id\"]\nwindow = \"at\"\nupsert = true\nkey = \"json\"\n",
        };
        let topics = self.messages.iter().map(|message| message.topic.as_str()).collect::<BTreeSet<_>>();
        let topics = match topics.len() {
            0 | 1 => format!("topic = {:?}", topics.first().unwrap_or(&TOPIC)),
            _ => format!("topics = {topics:?}").replace('{', "[").replace('}', "]"),
        };
        let mut text = format!(
            "[pipeline]\nname = \"trades\"\n{topics}\ntable = \"lake.market.trades\"\nformat = \"json\"\n{}\n\
             [identity]\n{identity}{}{cut}{}",
            self.pipeline, self.identity, self.sections
        );
        if !self.fidelity.is_empty() {
            text += &format!("\n[fidelity]\n{}", self.fidelity);
        }
        text + "\n[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n"
    }
}

/// What `kcat -J` prints of a message.
pub fn kcat_line(message: &Message) -> String {
    let mut line = json!({
        "topic": message.topic, "partition": message.partition, "offset": message.offset, "broker": 1,
    });
    if let Some(ms) = message.timestamp_ms {
        line["tstype"] = json!("create");
        line["ts"] = json!(ms);
    }
    for (name, bytes) in [("key", &message.key), ("payload", &message.payload)] {
        line[name] = match bytes.as_deref().map(std::str::from_utf8) {
            None => Json::Null,
            Some(Ok(text)) => json!(text),
            Some(Err(_)) => {
                line[format!("{name}_encoding")] = json!("base64");
                json!(base64(bytes.as_deref().unwrap_or_default()))
            }
        };
    }
    line.to_string()
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |nth: usize| match nth <= chunk.len() {
            true => char::from(ALPHABET[(bits >> (18 - 6 * nth)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
