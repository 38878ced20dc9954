//! `validator explain`: one finding in full, with the history of its states and the command that shows it again.

use serde_json::{Value as Json, json};
use validator_core::clock::UtcMillis;
use validator_core::finding::{Finding, FindingId};
use validator_core::harmless::harmless_json;
use validator_engine::mask::Mask;
use validator_ledger::{FindingRow, FindingState, LedgerError, Mark, ReadLedger, ResolvedBy, RunRow};

use super::findings::{hidden, masked, untold, veiled};
use super::named::{Meant, meant, names, of_run, problem};
use super::{parsed, reported};
use crate::cli::{Exit, ExplainArgs, ExplainFormat};
use crate::config::{Loader, Service};
use crate::failure::Failure;
use crate::render::{Page, Role, counted, escape, finding_text, words};
use crate::report::Again;
use crate::terminal::Terminal;
use crate::{open, run};

/// Everything that is known of a finding.
struct Explained {
    finding: Finding,
    /// As the ledger keeps it, but for what is masked.
    object: Json,
    life: Life,
    decisions: Vec<Mark>,
    again: Option<String>,
}

/// What holds of it and since when.
struct Life {
    state: FindingState,
    times: u64,
    first_ms: i64,
    opened_ms: i64,
    changed_ms: i64,
    resolved_by: Option<ResolvedBy>,
    group: String,
}

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code.
pub fn explain(args: &ExplainArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let loader = Loader::of_process(now_ms);
    let service = loader.service(args.of.config.as_deref())?;
    let explained = open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let names = names(&mut ledger, args.of.pipeline.as_deref()).await?;
        let (name, found) = meant(&mut ledger, &names, &args.id).await?;
        let mut explained = match found {
            Meant::Finding(id) => {
                let mask = masked(&loader, &service, &name)?;
                of_row(&mut ledger, (&name, &mask), &id, now_ms).await?
            }
            Meant::InRun(run, offset) => in_run(&name, &run, offset)?,
            Meant::Group(_) => {
                return Err(problem(format!("{} is a group of findings", args.id), "`validator findings --by-cause`"));
            }
        };
        explained.again = again(&loader, &service, args, &mut ledger, &name, &explained.finding).await;
        Ok(explained)
    })?;
    terminal.answer(&match args.format {
        ExplainFormat::Json => format!("{}\n", harmless_json(&explained.json().to_string())),
        ExplainFormat::Text => explained.text(terminal),
    })?;
    Ok(Exit::Holds)
}

async fn of_row(
    ledger: &mut ReadLedger,
    (name, mask): (&str, &Mask),
    id: &FindingId,
    now_ms: i64,
) -> Result<Explained, Failure> {
    let gone = || LedgerError::Damaged { what: format!("finding {id} was there and is not") };
    let (row, decisions) = ledger.finding(name, id, now_ms).await?.ok_or_else(gone)?;
    let damaged = || LedgerError::Damaged { what: "the values of a finding".to_owned() };
    let (finding, object) = match &row.evidence {
        Some(body) => {
            let line = hidden(String::from_utf8_lossy(body), mask);
            let finding = parsed::finding(&line).ok_or_else(damaged)?;
            (finding, serde_json::from_str(&line).map_err(|_| damaged())?)
        }
        None => {
            let finding = veiled(untold(name, &row), mask);
            let object = json!(&finding);
            (finding, object)
        }
    };
    Ok(Explained { finding, object, life: Life::of(&row), decisions, again: None })
}

fn in_run(name: &str, run: &RunRow, offset: i64) -> Result<Explained, Failure> {
    let nothing = || LedgerError::Damaged { what: "a whole segment has a verdict of no message".to_owned() };
    let finding = of_run(name, run, offset).ok_or_else(nothing)?;
    let life = Life {
        state: run.state,
        times: 1,
        first_ms: run.opened_ms,
        opened_ms: run.opened_ms,
        changed_ms: run.changed_ms,
        resolved_by: run.resolved_by.clone(),
        group: run.group.as_str().to_owned(),
    };
    Ok(Explained { object: json!(&finding), finding, life, decisions: Vec::new(), again: None })
}

