//! `validator findings`: what is not as it should be, as the ledger keeps it.
//!
//! Contract: findings come by id and are written as they come, however many there are; then whole segments of one verdict, one
//! object for each of their messages where their offsets are known: only messages that ask for no row hide them.

use std::borrow::Cow;
use std::io::Write as _;

use validator_core::clock::UtcMillis;
use validator_core::finding::{Finding, FindingId};
use validator_core::harmless::harmless_json;
use validator_core::verdict::{MessageVerdict, Verdict};
use validator_engine::mask::{MASKED, Mask};
use validator_ledger::{FindingFilter, FindingRow, FindingState, LedgerError, Listed, Place, ReadLedger, RunRow};

use super::parsed;
use crate::cli::{Exit, FindingsAnswer, LedgerFindingsArgs};
use crate::config::{Loader, Service};
use crate::failure::Failure;
use crate::open;
use crate::render::finding_text;
use crate::run;
use crate::terminal::Terminal;

/// So many digits of an id name one finding among billions.
const SHORT_ID: usize = 20;

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn findings(args: &LedgerFindingsArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    if let Some(decision) = &args.decide {
        return super::decide::decide(decision, terminal);
    }
    if args.by_cause {
        return super::grouped::grouped(args, terminal);
    }
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.of.config.as_deref())?;
    let unresolved = [FindingState::Open, FindingState::Acknowledged, FindingState::Ignored];
    let states = if args.all { Vec::new() } else { unresolved.to_vec() };
    let filter = FindingFilter { states, now_ms, ..FindingFilter::default() };
    let (palette, width) = (terminal.palette(), terminal.width());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let names = match &args.of.pipeline {
            Some(name) => vec![name.clone()],
            None => ledger.names().await?,
        };
        for name in names {
            let mask = masked(&loader, &service, &name)?;
            let each = |listed: Listed| {
                for finding in told(&name, &mask, &listed) {
                    if written.is_ok() {
                        written = match args.format {
                            FindingsAnswer::Jsonl => {
                                out.write_all(finding.as_bytes()).and_then(|()| out.write_all(b"\n"))
                            }
                            FindingsAnswer::Text => match parsed::finding(&finding) {
                                Some(finding) => {
                                    let text = finding_text(&finding, palette, width);
                                    let standing = standing(&finding, &listed, width);
                                    out.write_all(format!("{text}    {standing}\n").as_bytes())
                                }
                                None => {
                                    return Err(LedgerError::Damaged { what: "the values of a finding".to_owned() });
                                }
                            },
                        };
                    }
                }
                Ok(())
            };
            ledger.each_finding(&name, &filter, each).await?;
        }
        Ok::<_, Failure>(())
    })?;
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
        _ => Ok(Exit::Holds),
    }
}

/// How a finding stands, and what it is named by: so many of its digits as a narrow terminal has room for are enough.
fn standing(finding: &Finding, listed: &Listed, width: usize) -> String {
    let state = match listed {
        Listed::Finding(row) => row.state,
        Listed::Run(run) => run.state,
    };
    let id = finding.id.as_str();
    let longest = "    acknowledged, id ".len() + id.len();
    let (digits, _) = id.split_at(if width < longest { SHORT_ID } else { id.len() });
    format!("{}, id {digits}", state.as_str())
}

/// What the pipeline's file hides now; nothing where no file is of that pipeline. Findings that were told before are masked when they are shown.
///
/// # Errors
/// Its file is wrong, or one is that may be its.
pub(super) fn masked(loader: &Loader<'_>, service: &Service, name: &str) -> Result<Mask, Failure> {
    if let Ok(path) = loader.locate_each(&[name.to_owned()], service).remove(0)
        && path.is_file()
    {
        return Ok(Mask::of_columns(&loader.pipeline_file(&path)?.contract.compare.mask));
    }
    for path in loader.pipeline_files(service)? {
        loader.pipeline_file(&path)?;
    }
    Ok(Mask::default())
}

/// The objects of interface.md, section 6, with their state, each one line that is harmless to a terminal.
pub fn told(pipeline: &str, mask: &Mask, listed: &Listed) -> Vec<String> {
    let state = match listed {
        Listed::Finding(row) => row.state,
        Listed::Run(run) => run.state,
    };
    let mut lines = objects(pipeline, mask, listed);
    for line in &mut lines {
        if line.ends_with('}') {
            line.pop();
            *line += &format!(",\"state\":\"{}\"}}", state.as_str());
        }
    }
    lines
}

