//! `validator findings acknowledge|ignore|reopen`: what people decide.
//!
//! Contract: one process writes the books. Where none does, the decision is a checkpoint of its own; where `validator run` does,
//! it is left for the run, whose next checkpoint takes it up. No decision changes a verdict or a figure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use validator_ledger::{Decision, LedgerError, Mark, ReadLedger, Target, leave};

use super::named::{Meant, meant, names, problem};
use crate::cli::{DecideCommand, Exit, LedgerOf, Until};
use crate::config::{Loader, Service};
use crate::failure::Failure;
use crate::render::counted;
use crate::terminal::Terminal;
use crate::{open, run};

/// How long to wait for a run to take a decision up, and how often to look.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What was asked for, in one form for all commands.
struct Asked<'a> {
    of: &'a LedgerOf,
    ids: &'a [String],
    what: Decision,
    reason: &'a str,
    until: Until,
    by: Option<&'a str>,
    done: &'static str,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn decide(command: &DecideCommand, terminal: &Terminal) -> Result<Exit, Failure> {
    let plain = |args: &crate::cli::DecideArgs| (args.by.clone(), args.reason.clone());
    let ((by, reason), of, ids, what, until, done) = match command {
        DecideCommand::Acknowledge(args) => {
            (plain(args), &args.of, &args.ids, Decision::Acknowledged, Until::Forever, "acknowledged")
        }
        DecideCommand::Reopen(args) => {
            (plain(args), &args.of, &args.ids, Decision::Cleared, Until::Forever, "not decided about any more")
        }
        DecideCommand::Ignore(args) => {
            ((args.by.clone(), args.reason.clone()), &args.of, &args.ids, Decision::Ignored, args.until, "ignored")
        }
        DecideCommand::Resolve(_) => {
            let hint = "`validator replay-plan PIPELINE` says what to do about it; `validator findings ignore ID --reason TEXT \
                        --until 30d` leaves it alone";
            return Err(problem("nobody resolves a finding but the table, when what it says is true no longer", hint));
        }
    };
    if what == Decision::Ignored && reason.trim().is_empty() {
        return Err(problem("why they are ignored is not said", "`--reason 'test orders'`"));
    }
    let asked = Asked { of, ids, what, reason: &reason, until, by: by.as_deref(), done };
    asked.run(terminal)
}

impl Asked<'_> {
    fn run(&self, terminal: &Terminal) -> Result<Exit, Failure> {
        let now_ms = chrono::Utc::now().timestamp_millis();
        let service = Loader::of_process(now_ms).service(self.of.config.as_deref())?;
        let said = open::runtime()?.block_on(async {
            let mut ledger = ReadLedger::open(&run::address(&service)).await?;
            let mut marks: BTreeMap<String, Vec<Mark>> = BTreeMap::new();
            let names = names(&mut ledger, self.of.pipeline.as_deref()).await?;
            for id in self.ids {
                let (name, target) = self.target(&mut ledger, &names, id).await?;
                marks.entry(name).or_default().push(self.mark(target, now_ms)?);
            }
            let mut said = String::new();
            for (name, marks) in marks {
                let how = put(&service, &mut ledger, &name, &marks, now_ms).await?;
                let what = counted(marks.len() as u64, "decision", "decisions");
                said += &format!("{name}: {}, {what}{how}\n", self.done);
            }
            Ok::<_, Failure>(said)
        })?;
        terminal.tell(&said)?;
        Ok(Exit::Holds)
    }

    async fn target(&self, ledger: &mut ReadLedger, names: &[String], id: &str) -> Result<(String, Target), Failure> {
        let (name, found) = meant(ledger, names, id).await?;
        match found {
            Meant::Finding(id) => Ok((name, Target::Finding(id))),
            Meant::Group(group) => Ok((name, Target::Group(group))),
            Meant::InRun(run, _) => {
                let what =
                    format!("{id} is one of {} messages of a whole segment, which has one decision", run.messages);
                Err(problem(what, &format!("decide about its group: {}", run.group.as_str())))
            }
        }
    }

    fn mark(&self, target: Target, now_ms: i64) -> Result<Mark, Failure> {
        let until_ms = match self.until {
            Until::Forever => None,
            Until::After(ms) => Some(now_ms.saturating_add(ms)),
            Until::At(ms) => Some(ms),
        };
        if until_ms.is_some_and(|until| until <= now_ms) {
            return Err(problem("--until is over already", "name a time to come, or a duration like 30d"));
        }
        let of_process = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let who = self.by.map(str::to_owned).or_else(of_process).unwrap_or_else(|| "unknown".to_owned());
        Ok(Mark { target, what: self.what, who, reason: self.reason.trim().to_owned(), until_ms, at_ms: now_ms })
    }
}

/// Writes decisions, or leaves them for who writes; what is to be said of it.
async fn put(
    service: &Service,
    reader: &mut ReadLedger,
    name: &str,
    marks: &[Mark],
    now_ms: i64,
) -> Result<&'static str, Failure> {
    match run::opened(service, now_ms).await {
        Ok(ledger) => {
            let mut book = ledger.known_book(name, service.digest_key_bytes()).await?;
            book.mark(marks, now_ms).await?;
            drop(book);
            ledger.close().await?;
            Ok("")
        }
        Err(Failure::Ledger(LedgerError::Held { .. })) => {
            leave(&run::address(service), name, marks).await?;
            let began = Instant::now();
            while began.elapsed() < TAKEN_WITHIN {
                if reader.waiting_marks(name).await? == 0 {
                    return Ok(", taken up by the run");
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(", left for the run: it takes them up with its next checkpoint")
        }
        Err(other) => Err(other),
    }
}