/// The command that shows it again, where the pipeline's file is there to be judged by.
async fn again(
    loader: &Loader<'_>,
    service: &Service,
    args: &ExplainArgs,
    ledger: &mut ReadLedger,
    name: &str,
    finding: &Finding,
) -> Option<String> {
    let pipeline = loader.pipeline(name, service).ok()?;
    let report = reported(ledger, &pipeline, loader.now_ms).await.ok()?.report;
    let mut what = vec!["validator".to_owned(), "reconcile".to_owned()];
    if let Some(config) = &args.of.config {
        what.extend(["-c".to_owned(), config.display().to_string()]);
    }
    what.push(name.to_owned());
    Again::of_run(what, None, None, &pipeline.contract.identity).one(&report, finding)
}

impl Life {
    fn of(row: &FindingRow) -> Self {
        Self {
            state: row.state,
            times: row.times,
            first_ms: row.first_ms,
            opened_ms: row.opened_ms,
            changed_ms: row.changed_ms,
            resolved_by: row.resolved_by.clone(),
            group: row.group.as_str().to_owned(),
        }
    }

    /// What resolved it, in words.
    fn resolved(&self) -> Option<String> {
        Some(match self.resolved_by.as_ref()? {
            ResolvedBy::Finding(id) => format!("finding {id} is true instead"),
            ResolvedBy::Findings => "findings on single messages are true instead".to_owned(),
            ResolvedBy::Snapshot(id) => format!("the table at snapshot {id}"),
        })
    }
}

impl Explained {
    fn json(&self) -> Json {
        let decision = |mark: &Mark| {
            json!({
                "what": mark.what.as_str(),
                "about": mark.target.as_str(),
                "who": mark.who,
                "reason": mark.reason,
                "until": mark.until_ms.map(UtcMillis),
                "at": UtcMillis(mark.at_ms),
            })
        };
        json!({
            "finding": self.object,
            "state": self.life.state.as_str(),
            "group": self.life.group,
            "times": self.life.times,
            "first_at": UtcMillis(self.life.first_ms),
            "opened_at": UtcMillis(self.life.opened_ms),
            "changed_at": UtcMillis(self.life.changed_ms),
            "resolved_by": self.life.resolved(),
            "decisions": self.decisions.iter().map(decision).collect::<Vec<_>>(),
            "again": self.again,
        })
    }

    fn text(&self, terminal: &Terminal) -> String {
        let (palette, width) = (terminal.palette(), terminal.width());
        let mut page = Page::new(palette, width);
        page.line(2, None, self.finding.verdict.meaning());
        if let Some(cause) = self.finding.cause {
            page.line(2, None, cause.meaning());
        }
        page.blank();
        let life = &self.life;
        page.heading(words::role(self.finding.verdict), life.state.as_str(), &format!("id {}", self.finding.id));
        page.line(2, None, &format!("opened first {}, last {}", UtcMillis(life.first_ms), UtcMillis(life.opened_ms)));
        if life.times > 1 {
            page.line(2, None, &format!("opened {}", counted(life.times, "time", "times")));
        }
        if life.state == FindingState::Resolved {
            let by = life.resolved().map(|by| format!(" by {by}")).unwrap_or_default();
            page.line(2, None, &format!("resolved {}{by}", UtcMillis(life.changed_ms)));
        }
        for mark in &self.decisions {
            page.line(2, None, &decided(mark));
        }
        page.line(2, Some(Role::Faint), &format!("group {}", life.group));
        if let Some(again) = &self.again {
            page.blank();
            page.line(0, Some(Role::Strong), "shown again by");
            page.line(2, None, again);
        }
        finding_text(&self.finding, palette, width) + &page.finish()
    }
}

fn decided(mark: &Mark) -> String {
    let until = mark.until_ms.map(|until| format!(" until {}", UtcMillis(until))).unwrap_or_default();
    let reason = if mark.reason.is_empty() { String::new() } else { format!(": {}", escape(&mark.reason)) };
    format!("{} {} by {}{until}{reason}", mark.what.as_str(), UtcMillis(mark.at_ms), escape(&mark.who))
}
