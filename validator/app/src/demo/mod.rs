//! `validator demo`: market data through a Kafka cluster in this process into a local Iceberg table, a clean pass, then
//! one fault of each kind, each named.
//!
//! Contract: needs nothing installed and nothing running; what it makes lies in a temporary folder that is removed at the
//! end. The truth comes from the fixtures' checker, which shares no code with the validator.

mod compare;
mod stage;
mod story;

use std::io::Write;

use fixtures_kit::{Options, Truth, World};

use crate::answer::Answer;
use crate::cli::{DemoArgs, Exit, FindingsFile, ReportTarget};
use crate::failure::Failure;
use crate::open;
use crate::outputs::Outputs;
use crate::render;
use crate::report::{Again, WrittenFile, write_whole};
use crate::terminal::Terminal;
use stage::Stage;
use story::Story;

/// Messages where `--messages` is not given: enough for every kind of fault, few enough for some seconds.
const MESSAGES_DEFAULT: usize = 2_000;

/// Runs the command.
///
/// # Errors
/// The demo could not be run.
pub fn demo(args: &DemoArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let seed = args.seed.unwrap_or_else(|| chrono::Utc::now().timestamp_micros().unsigned_abs() % 1_000_000);
    let messages = args.messages.map_or(MESSAGES_DEFAULT, |messages| usize::try_from(messages).unwrap_or(usize::MAX));
    outputs(args).check()?;
    let runtime = open::runtime()?;
    let options = Options::demo(seed, messages);
    let story = Story::new(terminal, args.report == Some(ReportTarget::Stdout));
    story.begins(seed)?;

    let clean = World::generate(seed, &options.without_faults());
    let answer = runtime.block_on(perform(&clean))?;
    story.clean_pass(&clean, &answer)?;
    let clean_holds = answer.findings.at_hand.is_empty();

    let damaged = World::generate(seed, &options);
    let mut answer = runtime.block_on(perform(&damaged))?;
    let truth = Truth::of(&damaged);
    let difference = compare::compare(&truth, &answer.findings.at_hand);
    story.damaged_pass(&damaged, &answer)?;
    story.ends(&truth, &difference)?;
    write(args, &mut answer, &again(seed, messages), &truth, terminal)?;
    Ok(if clean_holds && difference.is_none() { Exit::Holds } else { Exit::Breached })
}

/// Puts a world on a stage of its own and judges it.
async fn perform(world: &World) -> Result<Answer, Failure> {
    Stage::set(world).await?.judge(world).await
}

fn outputs(args: &DemoArgs) -> Outputs<'_> {
    Outputs {
        report: args.report.as_ref(),
        findings: args.findings.as_ref(),
        html: args.html.as_deref(),
        beside: args.truth.as_ref().map(|file| ("--truth", file.0.as_path())),
        ..Outputs::default()
    }
}

/// The demo with the same messages and faults.
fn again(seed: u64, messages: usize) -> Again {
    let words = ["validator", "demo", "--seed", &seed.to_string(), "--messages", &messages.to_string()];
    Again::of_words(words.map(str::to_owned).to_vec())
}

fn write(
    args: &DemoArgs,
    answer: &mut Answer,
    again: &Again,
    truth: &Truth,
    terminal: &Terminal,
) -> Result<(), Failure> {
    outputs(args).write(answer, again)?;
    if let Some(FindingsFile(path)) = &args.truth {
        let written = write_whole(path, |out| out.write_all(truth.findings_jsonl().as_bytes()));
        written.and_then(WrittenFile::keep).map_err(|source| Failure::Write { path: path.clone(), source })?;
    }
    match &args.report {
        Some(ReportTarget::Stdout) => terminal.answer(&render::report_json(&answer.report)),
        Some(ReportTarget::File(_)) | None => Ok(()),
    }
}
