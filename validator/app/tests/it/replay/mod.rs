//! From findings to what is done about them: plans, replays, decisions, exports; over a ledger of SQLite and one of PostgreSQL.

mod decided;
mod exported;
mod plan;
mod published;

use fixtures_harness::Postgres;
use serde_json::Value as Json;

use crate::scene::{Folder, Scene};
use crate::transcript::{Ran, validator};

/// One message of each kind. Offset 6 of partition 0 and offset 2 of partition 1 are holes; of partition 1 nothing is in the table.
pub fn faulty() -> Scene {
    Scene::offset()
        .topic("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 0@3 d 4 | 0@4 e 5 | 0@5 f 6 | 0@7 h 8 | 0@8 i 9")
        .topic("1@0 j 1 | 1@1 k 2 | 1@3 l 3")
        .file("0@0 a 1 | 0@1 b 2.12 | 0@3 d 4 | 0@4 e 5 | 0@8 i 9")
        .file("0@4 e 5 | 0@99 x 1 | 0@4 e 5")
}

/// Where a ledger is kept as long as the value lives.
pub enum State {
    Sqlite,
    Postgres(Box<Postgres>),
}

impl State {
    pub fn both() -> [Self; 2] {
        [Self::Sqlite, Self::Postgres(Box::new(Postgres::start().expect("PostgreSQL")))]
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite => "sqlite://state/ledger.db".to_owned(),
            Self::Postgres(server) => format!("postgres://postgres@{}/postgres", server.address()),
        }
    }
}

/// A scene with a service around it that keeps its state there.
pub fn written(scene: &Scene, state: &State) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    let service = format!(
        "[service]\nstate = {:?}\npipelines = [\"pipe*.toml\"]\npoll = \"200ms\"\n\n[catalogs.lake]",
        state.url()
    );
    folder.edit("validator.toml", "[catalogs.lake]", &service);
    folder
}

/// `validator run` until nothing is left to do.
pub fn run(folder: &Folder) {
    let ran = validator(folder.path(), "run --until-idle 1s").assert_no_panic();
    assert!([0, 1, 3].contains(&ran.exit), "{}", ran.all());
}

/// A command that ends with 0; its stdout.
pub fn told(folder: &Folder, words: &str) -> String {
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!(ran.exit, 0, "{words}\n{}", ran.all());
    ran.stdout
}

/// The same as JSON.
pub fn json(folder: &Folder, words: &str) -> Json {
    let text = told(folder, words);
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// A command that is refused with this exit code.
pub fn refused(folder: &Folder, words: &str, exit: i32) -> Ran {
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!(ran.exit, exit, "{words}\n{}", ran.all());
    ran
}
