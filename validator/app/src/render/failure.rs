//! A run that could not be made or finished: what failed, why (the chain, once), and one thing to do.

use std::error::Error;
use std::path::Path;

use super::command::command_line;
use super::escape::escape;
use super::page::Page;
use super::paint::{Palette, Role};
use super::problem::problems;
use crate::config::ConfigError;
use crate::failure::Failure;
use validator_engine::dead_letters::DeadLetterError;
use validator_engine::message_reader::ReadError;
use validator_engine::query::QueryError;
use validator_engine::reconcile::RunError;
use validator_ledger::LedgerError;
use validator_publish::PublishError;
use validator_table::{CatalogError, StorageError, TableError};
use validator_tap::TapError;

/// A command's failure; problems of the configuration each at its place.
pub fn failure(failure: &Failure, palette: Palette, width: usize) -> String {
    match failure {
        Failure::Config(error) => config_failure(error, palette, width),
        Failure::Problems(found) => problems(found, "error", palette, width),
        other => error_chain(other, Some(&hint(other)), palette, width),
    }
}

/// One thing to do: a command to run, or a line to write.
fn hint(failure: &Failure) -> String {
    let hint = match failure {
        Failure::Tap(error) | Failure::Run(RunError::Holes(error)) | Failure::Sample(ReadError::Tap(error)) => {
            return tap_hint(error);
        }
        Failure::Sample(ReadError::Unsampled { source, .. }) => return tap_hint(source),
        Failure::Away(error) => return tap_hint(error),
        Failure::DeadLetters(error) => return letters_hint(error),
        Failure::Sample(_) => "`validator check --offline` looks at the files alone",
        Failure::Table(error) => table_hint(error),
        Failure::Name(_) => "a table is `catalog.namespace.table`, its catalog one of validator.toml",
        Failure::Encode(_) => "`[compare] ignore = { COLUMN = \"reason\" }` leaves a column out",
        Failure::Segments(_) => "write `width = 4096` in [identity]",
        Failure::Run(RunError::NotOffsets(_)) => {
            "name the columns that hold Kafka's own offsets: `columns = [\"topic\", \"partition\", \"offset\"]`"
        }
        Failure::Run(RunError::Messages(_)) => "`validator check PIPELINE` tries the contract on a sample of messages",
        Failure::Run(RunError::Findings(_)) => "`df -h` shows whether `temp` in [service] of validator.toml has room",
        Failure::Run(_) => {
            "`memory` and `temp` in [service] of validator.toml say what a run may take, and where it spills"
        }
        Failure::Init(error) => error.hint(),
        Failure::Query(QueryError::Resources { .. } | QueryError::Grown { .. }) => {
            "`[service] memory` in validator.toml says how much a query may take; fewer columns or rows need less"
        }
        Failure::Query(error) if error.is_usage() => "`validator sql --help` shows what can be asked, and how",
        Failure::Query(_) => "`validator reconcile` names each part that cannot be read, and judges the rest",
        Failure::Cut(cut) => return cut.hint(),
        Failure::Listen { .. } => {
            "`listen` in [service] of validator.toml is an address of this machine with a port that is free"
        }
        Failure::Replay { .. } => {
            "what is in the topic is not what was meant: delete it, make it anew, and replay once more"
        }
        Failure::Following(_) => "`validator run` goes on from the last checkpoint",
        Failure::Ledger(error) => return ledger_hint(error),
        Failure::Publish(error) => match error.as_ref() {
            PublishError::OtherColumns { .. } => "`--to` names another folder, or move this table away",
            PublishError::Overtaken { .. } => "nothing was changed: export once more",
            _ => "the folder of a table holds `metadata` and `data`; `--to` names another one",
        },
        Failure::Write { path, .. } => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            return format!("`ls -ld {}`", pasted(folder.unwrap_or(Path::new("."))));
        }
        Failure::Stdout(_) => "`df -h` shows whether there is room where stdout goes to",
        Failure::Internal(_) => "this is a fault of the validator, not of the data: report it with the lines above",
        Failure::Runtime(_) => "`ulimit -u` shows how many threads this user may have",
        Failure::Config(_) | Failure::Problems(_) => "`validator check` lists all problems",
    };
    hint.to_owned()
}

