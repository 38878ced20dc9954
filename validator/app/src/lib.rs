//! The command line of the validator: configuration in, answers out. Everything that decides is in the crates below.
//!
//! The way of a command: [`cli`] → [`config`] → `open` (both sides) → the engine's run → `answer` (report and findings) →
//! [`render`].

mod answer;
mod check;
pub mod cli;
mod completions;
pub mod config;
mod dead_letters;
mod decoders;
mod demo;
mod explain;
mod failure;
mod fitting;
mod identifier;
mod init;
mod ledger;
mod man;
mod messages;
pub mod open;
mod outputs;
mod reconcile;
pub mod reference;
pub mod render;
mod replay;
pub mod report;
pub mod run;
pub mod schema;
mod sql;
mod table_findings;
mod terminal;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

pub use answer::Answer;
pub use failure::Failure;
pub use ledger::Reported;
pub use reconcile::{Request, judge, prepare};
pub use render::Progress;
pub use run::{Outside, follow};

use cli::Command;
use terminal::Terminal;

/// A run goes on for months: glibc's allocator grows beside it for as long as it is looked at (decision 0049).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Parses the command line, runs it, prints a failure once, and gives the exit code.
pub fn main() -> ExitCode {
    main_of(std::env::args_os())
}

/// The same with these arguments, the first of which is the program's name.
pub fn main_of(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    validator_table::quiet_contained_panics();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let words = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let cli = cli::parse(arguments);
    // Who runs for months says what happens; the other commands answer.
    let told = if matches!(cli.command, Command::Run(_)) { "validator_app=info,validator::alerts=info" } else { "off" };
    let filter = EnvFilter::try_from_env("VALIDATOR_LOG").unwrap_or_else(|_| EnvFilter::new(told));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).init();
    let terminal = Terminal::new(cli.color);
    let result = failure::contained(|| match &cli.command {
        Command::Reconcile(args) => reconcile::reconcile(args, &words, &terminal),
        Command::Check(args) => check::check(args, &terminal),
        Command::Init(args) => init::init(args, &terminal),
        Command::Run(args) => run::run(args, &terminal),
        Command::Report(args) => ledger::report(args, &words, &terminal),
        Command::Findings(args) => ledger::findings(args, &terminal),
        Command::Explain(args) => ledger::explain(args, &terminal),
        Command::ReplayPlan(args) => replay::plan(args, &terminal),
        Command::Replay(args) => replay::replay(args, &terminal),
        Command::Ledger(args) => match &args.what {
            cli::LedgerCommand::Verify(args) => ledger::verify(args, &terminal),
            cli::LedgerCommand::Export(args) => ledger::export(args, &terminal),
            cli::LedgerCommand::StartOver(args) => ledger::start_over(args, &terminal),
        },
        Command::Sql(args) => sql::sql(args, &terminal),
        Command::Demo(args) => demo::demo(args, &terminal),
        Command::Schema(args) => schema::schema(args, &terminal),
        Command::Completions(args) => completions::completions(args, &terminal),
        Command::Man(args) => man::man(args, &terminal),
    });
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.talk(&render::failure(&failure, terminal.palette_of_talk(), terminal.width()));
            failure.exit().into()
        }
    }
}
