//! All pipelines of one process: begun, opened again after a failure, changed when their files change, ended in order.
//!
//! Contract: pipelines share the ledger and the threads and nothing else. A file that is wrong changes nothing. A pipeline whose
//! file changed ends with a checkpoint and goes on from it by the new file, or is refused by the ledger.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_ledger::Ledger;

use super::answering::{LedgerAnswers, Pipelines};
use super::fleet::{self, Fleet, Seated};
use super::http::{self, Board, Site};
use super::limits::{FILES_EVERY, STANDS_BY, STOP_MOST};
use super::outside::wall_ms as now_ms;
use super::publishing::Publisher;
use super::standing_by::stand_by;
use super::{Configured, configured, lifetime, state};
use crate::cli::Exit;
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
use crate::render;
use crate::terminal::Terminal;

/// See the module.
pub struct Supervisor<'a> {
    named: (Option<PathBuf>, Vec<String>),
    configured: Configured,
    ledger: Arc<Ledger>,
    /// This process as one of several; none: it runs alone.
    fleet: Option<Fleet>,
    until: Option<Duration>,
    stop: CancellationToken,
    running: JoinSet<(String, Result<(), Failure>)>,
    /// By name: how it is ended, and the text of its file.
    pipelines: BTreeMap<String, (CancellationToken, String)>,
    /// What goes on by another file as soon as it has ended.
    next: BTreeMap<String, Pipeline>,
    /// Pipelines that have ended in a failure and were not begun again.
    failed: BTreeMap<String, Failure>,
    /// By name, how it ends that alerts of a failed pipeline are told while others run.
    standing_by: BTreeMap<String, (CancellationToken, JoinHandle<()>)>,
    /// By name: the text of the file with which a pipeline has ended in a failure.
    given_up: BTreeMap<String, String>,
    /// It was said that another `listen` changes nothing.
    is_listen_said: bool,
    /// What was last said of files that are wrong.
    said_wrong: Option<String>,
    board: Arc<Board>,
    publishers: BTreeMap<String, Publisher>,
    /// As the files stand, for who is asked.
    known: Pipelines,
    terminal: &'a Terminal,
}

impl<'a> Supervisor<'a> {
    /// Of what was configured, under the arguments that it was found by.
    ///
    /// # Errors
    /// The ledger cannot be opened.
    pub async fn new(
        named: (Option<PathBuf>, Vec<String>),
        configured: Configured,
        fleet: Option<Fleet>,
        until: Option<Duration>,
        terminal: &'a Terminal,
    ) -> Result<Self, Failure> {
        let ledger = state::open_as(&configured.service, fleet.as_ref(), chrono::Utc::now().timestamp_millis()).await?;
        Ok(Self {
            named,
            configured,
            ledger: Arc::new(ledger),
            fleet,
            until,
            stop: CancellationToken::new(),
            running: JoinSet::new(),
            pipelines: BTreeMap::new(),
            next: BTreeMap::new(),
            failed: BTreeMap::new(),
            standing_by: BTreeMap::new(),
            given_up: BTreeMap::new(),
            is_listen_said: false,
            said_wrong: None,
            board: Arc::default(),
            publishers: BTreeMap::new(),
            known: Pipelines::default(),
            terminal,
        })
    }

    /// Runs until it is told to stop, or every pipeline has ended by itself.
    ///
    /// # Errors
    /// The worst failure of a pipeline.
    pub async fn run(mut self) -> Result<Exit, Failure> {
        self.serve().await?;
        for pipeline in self.configured.pipelines.clone() {
            self.begin(pipeline);
        }
        let [mut terminate, mut interrupt, mut hang_up, mut look] = signals()?;
        let mut files = interval(FILES_EVERY);
        files.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop_by = None;
        while !self.running.is_empty() {
            let deadline = stop_by.unwrap_or_else(|| tokio::time::Instant::now() + STOP_MOST);
            tokio::select! {
                _ = terminate.recv() => stop_by = Some(self.stop(stop_by)),
                _ = interrupt.recv() => stop_by = Some(self.stop(stop_by)),
                _ = hang_up.recv() => self.reload(true),
                _ = look.recv() => self.publishers.values().for_each(Publisher::ask_to_look),
                _ = files.tick(), if self.until.is_none() && stop_by.is_none() => self.reload(false),
                () = tokio::time::sleep_until(deadline), if stop_by.is_some() => {
                    let what = "a pipeline did not end in time: the next run goes on from its last checkpoint";
                    return Err(Failure::Following(what.to_owned()));
                }
                ended = self.running.join_next() => match ended {
                    Some(Ok((name, ended))) => self.ended(&name, ended),
                    Some(Err(error)) => return Err(Failure::Runtime(std::io::Error::other(error))),
                    None => break,
                },
            }
        }
        self.standing_by.values().for_each(|(stop, _)| stop.cancel());
        match (self.failed.values().map(Failure::exit).max_by_key(|exit| exit.code()), self.until) {
            // It was told already.
            (Some(exit), _) => Ok(exit),
            (None, None) => Ok(Exit::Holds),
            (None, Some(_)) if self.stop.is_cancelled() => Ok(Exit::Unjudged),
            (None, Some(_)) => {
                let Configured { service, pipelines } = &self.configured;
                Ok(crate::ledger::worst(&crate::ledger::all(service, pipelines).await?))
            }
        }
    }

