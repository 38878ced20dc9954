//! The command line as a person meets it: what is read, what is refused and how, and the help.

use std::path::Path;

use clap::{CommandFactory, Parser};
use validator_core::contract::Envelope;

use super::{
    AnswerFormat, CheckArgs, Cli, Command, DemoArgs, Exit, FindingsFile, ReconcileArgs, ReportTarget, SqlArgs,
};
use crate::config::{Edge, Instant, SnapshotSelector};

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
}

fn reconcile(line: &str) -> ReconcileArgs {
    match parse(line) {
        Ok(Command::Reconcile(args)) => *args,
        other => panic!("{other:?}"),
    }
}

fn check(line: &str) -> CheckArgs {
    match parse(line) {
        Ok(Command::Check(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn demo(line: &str) -> DemoArgs {
    match parse(line) {
        Ok(Command::Demo(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn sql(line: &[&str]) -> SqlArgs {
    match Cli::try_parse_from(["validator", "sql"].iter().chain(line)).map(|cli| cli.command) {
        Ok(Command::Sql(args)) => args,
        other => panic!("{other:?}"),
    }
}

/// What is printed for a command line that is wrong; its exit code is 2.
fn refused(line: &str) -> String {
    let error = parse(line).expect_err("the command line is wrong");
    assert_eq!(error.exit_code(), 2, "{line}");
    error.render().to_string()
}

fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut command = &mut command;
    for name in path {
        command = command.find_subcommand_mut(name).expect("the command is there");
    }
    command.render_long_help().to_string()
}

#[test]
fn help_says_of_exit_codes_what_they_mean() {
    let text = help(&["reconcile"]);
    for exit in Exit::ALL {
        let line = format!("  {}  {}", exit.code(), exit.means());
        assert!(text.contains(&line), "{line}");
    }
}

#[test]
fn every_command_has_examples_and_every_flag_a_sentence() {
    let mut command = Cli::command();
    command.build();
    for command in command.get_subcommands() {
        let name = command.get_name();
        let long = command.clone().render_long_help().to_string();
        assert!(long.contains("Examples:"), "{name} has no examples");
        assert!(long.contains(&format!("validator {name}")), "{name}: an example is of another command");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "{name} {id} has no help");
        }
    }
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_of_reconcile_is_read() {
    let args = reconcile(
        "validator reconcile -c v.toml trades.toml --from -2h --to 0:100,1:2500 --snapshot main --as-of -5m \
         --source a.jsonl b.jsonl --envelope kcat --report - --findings f.jsonl --threads 3 \
         --dry-run --quiet --color never",
    );
    assert_eq!(args.config.as_deref(), Some(Path::new("v.toml")));
    assert_eq!(args.pipeline, "trades.toml");
    assert_eq!(args.from, Some(Edge::Time(Instant::Ago(7_200_000))));
    assert!(matches!(args.to, Some(Edge::Offsets(offsets)) if offsets[&1] == 2500));
    assert_eq!(args.snapshot, Some(SnapshotSelector::Ref("main".to_owned())));
    assert_eq!(args.as_of, Some(Instant::Ago(300_000)));
    assert_eq!(args.source, ["a.jsonl", "b.jsonl"]);
    assert_eq!(args.envelope, Some(Envelope::Kcat));
    assert_eq!(args.report, Some(ReportTarget::Stdout));
    assert_eq!(args.findings, Some(FindingsFile("f.jsonl".into())));
    assert_eq!(args.threads.map(usize::from), Some(3));
    assert!(args.dry_run && args.quiet);
}

#[test]
fn flags_that_are_left_out_are_left_to_their_defaults() {
    let args = reconcile("validator reconcile trades");
    assert_eq!((args.from, args.to, args.snapshot, args.as_of), (None, None, None, None));
    assert!(args.config.is_none() && args.source.is_empty() && args.report.is_none() && args.findings.is_none());
    assert!(!args.dry_run && !args.quiet);
    let args = check("validator check --offline a.toml b.toml");
    assert_eq!((args.pipelines.len(), args.offline), (2, true));
    let args = demo("validator demo --seed 7 --messages 5000 --truth t --findings f");
    assert_eq!((args.seed, args.messages), (Some(7), Some(5000)));
    assert_eq!((args.truth, args.findings), (Some(FindingsFile("t".into())), Some(FindingsFile("f".into()))));
}

#[test]
fn wrong_values_say_what_was_expected() {
    insta::assert_snapshot!(refused("validator reconcile trades --from yesterday"), @r"
    error: invalid value 'yesterday' for '--from <OFFSETS|TIME|earliest>': expected an offset like 12345, offsets by partition like 0:100,1:2500, or a time: RFC 3339 with its zone like 2024-08-08T00:00:00Z, or a duration back from now like -2h

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --to earliest"), @r"
    error: invalid value 'earliest' for '--to <OFFSETS|TIME|now>': a range cannot end at `earliest`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --from 0:100,1"), @r"
    error: invalid value '0:100,1' for '--from <OFFSETS|TIME|earliest>': `1` is not partition:offset, like 0:100

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --as-of 2024-08-08T00:00:00"), @r"
    error: invalid value '2024-08-08T00:00:00' for '--as-of <TIME>': the time has no zone: write 2024-08-08T00:00:00Z, or an offset like +02:00

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --findings f.csv"), @"
    error: invalid value 'f.csv' for '--findings <FILE.jsonl|.parquet>': findings are written as JSON lines or Parquet: name a FILE.jsonl or FILE.parquet, not .csv

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --threads 0"), @"
    error: invalid value '0' for '--threads <N>': expected a whole number of threads, 1 to 1024

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --envelope kcat"), @r"
    error: the following required arguments were not provided:
      --source <FILES>...

    Usage: validator reconcile --source <FILES>... --envelope <none|kcat|table> <PIPELINE.toml|NAME>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --color blue"), @r"
    error: invalid value 'blue' for '--color <WHEN>'
      [possible values: auto, always, never]

    For more information, try '--help'.
    ");
}

#[test]
fn what_is_not_there_is_refused_with_the_nearest() {
    insta::assert_snapshot!(refused("validator reconcile"), @r"
    error: the following required arguments were not provided:
      <PIPELINE.toml|NAME>

    Usage: validator reconcile <PIPELINE.toml|NAME>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcile trades --find f.jsonl"), @"
    error: unexpected argument '--find' found

      tip: a similar argument exists: '--findings'

    Usage: validator reconcile --findings <FILE.jsonl|.parquet> <PIPELINE.toml|NAME>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("validator reconcil trades"), @"
    error: unrecognized subcommand 'reconcil'

      tip: a similar subcommand exists: 'reconcile'

    Usage: validator [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn every_flag_of_sql_is_read() {
    let args = sql(&[
        "-c",
        "v.toml",
        "--table",
        "old=lake.ns.t@17",
        "--table",
        "m=/t/v1.metadata.json",
        "--format",
        "parquet",
        "--output",
        "a.parquet",
        "--max-rows",
        "7",
        "--timeout",
        "90s",
        "SELECT 1",
    ]);
    assert_eq!(args.config.as_deref(), Some(Path::new("v.toml")));
    assert_eq!((args.query.as_str(), args.answer_format()), ("SELECT 1", Ok(AnswerFormat::Parquet)));
    assert_eq!(args.tables.len(), 2);
    assert_eq!((args.output.as_deref(), args.max_rows.map(usize::from)), (Some(Path::new("a.parquet")), Some(7)));
    assert_eq!(args.timeout, std::time::Duration::from_secs(90));
    let args = sql(&["SELECT 1"]);
    assert_eq!((args.answer_format(), args.max_rows, args.timeout.as_secs()), (Ok(AnswerFormat::Table), None, 600));
    for line in [
        "validator sql",
        "validator sql x --format xml",
        "validator sql x --max-rows 0",
        "validator sql x --timeout 0s",
        "validator sql x --table t",
        "validator sql x --output no/such/folder/x.csv",
        "validator check --explain --offline",
    ] {
        refused(line);
    }
}

#[test]
fn what_later_releases_bring_is_not_there() {
    for line in ["validator audit a.b.c", "validator demo --serve", "validator rules check"] {
        refused(line);
    }
}

#[test]
fn help_names_every_flag_with_examples_and_exit_codes() {
    insta::assert_snapshot!(help(&[]), @"
    Proves, message by message, that what Kafka carried is what an Iceberg table holds.

    It reads both sides and writes to neither: no offset is committed, no row is touched.

    Usage: validator [OPTIONS] <COMMAND>

    Commands:
      reconcile    Judge a range of a topic against a snapshot of a table
      check        Lint the configuration and pipelines against the live topic and table
      init         Write a pipeline file from what a topic and a table show, and prove it on a sample
      run          Shadow every pipeline for as long as it lives
      report       Say how a pipeline stands, from the ledger of `run`
      findings     List what is not as it should be, or decide about it
      explain      Say all of one finding, from the ledger of `run`
      replay-plan  Say which messages to read in again, and which rows are to go
      replay       Write the messages of a plan to a repair topic, with --yes
      ledger       Look after the ledger of `run`
      sql          Query tables, topics and recorded messages in SQL; reads and does nothing else
      demo         Watch the validator at work on market data with injected faults; needs nothing
                   installed
      schema       Print the JSON Schema of an answer or of a file that people write
      completions  Print the completions of a shell
      man          Print the man page, or write those of all commands into a folder

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --color <WHEN>
              Colours: auto (on a terminal, unless NO_COLOR is set), always or never [default: auto]

    Exit codes:
      0  holds: what Kafka carried is what the table holds, at least to the target
      1  breached: fidelity is below its target, or another rule of the contract is broken
      2  the command line or the configuration is wrong
      3  unjudged: too little could be looked at, or the run could not be made or finished
    ");
    insta::assert_snapshot!(help(&["reconcile"]), @"
    Judge a range of a topic against a snapshot of a table

    Reads both sides once, writes to neither. The report goes to stdout.

    Usage: validator reconcile [OPTIONS] <PIPELINE.toml|NAME>

    Arguments:
      <PIPELINE.toml|NAME>
              The pipeline's file, or its name in a file of [service] pipelines

    Options:
      -c <FILE>
              The service's file [default: ./validator.toml where there is one]

          --threads <N>
              Threads that read and digest [default: one for each core]

          --dry-run
              Say what would be read (messages, files, bytes) and stop

          --stop-if-contract
              End with exit code 2 after the first 10,000 messages where nearly all of them differ in
              the same column: the contract is probably wrong, not the data. Costs one more pass over
              the rows

          --quiet
              No progress on stderr

      -h, --help
              Print help (see a summary with '-h')

    What is judged:
          --from <OFFSETS|TIME|earliest>
              First message: offsets (12345, or 0:100,1:2500 by partition), a time (RFC 3339, or -2h),
              or earliest [default: the pipeline's start, else earliest]

          --to <OFFSETS|TIME|now>
              End, itself not read: offsets, a time, or now [default: now]

          --snapshot <ID|REF|TIME>
              The table's state to judge: a snapshot id, a branch or tag, or a time [default: the
              current one]

          --as-of <TIME>
              The time of the judgement, to which settle and give_up are measured [default: the
              snapshot's when one is named, else now]

    Recorded messages:
          --source <FILES>...
              Read recorded messages from these files (globs) in place of the brokers

          --envelope <none|kcat|table>
              How messages lie in the files of --source [default: as [source] says, else none]

    Answers:
          --report <FILE.json>
              Write the report as JSON; - is stdout [default: a text report on stdout]

          --html <FILE.html>
              Write a report that can be handed on: one HTML page that needs nothing else

          --junit <FILE.xml>
              Write JUnit XML for a CI server: a test case for each promise

          --markdown <FILE.md>
              Write a summary in Markdown, for the job page of a CI server

          --findings <FILE.jsonl|.parquet>
              Write every finding: one JSON object a line, or rows of Parquet

    Global options:
          --color <WHEN>
              Colours: auto (on a terminal, unless NO_COLOR is set), always or never [default: auto]

    Examples:
      validator reconcile rules/suites/trades.toml
      validator reconcile trades --from -2h --to now
      validator reconcile trades --from 0:1000,1:2500 --to 0:9000,1:8000 --findings findings.jsonl
      validator reconcile trades --snapshot 2024-08-08T12:00:00Z --report report.json
      validator reconcile trades --html report.html --junit report.xml --findings findings.parquet
      validator reconcile trades.toml --source 'capture/*.jsonl.gz' --envelope kcat

    Exit codes:
      0  holds: what Kafka carried is what the table holds, at least to the target
      1  breached: fidelity is below its target, or another rule of the contract is broken
      2  the command line or the configuration is wrong
      3  unjudged: too little could be looked at, or the run could not be made or finished
    ");
    insta::assert_snapshot!(help(&["check"]), @"
    Lint the configuration and pipelines against the live topic and table

    Usage: validator check [OPTIONS] [PIPELINE]...

    Arguments:
      [PIPELINE]...
              Files or names of pipelines [default: all of [service] pipelines]

    Options:
      -c <FILE>
              The service's file [default: ./validator.toml where there is one]

          --offline
              Look at the files only, at no topic, registry or table

          --explain
              Print for each pipeline the whole mapping as SQL, what it leaves out, and what a run would
              read

      -h, --help
              Print help

    Global options:
          --color <WHEN>
              Colours: auto (on a terminal, unless NO_COLOR is set), always or never [default: auto]

    Examples:
      validator check
      validator check rules/suites/trades.toml
      validator check --offline rules/suites/*.toml
      validator check --explain rules/suites/trades.toml

    Exit codes:
      0  sound
      2  not sound; every problem is listed
      3  the brokers, the registry or the catalog could not be asked
    ");
    insta::assert_snapshot!(help(&["demo"]), @"
    Watch the validator at work on market data with injected faults; needs nothing installed

    Usage: validator demo [OPTIONS]

    Options:
          --seed <N>
              The same seed makes the same messages and the same faults

          --messages <N>
              How many messages: 50 to 1,000,000 [default: 2000]

          --report <FILE>
              Write the report as JSON; - is stdout

          --html <FILE.html>
              Write a report that can be handed on: one HTML page that needs nothing else

          --findings <FILE>
              Write every finding: one JSON object a line, or rows of Parquet where the name ends in
              .parquet

          --truth <FILE>
              Write what was injected as the findings it must give, made without the validator

      -h, --help
              Print help

    Global options:
          --color <WHEN>
              Colours: auto (on a terminal, unless NO_COLOR is set), always or never [default: auto]

    Examples:
      validator demo
      validator demo --html report.html
      validator demo --seed 7 --findings findings.jsonl --truth truth.jsonl

    Nothing needs to be installed or running: Kafka runs inside this process, catalog and warehouse lie
    in a temporary folder that is removed at the end.

    Exit codes:
      0  every fault that was injected was found and named, and nothing else
      1  not so
      3  the demo could not be run
    ");
}
