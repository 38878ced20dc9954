//! The README: its commands run over a topic and a table of its names, its files are read, and what it shows of the demo is
//! what the demo prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use fixtures_kit::World;
use fixtures_kit::options::Options;
use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;
use fixtures_warehouse::{MockKafka, Warehouse};
use validator_app::config::Loader;

use crate::guide::blocks;
use crate::init::stage::{Sent, TRADES, Topic, partitions, table};
use crate::repository::root;
use crate::transcript::validator;

mod sample;

const MESSAGES: i64 = 20;
/// What builds the validator is run by the stages of CI that build, package and test it, and by whoever runs this test.
const BUILDING: [&str; 7] = [
    "cargo run --bin validator -- demo",
    "cargo xtask test",
    "cargo install --locked --path validator/app",
    "pip install .",
    "MATURIN_PEP517_ARGS=\"--profile dev\" pip install .",
    "cargo xtask package wheel",
    "cargo xtask package image",
];

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the README is there")
}

/// Topic `shop.orders`, an hour old, its recording, table `lake.shop.orders`, and the two files.
pub struct Shop {
    folder: tempfile::TempDir,
    _kafka: MockKafka,
}

/// What is in the shop: order `nth` is the message at offset `nth / 2` of partition `nth % 2`.
struct Orders {
    begun_ms: i64,
    /// From one order to the next.
    step_ms: i64,
    count: i64,
    /// What an order costs.
    cents: fn(i64) -> i64,
}

impl Orders {
    fn placed_ms(&self, nth: i64) -> i64 {
        self.begun_ms + nth * self.step_ms
    }

    fn message(&self, nth: i64) -> Sent {
        let (cents, placed) = ((self.cents)(nth), self.placed_ms(nth));
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        let payload = format!(r#"{{"id":"o-{nth}","amount":"{amount}","placed_at":{placed},"trace":"t{nth}"}}"#);
        Sent { partition: (nth % 2) as i32, key: None, payload: Some(payload.into_bytes()) }
    }

    fn row(&self, nth: i64) -> Vec<Value> {
        vec![
            Value::text(format!("o-{nth}")),
            Value::decimal((self.cents)(nth).into(), 2),
            Value::instant(self.placed_ms(nth) * 1_000),
            Value::text("shop.orders"),
            Value::long(nth % 2),
            Value::long(nth / 2),
            Value::instant((self.begun_ms + 60_000) * 1_000),
        ]
    }
}

impl Shop {
    pub fn open() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
        let begun_ms = i64::try_from(now).expect("the clock counts milliseconds") - 3_600_000;
        let orders = Orders { begun_ms, step_ms: 250, count: MESSAGES, cents: |nth| nth * 100 + 25 };
        Self::of(&orders, (0..MESSAGES).map(|nth| orders.row(nth)).collect(), 10)
    }