/// The same without their state, as `reconcile` writes them.
pub(super) fn objects(pipeline: &str, mask: &Mask, listed: &Listed) -> Vec<String> {
    let line = |finding: &Finding| harmless_json(&serde_json::to_string(finding).unwrap_or_default()).into_owned();
    match listed {
        Listed::Finding(row) => match &row.evidence {
            Some(body) => vec![harmless_json(&hidden(String::from_utf8_lossy(body), mask)).into_owned()],
            None => vec![line(&veiled(untold(pipeline, row), mask))],
        },
        Listed::Run(run) if !run.offsets.is_empty() => (run.offsets.iter().cloned().flatten())
            .filter_map(|offset| of_run(pipeline, run, Some(offset)))
            .map(|one| line(&one))
            .collect(),
        Listed::Run(run) => of_run(pipeline, run, None).iter().map(line).collect(),
    }
}

/// What was told before it was masked, as it is shown now.
pub(super) fn hidden<'a>(line: Cow<'a, str>, mask: &Mask) -> Cow<'a, str> {
    let finding = if mask.is_empty() { None } else { parsed::finding(&line) };
    let Some(finding) = finding else { return line };
    serde_json::to_string(&veiled(finding, mask)).map_or(line, Cow::Owned)
}

/// The same of a finding. What cannot be decoded, and why a sink put a message aside, is told in words that may quote any value.
pub(super) fn veiled(mut finding: Finding, mask: &Mask) -> Finding {
    mask.apply(&mut finding);
    let quotes =
        [MessageVerdict::Undecodable, MessageVerdict::Diverted].map(Verdict::Message).contains(&finding.verdict);
    if let Some((what, _)) = finding.detail.split_once(": ").filter(|_| quotes && !mask.is_empty()) {
        finding.detail = format!("{what}: {MASKED}");
    }
    finding
}

/// What is known of a finding whose values are not read yet.
pub(super) fn untold(pipeline: &str, row: &FindingRow) -> Finding {
    let mut finding = match (&row.place, row.verdict) {
        (Place::Message { tp, offset }, Verdict::Message(verdict)) => {
            Finding::of_message(pipeline, verdict, row.cause, tp, *offset)
        }
        (Place::Row { file, position }, verdict) => Finding::of_row(pipeline, verdict, row.cause, file, *position),
        (Place::Table { path }, verdict) => Finding::of_table(pipeline, verdict, row.cause, path),
        (Place::Message { tp, offset }, verdict) => {
            Finding::of_table(pipeline, verdict, row.cause, &format!("{tp}@{offset}"))
        }
    };
    finding.timestamp = row.timestamp_ms.map(UtcMillis);
    finding.copies = row.copies;
    finding.detail = row.said.clone().unwrap_or_else(|| "its values are not read yet".to_owned());
    finding
}

/// A message of a whole segment, or all of them where their offsets are not known one by one.
fn of_run(pipeline: &str, run: &RunRow, offset: Option<i64>) -> Option<Finding> {
    let Verdict::Message(verdict) = run.verdict else { return None };
    let mut finding = Finding::of_message(pipeline, verdict, run.cause, &run.tp, offset.unwrap_or(run.from));
    let (from, upto) = (run.from, run.upto);
    finding.detail = match offset {
        Some(_) => format!("no message of offsets {from} to {upto} has a row"),
        None => format!("none of the {} messages of offsets {from} to {upto} has a row", run.messages),
    };
    if verdict == MessageVerdict::Diverted {
        finding.detail += ": all of them are among the dead letters";
    }
    if let Some(blame) = &run.blame {
        let rows = std::mem::take(&mut finding.detail);
        blame.tell(&mut finding);
        finding.detail = format!("{rows}: {}", finding.detail);
    }
    if offset.is_none() {
        // It is about no message of its own.
        let range = format!("{}@{from}..{upto}", run.tp);
        finding.id = FindingId::of_table(pipeline, run.verdict, run.cause, &range);
        finding.offset = None;
    }
    Some(finding)
}
