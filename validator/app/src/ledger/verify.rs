//! `validator ledger verify`: every row, the chain, and the laws of the books.

use validator_ledger::ReadLedger;

use crate::cli::{Exit, VerifyArgs};
use crate::config::Loader;
use crate::failure::Failure;
use crate::open;
use crate::run;
use crate::terminal::Terminal;

/// See the module.
///
/// # Errors
/// [`Failure`], with its exit code: what is damaged is named.
pub fn verify(args: &VerifyArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let loader = Loader::of_process(chrono::Utc::now().timestamp_millis());
    let service = loader.service(args.of.config.as_deref())?;
    let said = open::runtime()?.block_on(async {
        let mut ledger = ReadLedger::open(&run::address(&service)).await?;
        let names = match &args.of.pipeline {
            Some(name) => vec![name.clone()],
            None => ledger.names().await?,
        };
        let mut said = String::new();
        for name in names {
            let verified = ledger.verify(&name, service.digest_key_bytes()).await?;
            let (rows, links) = (verified.rows, verified.links);
            said += &format!(
                "{name}: sound at checkpoint {}, {rows} rows and {links} links of the chain\n",
                verified.checkpoint
            );
        }
        Ok::<_, Failure>(said)
    })?;
    terminal.answer(&said)?;
    Ok(Exit::Holds)
}