/// What to do about a ledger that was refused.
fn ledger_hint(error: &LedgerError) -> String {
    match error {
        LedgerError::Newer { made_by, .. } => format!("use the validator that made it ({made_by}), or a newer one"),
        LedgerError::NotALedger { .. } => "name another file in `[service] state`, or move this one away".to_owned(),
        LedgerError::OtherPipeline { name, .. } => {
            format!("go on as before, or begin new books: `validator ledger start-over --pipeline {name}`")
        }
        LedgerError::Damaged { .. } => {
            "bring the last copy back, or move the ledger away: a new one begins at the contract's `start`".to_owned()
        }
        LedgerError::Held { .. } => "end the other process, or give this one a `[service] state` of its own".to_owned(),
        LedgerError::Full { .. } => {
            "make room (`df -h`); nothing is lost, a run goes on from its last checkpoint".to_owned()
        }
        LedgerError::Unknown { .. } => "`validator report` lists the pipelines of the ledger".to_owned(),
        LedgerError::OtherTerms { .. } => {
            "all members of a fleet go by the same files: end it, and start it anew by the new ones".to_owned()
        }
        LedgerError::NotOfAFleet { .. } => {
            "write `state = \"postgres://user:password@host/database\"` in [service]".to_owned()
        }
        LedgerError::Fenced { .. } => "one process writes the books of a pipeline: end the other one".to_owned(),
        _ => "`[service] state` in validator.toml says where the ledger is".to_owned(),
    }
}

/// A path as a word of a command that can be pasted.
fn pasted(path: &Path) -> String {
    command_line([path.display().to_string()])
}

fn letters_hint(error: &DeadLetterError) -> String {
    let hint = match error {
        DeadLetterError::Topic {
            source: TapError::TopicMissing { .. } | TapError::TopicNotRecorded { .. }, ..
        } => "`dead_letter` in [fidelity] names the topic that the sink puts aside to; take it out where there is none",
        DeadLetterError::Topic { source, .. } => return tap_hint(source),
        DeadLetterError::Partition { source, .. } => return tap_hint(source),
        DeadLetterError::Behind { .. } => {
            "one of them may be that of a message which would be called missing: run it again once the transaction has ended; \
             `kafka-transactions find-hanging` names those that do not end"
        }
        DeadLetterError::SeveralConnectors { .. } => {
            "what one sink puts aside another may have lost: give each connector an `errors.deadletterqueue.topic.name` of its own"
        }
        DeadLetterError::File { .. } | DeadLetterError::Table { .. } => {
            "a dead letter that cannot be read may be that of a message which would be called missing"
        }
        DeadLetterError::Nameless { .. } => {
            "let Kafka Connect write `errors.deadletterqueue.context.headers.enable=true`, or name your own: `headers = \
             [\"topic\", \"partition\", \"offset\"]`"
        }
        DeadLetterError::NotPositions { .. } => {
            "name what holds the position of the message itself, or take `dead_letter` out of [fidelity]"
        }
    };
    hint.to_owned()
}

