//! `validator demo`: market data through a Kafka cluster in this process into a local Iceberg table, a clean pass, then
//! one fault of each kind, each named.
//!
//! Contract: needs nothing installed and nothing running; what it makes lies in a temporary folder that is removed at the
//! end. The truth comes from the fixtures' checker, which shares no code with the validator.

mod compare;
mod stage;
mod story;

use std::fs;

use fixtures_kit::{Options, Truth, World};

use crate::answer::Answer;
use crate::cli::{DemoArgs, Exit, FindingsFile, ReportTarget};
use crate::failure::Failure;
use crate::open;
use crate::render;
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
    write(args, &mut answer, &truth, terminal)?;
    Ok(if clean_holds && difference.is_none() { Exit::Holds } else { Exit::Breached })
}

/// Puts a world on a stage of its own and judges it.
async fn perform(world: &World) -> Result<Answer, Failure> {
    Stage::set(world).await?.judge(world).await
}

fn write(args: &DemoArgs, answer: &mut Answer, truth: &Truth, terminal: &Terminal) -> Result<(), Failure> {
    let save = |file: &FindingsFile, text: String| {
        fs::write(&file.0, text).map_err(|source| Failure::Write { path: file.0.clone(), source })
    };
    if let Some(file) = &args.findings {
        let mut text = Vec::new();
        answer.findings.write(&mut text).map_err(Failure::Stdout)?;
        save(file, String::from_utf8_lossy(&text).into_owned())?;
    }
    if let Some(file) = &args.truth {
        save(file, truth.findings_jsonl())?;
    }
    match &args.report {
        Some(ReportTarget::File(path)) => fs::write(path, render::report_json(&answer.report))
            .map_err(|source| Failure::Write { path: path.clone(), source }),
        Some(ReportTarget::Stdout) => terminal.answer(&render::report_json(&answer.report)),
        None => Ok(()),
    }
}
