//! `validator reconcile`: open both sides, bind the contract, run, answer.

use std::sync::Arc;
use std::thread::available_parallelism;

use validator_core::clock::Clock;
use validator_core::contract::{Bound, Envelope, Identity};
use validator_engine::found::Keep;
use validator_engine::reconcile::{Judge, Run};
use validator_engine::suspect::{FirstMessages, Suspect};
use validator_tap::{Tap, Told};

use crate::answer::{Answer, Frame};
use crate::cli::{Exit, ReconcileArgs, ReportTarget};
use crate::config::{Loader, Pipeline, Problem, Service, SnapshotSelector};
use crate::dead_letters;
use crate::failure::Failure;
use crate::messages::waiting;
use crate::open::{self, Sides};
use crate::outputs::Outputs;
use crate::render::{self, Progress};
use crate::report::Again;
use crate::terminal::Terminal;

/// Runs the command, which was called with these words.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn reconcile(args: &ReconcileArgs, words: &[String], terminal: &Terminal) -> Result<Exit, Failure> {
    let started_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(started_ms);
    let service = loader.service(args.config.as_deref())?;
    terminal.warn(&service.warnings);
    let mut pipeline = loader.pipeline(&args.pipeline, &service)?;
    if !args.source.is_empty() {
        pipeline.read_from_files(args.source.clone(), args.envelope);
    }
    let request = Request::of(args, started_ms);
    request.check_order()?;
    outputs(args).check()?;
    let runtime = open::runtime()?;
    if args.dry_run {
        let sides = runtime.block_on(open::sides(&pipeline, &service, &request))?;
        terminal.answer(&render::dry_run(&sides.estimate()))?;
        return Ok(Exit::Holds);
    }
    let progress = Progress::new(!args.quiet, terminal.is_interactive());
    let mut answer = runtime.block_on(judge(&pipeline, &service, &request, &progress))?;
    write(&mut answer, args, words, &again(args, &request, &pipeline), terminal)?;
    Ok(match answer.report.outcome.exit_code() {
        0 => Exit::Holds,
        1 => Exit::Breached,
        _ => Exit::Unjudged,
    })
}

/// What is asked of a run, with times resolved.
#[derive(Debug, Clone)]
pub struct Request {
    /// When the run started, milliseconds since the epoch.
    pub started_ms: i64,
    /// First message; the pipeline's start, else the earliest, unless given.
    pub from: Option<Bound>,
    /// End; now, unless given.
    pub to: Option<Bound>,
    /// The table's state.
    pub snapshot: Option<SnapshotSelector>,
    /// `--as-of`.
    pub as_of_ms: Option<i64>,
    /// `--stop-if-contract`.
    pub stop_if_contract: bool,
    /// Threads on either side.
    pub threads: usize,
    /// Who decides.
    pub judge: Judge,
    /// Messages of the caller's own, in place of those that the pipeline names: for who measures.
    pub tap: Option<Arc<dyn Tap>>,
    /// How much is kept of the findings.
    pub keep: Keep,
    /// Who is told that the brokers do not answer.
    pub waiting: Option<Told>,
}

impl Request {
    /// Everything by its default.
    pub fn new(started_ms: i64) -> Self {
        let threads = available_parallelism().map_or(1, usize::from);
        let judge = validator_core::judge::judge;
        Self {
            started_ms,
            from: None,
            to: None,
            snapshot: None,
            as_of_ms: None,
            stop_if_contract: false,
            threads,
            judge,
            tap: None,
            keep: Keep::default(),
            waiting: None,
        }
    }

    /// The same, and a person is told on stderr that the brokers do not answer.
    pub fn talking(started_ms: i64) -> Self {
        Self { waiting: Some(waiting()), ..Self::new(started_ms) }
    }