fn tap_hint(error: &TapError) -> String {
    let hint = match error {
        TapError::BrokersUnreachable { .. } | TapError::TopicMissing { .. } | TapError::Stalled { .. } => {
            "`kcat -L -b BROKERS` shows whether the brokers of [kafka] answer, and their topics"
        }
        TapError::TopicForbidden { topic, .. } => {
            return format!(
                "`kafka-acls --list --topic {topic}` shows who may DESCRIBE and READ it; no group is needed"
            );
        }
        TapError::GroupForbidden { .. } => {
            "members of a fleet need READ on groups of the prefix `validator.`: `kafka-acls --add --operation Read --group validator. \
             --resource-pattern-type prefixed`"
        }
        TapError::TopicRecreated { .. } | TapError::LogCut { .. } | TapError::LogRegrown { .. } => {
            "what the books know is of the old log: `validator ledger start-over` begins new ones at the contract's `start`"
        }
        TapError::MemberReplaced { .. } => {
            "give each process of a fleet a name of its own: `validator run --member NAME`"
        }
        TapError::ReservedProperty { .. } | TapError::Property { .. } | TapError::Client { .. } => {
            "`properties` in [kafka] of validator.toml go to librdkafka as they are"
        }
        TapError::WritesToSource { .. } => "name a topic of its own, that no pipeline reads",
        TapError::WriteForbidden { topic } => {
            return format!(
                "`kafka-acls --list --topic {topic}` shows who may write it; docs/guide/least-privilege.md grants it"
            );
        }
        TapError::NotWritten { .. } => {
            "`kcat -L -b BROKERS -t TOPIC` shows whether the repair topic is there and its brokers are up"
        }
        TapError::RangeReversed { .. } => "a range begins at --from and ends before --to, in every partition",
        TapError::PartitionMissing { topic, .. } => {
            return format!("`kcat -L -b BROKERS -t {topic}` shows the partitions that there are");
        }
        TapError::Unreadable { .. } | TapError::Unexplained { .. } => {
            "`kcat -C -b BROKERS -t TOPIC -p PARTITION -o OFFSET -c 1` shows whether the broker gives that message"
        }
        TapError::RegistryUnreachable { .. }
        | TapError::RegistryRefused { .. }
        | TapError::RegistryClient { .. }
        | TapError::RegistryAnswer { .. } => "`curl URL/subjects` shows whether the url of [schema_registry] answers",
        TapError::SchemaFile { .. } => {
            "`schema` in [pipeline] names a file as `curl URL/schemas/ids/1/schema` prints it"
        }
        _ => return recorded_hint(error),
    };
    hint.to_owned()
}

fn recorded_hint(error: &TapError) -> String {
    let hint = match error {
        TapError::NoFiles { .. } => {
            "a path of [source] starts at the folder of the pipeline file, one of --source at the working folder"
        }
        TapError::File { path, .. } | TapError::Parquet { path, .. } => {
            return format!("`ls -l {}`", pasted(path));
        }
        TapError::TopicNotRecorded { .. } => "`topic` in [pipeline] is one that the files hold",
        TapError::RecordedByKcat { .. } => "`--envelope kcat`, or `envelope = \"kcat\"` in [source]",
        TapError::EnvelopeMismatch { .. } | TapError::Record { .. } => {
            "`--envelope none|kcat|table` says how messages lie in the files"
        }
        _ => "`--source FILES` names other files; `ls` shows which there are",
    };
    hint.to_owned()
}

fn table_hint(error: &TableError) -> &'static str {
    match error {
        TableError::Catalog(error) => catalog_hint(error),
        TableError::NoSnapshot { .. } | TableError::NoRef { .. } | TableError::NoSnapshotAt { .. } => {
            "leave `--snapshot` out to judge the current state"
        }
        TableError::ReadMetadata { source, .. }
        | TableError::ReadManifestList { source, .. }
        | TableError::ReadManifest { source, .. }
            if !matches!(source, StorageError::NotFound { .. }) =>
        {
            "`[catalogs.NAME.storage]` in validator.toml says how the store of the table is reached"
        }
        TableError::Unsupported { .. } => "`--snapshot ID` judges a state of the table from before that was there",
        _ => "`--snapshot ID` judges an earlier state of the table, whose metadata may be whole",
    }
}

fn catalog_hint(error: &CatalogError) -> &'static str {
    match error {
        CatalogError::NoTable { .. } => "a table is `catalog.namespace.table`, its catalog one of validator.toml",
        CatalogError::RestSilent { .. }
        | CatalogError::RestAnswer { .. }
        | CatalogError::RestSetup { .. }
        | CatalogError::RestRedirect { .. } => "`curl -i URI/v1/config` shows whether the `uri` of [catalogs] answers",
        CatalogError::RestRefused { .. } | CatalogError::RestNotThere { .. } => {
            "`credential`, `token` and `warehouse` in [catalogs] of validator.toml say who asks, and for what"
        }
        CatalogError::RestNotBuilt { .. } => {
            "give a key of your own: `s3.access-key-id` and `s3.secret-access-key` in [catalogs.NAME.storage]"
        }
        CatalogError::Folder { .. } | CatalogError::TooManyVersions { .. } => {
            "`warehouse` and `storage` in [catalogs] of validator.toml say where folders of tables are looked at"
        }
        _ => "`uri` and `catalog_name` in [catalogs] of validator.toml say where tables are looked up",
    }
}