    fn begin(&mut self, pipeline: Pipeline) {
        let name = pipeline.contract.name.clone();
        self.failed.remove(&name);
        let stood_by = self.standing_by.remove(&name).map(|(stop, standing)| {
            stop.cancel();
            standing
        });
        let stop = self.stop.child_token();
        self.pipelines.insert(name.clone(), (stop.clone(), pipeline.file.text().to_owned()));
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), pipeline.clone());
        let publisher = match self.publishers.get(&name) {
            Some(publisher) => {
                // Its file may have changed.
                publisher.change(|status| status.target = pipeline.contract.fidelity.target);
                publisher.clone()
            }
            None => {
                let target = pipeline.contract.fidelity.target;
                let (publisher, statuses) = Publisher::starting(&name, target, now_ms());
                self.board.put(name.clone(), statuses);
                self.publishers.insert(name.clone(), publisher.clone());
                publisher
            }
        };
        let (service, ledger, until) = (Arc::clone(&self.configured.service), Arc::clone(&self.ledger), self.until);
        let fleet = self.fleet.clone();
        let followed = async move {
            // It would take the book away from this one.
            if let Some(standing) = stood_by {
                let _ = standing.await;
            }
            match &fleet {
                None => lifetime::followed(&pipeline, &service, &ledger, until, (&stop, &publisher)).await,
                Some(fleet) => {
                    let (pipeline, service, ledger, publisher) = (&pipeline, &*service, &*ledger, &publisher);
                    let seated = Seated { pipeline, service, ledger, fleet, until, publisher };
                    fleet::followed(seated, &stop).await
                }
            }
        };
        self.running.spawn(async move { (name, alone(followed).await) });
    }

    /// Serves metrics, health and the API where `[service] listen` asks for it.
    async fn serve(&self) -> Result<(), Failure> {
        let Some(address) = self.configured.service.listen else { return Ok(()) };
        let listener = http::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
        let bound = listener.local_addr().map_or_else(|_| address.to_string(), |bound| bound.to_string());
        tracing::info!("serving on {bound}");
        let answers =
            LedgerAnswers { service: Arc::clone(&self.configured.service), pipelines: Arc::clone(&self.known) };
        let site = Site { board: Arc::clone(&self.board), answers: Some(Arc::new(answers)), now_ms };
        let stop = self.stop.clone();
        tokio::spawn(async move { http::serve(listener, site, stop.cancelled_owned()).await });
        Ok(())
    }

    fn stop(&self, stop_by: Option<tokio::time::Instant>) -> tokio::time::Instant {
        self.stop.cancel();
        stop_by.unwrap_or_else(|| tokio::time::Instant::now() + STOP_MOST)
    }

    fn ended(&mut self, name: &str, ended: Result<(), Failure>) {
        let text = self.pipelines.remove(name);
        if let Some(pipeline) = self.next.remove(name).filter(|_| !self.stop.is_cancelled()) {
            self.begin(pipeline);
            return;
        }
        let Err(failure) = ended else {
            self.board.remove(name);
            self.publishers.remove(name);
            return;
        };
        if let Some(publisher) = self.publishers.get(name) {
            publisher.failed(&error_chain(&failure));
        }
        self.given_up.extend(text.map(|(_, text)| (name.to_owned(), text)));
        tracing::error!(pipeline = name, "the pipeline has ended: {}", error_chain(&failure));
        let (palette, width) = (self.terminal.palette_of_talk(), self.terminal.width());
        self.terminal.talk(&render::failure(&failure, palette, width));
        if !lifetime::is_damage(&failure) {
            self.stand_by(name);
        }
        self.failed.insert(name.to_owned(), failure);
    }

    /// Goes on to tell the alerts of a pipeline that nobody follows any more, as long as others run: who gets none takes it for sound.
    fn stand_by(&mut self, name: &str) {
        // Of a fleet whoever has the seat does so.
        if self.fleet.is_some() || self.running.is_empty() || self.stop.is_cancelled() {
            return;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some((pipeline, publisher)) = known.zip(self.publishers.get(name).cloned()) else { return };
        let (service, ledger) = (Arc::clone(&self.configured.service), Arc::clone(&self.ledger));
        let stop = self.stop.child_token();
        let until = stop.clone();
        let standing = tokio::spawn(async move {
            while !until.is_cancelled() {
                stand_by(&pipeline, &service, &ledger, &publisher, (STANDS_BY, &until)).await;
            }
        });
        self.standing_by.insert(name.to_owned(), (stop, standing));
    }

    /// Reads the files again, and lets what changed go on by the new ones. Who asks for it means all that they name too, as schemas and
    /// secrets, and pipelines that have ended.
    fn reload(&mut self, is_asked: bool) {
        let (config, named) = &self.named;
        let configured = match configured(config.as_deref(), named) {
            Ok(configured) => configured,
            Err(failure) => {
                // They are read every few seconds: what is wrong is said once.
                let (palette, width) = (self.terminal.palette_of_talk(), self.terminal.width());
                let said = render::failure(&failure, palette, width);
                if self.said_wrong.as_ref() != Some(&said) {
                    tracing::warn!("the files are wrong, and nothing changes: {}", error_chain(&failure));
                    self.terminal.talk(&said);
                }
                self.said_wrong = Some(said);
                return;
            }
        };
        self.said_wrong = None;
        let text = |service: &Service| service.file.as_ref().map(|file| file.text().to_owned());
        let is_new = is_asked || text(&configured.service) != text(&self.configured.service);
        let run_of = |service: &Service| (state::address(service), service.fleet);
        if run_of(&configured.service) != run_of(&self.configured.service) {
            tracing::warn!("another `[service] state` or `fleet` is another run: end this one first; nothing changes");
            return;
        }
        if configured.service.listen != self.configured.service.listen && !self.is_listen_said {
            tracing::warn!("another `[service] listen` is taken by the next start of the process");
            self.is_listen_said = true;
        }
        self.configured = configured;
        let files: BTreeMap<&str, &Pipeline> =
            self.configured.pipelines.iter().map(|pipeline| (pipeline.contract.name.as_str(), pipeline)).collect();
        let mut begun = Vec::new();
        for (name, pipeline) in &files {
            match self.pipelines.get(*name) {
                Some((_, text)) if !is_new && text == pipeline.file.text() => {}
                Some((stop, _)) => {
                    tracing::info!(pipeline = name, "goes on by a new file");
                    stop.cancel();
                    self.next.insert((*name).to_owned(), (*pipeline).clone());
                }
                None if !is_new && self.given_up.get(*name).is_some_and(|text| text == pipeline.file.text()) => {}
                None => begun.push((*pipeline).clone()),
            }
        }
        let gone = self.failed.keys().filter(|name| !files.contains_key(name.as_str()));
        let gone: Vec<String> = gone.cloned().collect();
        for (name, (stop, _)) in self.pipelines.iter().filter(|(name, _)| !files.contains_key(name.as_str())) {
            tracing::info!(pipeline = name, "is no longer configured, and ends");
            stop.cancel();
            self.next.remove(name);
        }
        begun.into_iter().for_each(|pipeline| self.begin(pipeline));
        gone.iter().for_each(|name| self.forget(name));
    }

    /// A pipeline that had failed is no longer configured.
    fn forget(&mut self, name: &str) {
        tracing::info!(pipeline = name, "is no longer configured, and its failure is over");
        if let Some((stop, _)) = self.standing_by.remove(name) {
            stop.cancel();
        }
        self.board.remove(name);
        self.publishers.remove(name);
        self.given_up.remove(name);
        self.failed.remove(name);
    }
}

/// Runs a pipeline as a task of its own: what it panics with, also while it is opened, ends it alone.
async fn alone(followed: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
    match tokio::spawn(followed).await {
        Ok(ended) => ended,
        Err(error) => Err(Failure::Following(error.to_string())),
    }
}

fn signals() -> Result<[Signal; 4], Failure> {
    let of = |kind| signal(kind).map_err(Failure::Runtime);
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::user_defined1()];
    let [terminate, interrupt, hang_up, look] = kinds.map(of);
    Ok([terminate?, interrupt?, hang_up?, look?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_that_panics_while_it_is_opened_ends_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let ended = runtime.block_on(alone(async { panic!("no such thing") }));
        assert!(matches!(&ended, Err(Failure::Following(why)) if why.contains("no such thing")), "{ended:?}");
        assert!(runtime.block_on(alone(async { Ok(()) })).is_ok());
    }
}