    /// The request of a command line.
    pub fn of(args: &ReconcileArgs, started_ms: i64) -> Self {
        let defaults = Self::new(started_ms);
        Self {
            from: args.from.as_ref().map(|edge| edge.resolve(started_ms)),
            to: args.to.as_ref().map(|edge| edge.resolve(started_ms)),
            snapshot: args.snapshot.clone(),
            as_of_ms: args.as_of.map(|instant| instant.floor_ms(started_ms)),
            stop_if_contract: args.stop_if_contract,
            threads: args.threads.map_or(defaults.threads, usize::from),
            waiting: (!args.quiet).then(waiting),
            keep: if args.findings.is_some() { Keep::default() } else { Keep::to_show() },
            ..defaults
        }
    }
}

impl Request {
    /// Refuses a range that ends before it begins: it would prove nothing and say that all is well. Bounds of two kinds are
    /// compared by the source, which alone knows their offsets.
    fn check_order(&self) -> Result<(), Failure> {
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return Ok(()) };
        let is_reversed = match (from, to) {
            (Bound::Offset(from), Bound::Offset(to)) | (Bound::Time(from), Bound::Time(to)) => from > to,
            (Bound::Offsets(from), Bound::Offsets(to)) => {
                from.iter().any(|(partition, from)| to.get(partition).is_some_and(|to| from > to))
            }
            _ => false,
        };
        let problem = || Problem::new("--from lies behind --to").hint("a range begins at --from and ends before --to");
        if is_reversed { Err(vec![problem()].into()) } else { Ok(()) }
    }
}

/// Judges one pipeline and answers.
///
/// # Errors
/// [`Failure`], with its exit code.
pub async fn judge(
    pipeline: &Pipeline,
    service: &Service,
    request: &Request,
    progress: &Progress,
) -> Result<Answer, Failure> {
    let sides = open::sides(pipeline, service, request).await?;
    let clock = clock(pipeline, request, &sides);
    // Which version of a key is the last is known only when everything is read.
    if request.stop_if_contract && !matches!(pipeline.contract.identity, Identity::Key { upsert: Some(_), .. }) {
        refuse_contract(pipeline, service, &sides, clock, request).await?;
    }
    let estimate = sides.estimate();
    let messages = Arc::new(progress.phase("messages", Some(estimate.messages)));
    let rows = Arc::new(progress.phase("rows    ", Some(estimate.rows)));
    let watched = validator_engine::reconcile::Progress {
        messages: Arc::new(move |more| messages.advance(more)),
        rows: Arc::new(move |more| rows.advance(more)),
        disputed: {
            let progress = progress.clone();
            Arc::new(move |dispute| progress.disputed(dispute))
        },
    };
    let run = open::run(pipeline, service, &sides, clock, request, watched)?;
    // A dead letter may be written long after its message: the later they are read, the more of them there are.
    let letters = dead_letters::open(pipeline, service, &sides, request).await?;
    let letters = dead_letters::whole(letters, &sides, service, request).await?;
    let (dead_letters, said) = dead_letters::read(pipeline, letters, &sides, None).await?;
    let run = Run { dead_letters, ..run };
    let result = run.reconcile().await?;
    if let Some(suspect) = result.suspect.as_ref().filter(|_| request.stop_if_contract) {
        return Err(refusal(pipeline, suspect));
    }
    let frame = Frame { said, ..Frame::ended(pipeline, &sides, request.started_ms, clock) };
    frame.answer(result)
}

/// Judges the first messages alone, and refuses the contract that nearly all of them contradict in one column.
async fn refuse_contract(
    pipeline: &Pipeline,
    service: &Service,
    sides: &Sides,
    clock: Clock,
    request: &Request,
) -> Result<(), Failure> {
    let first = Sides {
        contract: Arc::clone(&sides.contract),
        tap: Arc::new(FirstMessages::of(Arc::clone(&sides.tap))),
        pinned: Arc::clone(&sides.pinned),
        decoders: Arc::clone(&sides.decoders),
        known: sides.known.clone(),
    };
    let run = open::run(pipeline, service, &first, clock, request, validator_engine::reconcile::Progress::none())?;
    match run.reconcile().await?.suspect {
        Some(suspect) => Err(refusal(pipeline, &suspect)),
        None => Ok(()),
    }
}