/// An error with its causes, each said once, and a hint that can be acted on.
pub fn error_chain(error: &(dyn Error + 'static), hint: Option<&str>, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let mut said = error.to_string();
    page.heading(Role::Bad, "error:", &escape(&said));
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        // Some libraries repeat their cause in their own text; what was said is not said again.
        if !text.is_empty() && !said.contains(&text) {
            page.pair(2, Role::Faint, "because:", 8, &escape(&text));
            said = text;
        }
        cause = next.source();
    }
    if let Some(hint) = hint {
        page.pair(2, Role::Strong, "hint:", 8, &escape(hint));
    }
    page.finish()
}

fn config_failure(error: &ConfigError, palette: Palette, width: usize) -> String {
    match error {
        ConfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            error_chain(error, Some("a path starts at the working folder: `ls` it"), palette, width)
        }
        ConfigError::Read { path, source } if source.kind() == std::io::ErrorKind::InvalidData => {
            error_chain(error, Some(&format!("`file {}` says what it holds", pasted(path))), palette, width)
        }
        ConfigError::Read { path, .. } => {
            error_chain(error, Some(&format!("`ls -l {}`", pasted(path))), palette, width)
        }
        ConfigError::Invalid { .. } => {
            format!("{}\n{}\n", problems(error.problems(), "error", palette, width), escape(&error.to_string()))
        }
        ConfigError::UnknownPipeline { .. } => problems(error.problems(), "error", palette, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("load table lake.ns.trades")]
    struct LoadTable(#[source] Repeats);

    #[derive(Debug, Error)]
    #[error("read file:///lake/v1.metadata.json: permission denied")]
    struct Repeats(#[source] io::Error);

    #[test]
    fn the_chain_is_said_once() {
        let error = LoadTable(Repeats(io::Error::other("permission denied")));
        let shown = error_chain(&error, Some("ls -l /lake/v1.metadata.json"), Palette::PLAIN, 60);
        insta::assert_snapshot!(shown, @r"
        error: load table lake.ns.trades
          because: read file:///lake/v1.metadata.json: permission
                   denied
          hint:    ls -l /lake/v1.metadata.json
        ");
    }

    #[test]
    fn a_server_cannot_write_to_the_terminal() {
        let error = io::Error::other("500 \u{1b}[2Jgone \u{202e}");
        assert_eq!(error_chain(&error, None, Palette::PLAIN, 80), "error: 500 \\u{1b}[2Jgone \\u{202e}\n");
    }

    #[test]
    fn an_answer_that_cannot_be_written_says_where_to_look() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let error = Failure::Write { path: PathBuf::from("out/report.json"), source };
        insta::assert_snapshot!(failure(&error, Palette::PLAIN, 80), @r"
        error: write out/report.json
          because: permission denied
          hint:    `ls -ld out`
        ");
    }

    #[test]
    fn a_hint_can_be_pasted_whatever_the_path_is() {
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        let write = Failure::Write { path: PathBuf::from("a b/it's.json"), source: source() };
        assert!(failure(&write, Palette::PLAIN, 80).contains("`ls -ld 'a b'`"));
        let read = ConfigError::Read { path: PathBuf::from("my $x.toml"), source: source() };
        assert!(failure(&read.into(), Palette::PLAIN, 80).contains("`ls -l 'my $x.toml'`"));
        let file = Failure::Tap(TapError::File { path: PathBuf::from("a;b"), source: source() });
        assert!(failure(&file, Palette::PLAIN, 80).contains("`ls -l 'a;b'`"));
    }

    #[test]
    fn a_file_that_is_not_there_is_said_with_its_path() {
        let error = ConfigError::Read { path: PathBuf::from("tades.toml"), source: io::ErrorKind::NotFound.into() };
        insta::assert_snapshot!(failure(&error.into(), Palette::PLAIN, 80), @r"
        error: read tades.toml
          because: entity not found
          hint:    a path starts at the working folder: `ls` it
        ");
    }
}
