//! `validator ledger verify`: every row, the chain, the laws of the books, and where each offset is.

use validator_core::segment::OffsetWidth;
use validator_core::shadow::terms::{Cut, Terms, TimedBy};
use validator_ledger::{DeepVerified, LedgerError, ReadLedger};

use super::continuity::lines;
use super::named::names;
use crate::cli::{Exit, VerifyArgs};
use crate::config::{Loader, Service};
use crate::failure::Failure;
use crate::render::{count, counted, escape};
use crate::terminal::Terminal;
use crate::{open, run};

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code: what is damaged, or which law does not hold, is named.
pub fn verify(args: &VerifyArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let now_ms = chrono::Utc::now().timestamp_millis();
    let service = Loader::of_process(now_ms).service(args.of.config.as_deref())?;
    let said = open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let mut said = String::new();
        for name in names(&mut ledger, args.of.pipeline.as_deref()).await? {
            said += &one(&mut ledger, &service, &name, now_ms).await?;
        }
        Ok::<_, Failure>(said)
    })?;
    terminal.tell(&said)?;
    Ok(Exit::Holds)
}

async fn one(ledger: &mut ReadLedger, service: &Service, name: &str, now_ms: i64) -> Result<String, Failure> {
    let key = service.digest_key_bytes();
    let shown = escape(name);
    let Some(facts) = ledger.report(name, now_ms).await? else {
        let verified = ledger.verify(name, key).await?;
        return Ok(format!("{shown}: sound, without a checkpoint, {}\n", counted(verified.rows, "row", "rows")));
    };
    // All else of the terms is in the state itself.
    let width =
        OffsetWidth::new(facts.width.max(1)).map_err(|error| LedgerError::Damaged { what: error.to_string() })?;
    let (pipeline, timed) = (name.to_owned(), TimedBy::Nobody);
    let cut = Cut::default();
    let (settle_ms, give_up_ms, retention_ms) = (0, 0, None);
    let terms = Terms { pipeline, settle_ms, give_up_ms, retention_ms, width, whole_topic: false, timed, cut };
    let proven = ledger.verify_deep(name, key, terms).await?;
    let DeepVerified { verified, bodies, segments, continuity } = proven;
    let mut said = format!(
        "{shown}: sound at checkpoint {}, {} rows and {} links of the chain\n  the bags of {} give the credit of {}\n",
        verified.checkpoint,
        count(verified.rows),
        count(verified.links),
        counted(bodies, "file", "files"),
        counted(segments, "segment", "segments"),
    );
    for line in lines(&continuity) {
        said += &format!("  {line}\n");
    }
    Ok(said)
}