fn refusal(pipeline: &Pipeline, suspect: &Suspect) -> Failure {
    let place = format!("map.{}", suspect.column);
    let hint = "look at its mapping, its field's type or unit; without --stop-if-contract every difference is judged";
    vec![pipeline.problem_at(&place, suspect.to_string()).hint(hint)].into()
}

/// Opens both sides and binds the contract, as [`judge`] does, and leaves the run to the caller: for who measures its
/// passes.
///
/// # Errors
/// [`Failure`], with its exit code.
pub async fn prepare(pipeline: &Pipeline, service: &Service, request: &Request) -> Result<Run, Failure> {
    let sides = open::sides(pipeline, service, request).await?;
    let clock = clock(pipeline, request, &sides);
    open::run(pipeline, service, &sides, clock, request, validator_engine::reconcile::Progress::none())
}

/// judged_at = `--as-of`, else the commit time of a snapshot asked for, else the start of the run.
pub(crate) fn clock(pipeline: &Pipeline, request: &Request, sides: &Sides) -> Clock {
    let of_snapshot = request.snapshot.as_ref().and(sides.pinned.commit_ms);
    Clock {
        judged_at_ms: request.as_of_ms.or(of_snapshot).unwrap_or(request.started_ms),
        settle_ms: pipeline.contract.fidelity.settle_ms,
        give_up_ms: pipeline.contract.fidelity.give_up_ms,
        retention_ms: pipeline.contract.fidelity.retention_ms,
    }
}

/// Where the answers go.
fn outputs(args: &ReconcileArgs) -> Outputs<'_> {
    Outputs {
        report: args.report.as_ref(),
        findings: args.findings.as_ref(),
        html: args.html.as_deref(),
        junit: args.junit.as_deref(),
        markdown: args.markdown.as_deref(),
        beside: None,
    }
}

/// How the run is made again.
fn again(args: &ReconcileArgs, request: &Request, pipeline: &Pipeline) -> Again {
    let mut what = vec!["validator".to_owned(), "reconcile".to_owned()];
    if let Some(config) = &args.config {
        what.extend(["-c".to_owned(), config.display().to_string()]);
    }
    what.push(args.pipeline.clone());
    if !args.source.is_empty() {
        what.push("--source".to_owned());
        what.extend(args.source.iter().cloned());
    }
    if let Some(envelope) = &args.envelope {
        let word = match envelope {
            Envelope::None => "none",
            Envelope::Kcat => "kcat",
            Envelope::Table => "table",
        };
        what.extend(["--envelope".to_owned(), word.to_owned()]);
    }
    // A start of the contract that is a time back from now is another one in a later run.
    let from = request.from.clone().or_else(|| pipeline.contract.start.clone());
    Again::of_run(what, from, request.to.clone(), &pipeline.contract.identity)
}

/// Writes the answers where they were asked for; without `--report` a text report on stdout.
fn write(
    answer: &mut Answer,
    args: &ReconcileArgs,
    words: &[String],
    again: &Again,
    terminal: &Terminal,
) -> Result<(), Failure> {
    // Whatever becomes of the files: who waited for the run sees what it found.
    let files = outputs(args).write(answer, again);
    let said = match &args.report {
        Some(ReportTarget::File(_)) => Ok(()),
        Some(ReportTarget::Stdout) => terminal.answer(&render::report_json(&answer.report)),
        None => {
            let findings_file = args.findings.as_ref().map(|file| file.0.display().to_string());
            let report = render::TextReport {
                report: &answer.report,
                reasons: &answer.decision.reasons,
                findings: &answer.findings.shown().collect::<Vec<_>>(),
                findings_file: findings_file.as_deref(),
                command: &render::command_line(words.iter().cloned()),
            };
            terminal.answer(&report.render(terminal.palette(), terminal.width()))
        }
    };
    files.and(said)
}