    /// The shop of these orders, whose table has these rows in files of so many.
    fn of(orders: &Orders, rows: Vec<Vec<Value>>, of_file: usize) -> Self {
        let columns = vec![
            Column::optional("id", ColumnType::String),
            Column::optional("amount", ColumnType::Decimal { precision: 18, scale: 2 }),
            Column::optional("placed_at", ColumnType::Timestamptz),
            Column::optional("topic", ColumnType::String),
            Column::optional("partition", ColumnType::Int),
            Column::optional("offset", ColumnType::Long),
            Column::optional("written_at", ColumnType::Timestamptz),
        ];
        let mut made = table(columns, rows, of_file);
        (made.namespace, made.name) = ("shop".to_owned(), "orders".to_owned());
        let mut world = World::generate(1, &Options::clean());
        world.contract.topics = vec!["shop.orders".to_owned()];
        let topic = Topic { name: "shop.orders", ..TRADES };
        let messages: Vec<Sent> = (0..orders.count).map(|nth| orders.message(nth)).collect();
        world.partitions = partitions(&topic, &messages).0;
        for (partition, messages) in
            world.partitions.iter_mut().map(|one| (i64::from(one.partition), &mut one.messages))
        {
            for message in messages {
                message.timestamp_ms = Some(orders.placed_ms(message.offset * 2 + partition));
            }
        }
        let kafka = MockKafka::start().expect("a mock cluster");
        kafka.load(&world).expect("the messages fit");
        let folder = tempfile::Builder::new().prefix("v-").tempdir_in("/tmp").expect("/tmp takes folders");
        let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
        let warehouse = runtime.block_on(Warehouse::create(&folder.path().join("warehouse"))).expect("a warehouse");
        runtime.block_on(warehouse.write(&made)).expect("a table");
        let shop = Self { folder, _kafka: kafka };
        let service = World::service_toml(&warehouse.catalog_uri(), &warehouse.url(), Some(&shop._kafka.bootstrap()));
        let pipelines = "[service]\npipelines = [\"rules/suites/*.toml\"]\n\n";
        fs::write(shop.join("validator.toml"), pipelines.to_owned() + &service).expect("the folder takes files");
        for name in ["rules/suites", "capture"] {
            fs::create_dir_all(shop.join(name)).expect("the folder takes folders");
        }
        fs::copy(root().join("rules/suites/orders.toml"), shop.join("rules/suites/orders.toml")).expect("it is there");
        let recording = world.write_kcat(&shop.join("capture")).expect("the folder takes files");
        fs::rename(recording, shop.join("capture/orders.jsonl")).expect("it is ours");
        assert!(Command::new("gzip").arg(shop.join("capture/orders.jsonl")).status().expect("gzip is there").success());
        shop
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn every_command_runs() {
    let shop = Shop::open();
    let binary = Path::new(env!("CARGO_BIN_EXE_validator")).parent().expect("a binary is in a folder").to_owned();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("there is a PATH"));
    let (mut ran, mut building) = (0, Vec::new());
    let text = readme();
    for line in blocks(&text, "sh").into_iter().flat_map(str::lines).filter(|line| !line.is_empty()) {
        let command = line.split("  ").next().unwrap_or(line);
        if BUILDING.contains(&command) {
            building.push(command);
            continue;
        }
        assert!(command.starts_with("validator "), "{command}");
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", line]).current_dir(shop.folder.path()).env("PATH", &path).stdin(Stdio::null());
        let output = shell.output().expect("there is a shell");
        let talk = [output.stdout.as_slice(), &output.stderr].concat();
        let talk = String::from_utf8_lossy(&talk);
        assert!(output.status.success() && !talk.contains("panicked"), "{line}\nended with {}: {talk}", output.status);
        ran += 1;
    }
    assert!(ran >= 11, "{ran} commands");
    assert_eq!(building, BUILDING.to_vec());
    for written in ["orders.toml", "report.json", "findings.jsonl", "report.html", "report.xml", "summary.md"] {
        assert!(shop.join(written).is_file(), "{written}");
    }
}

#[test]
fn every_file_is_one_that_is_read() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let path = home.path().join("file.toml");
    let loader = Loader { environment: &|_| Some("id:secret".to_owned()), now_ms: 1_723_120_000_000 };
    let text = readme();
    let files = blocks(&text, "toml");
    for block in &files {
        fs::write(&path, block).expect("the folder takes files");
        let error = match block.contains("[pipeline]") {
            true => loader.pipeline_file(&path).err(),
            false => loader.service(Some(&path)).err(),
        };
        let problems: Vec<&str> = error.iter().flat_map(|e| e.problems()).map(|p| p.message.as_str()).collect();
        assert!(error.is_none(), "{problems:?} in\n{block}");
    }
    assert_eq!(files.len(), 3);
    let orders = fs::read_to_string(root().join("rules/suites/orders.toml")).expect("it is there");
    assert!(files.iter().any(|block| orders.trim_end().ends_with(block)), "the README shows another orders.toml");
}

/// What differs from run to run written in one way: how long it took, and the name of the folder.
fn steady(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        if words[at] == "ms" {
            words[at - 1] = "N".to_owned();
        }
    }
    let line = words.join(" ");
    match line.split_once("/validator-demo-") {
        Some((before, rest)) => {
            format!("{before}/validator-demo-X/{}", rest.split_once('/').map_or("", |(_, rest)| rest))
        }
        None => line,
    }
}

#[test]
fn the_demo_is_what_the_demo_prints() {
    let text = readme();
    let part = text.split("<!-- demo: begin").nth(1).and_then(|rest| rest.split("<!-- demo: end").next());
    let part = part.expect("the README marks its demo");
    assert!(part.contains("`validator demo --seed 7`"), "{part}");
    let shown = blocks(part, "text");
    assert_eq!(shown.len(), 1);
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let ran = validator(folder.path(), "demo --seed 7").assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let printed: Vec<String> = ran.stdout.lines().map(steady).collect();
    // In the order of the print; between two marks of what was left out, line by line.
    let mut at = 0;
    let mut pieces = 0;
    for piece in shown[0].split("…\n").map(|piece| piece.trim_matches('\n')).filter(|piece| !piece.is_empty()) {
        let lines: Vec<String> = piece.lines().map(steady).collect();
        let found = (at..printed.len()).find(|from| printed[*from..].starts_with(&lines));
        let found = found.unwrap_or_else(|| panic!("the demo does not print\n{piece}\nbut\n{}", ran.stdout));
        at = found + lines.len();
        pieces += 1;
    }
    assert!(pieces >= 6, "{pieces} pieces");
}
