//! The members of a fleet, their ledger's server, and what it says of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fixtures_harness::Postgres;

use super::super::real::scene::PIPELINE;
use super::super::service::Service;
use crate::real_kafka::good;

/// See the module.
pub struct Team {
    folder: PathBuf,
    server: Rc<Postgres>,
    members: BTreeMap<String, Service>,
}

impl Team {
    /// Nobody yet; the service of the folder becomes that of a fleet.
    pub fn of(folder: &Path) -> Self {
        let server = Rc::new(good(Postgres::start()));
        let team = Self { folder: folder.to_owned(), server, members: BTreeMap::new() };
        let file = folder.join("validator.toml");
        let text = std::fs::read_to_string(&file).expect("it was written");
        let state = format!("fleet = true\nstate = {:?}", team.state());
        let shared = text.replacen("state = \"sqlite://state/ledger.db\"", &state, 1);
        assert_ne!(text, shared, "it names a file of SQLite");
        std::fs::write(&file, shared).expect("the folder takes files");
        team
    }

    fn state(&self) -> String {
        format!("postgresql://postgres@{}/postgres", self.server.address())
    }

    /// The ledger's server.
    pub fn server(&self) -> &Rc<Postgres> {
        &self.server
    }

    /// Starts a member.
    pub fn start(&mut self, name: &str) {
        let before = self.members.insert(name.to_owned(), Service::start_member(&self.folder, name));
        assert!(before.is_none(), "{name} runs");
    }

    /// SIGKILL.
    pub fn kill(&mut self, name: &str) {
        self.take(name).kill();
    }

    /// A member, no longer of the team.
    pub fn take(&mut self, name: &str) -> Service {
        self.members.remove(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// Starts a member with more words.
    pub fn start_with(&mut self, name: &str, words: &str) {
        let service = Service::start_member_with(&self.folder, name, words);
        let before = self.members.insert(name.to_owned(), service);
        assert!(before.is_none(), "{name} runs");
    }

    /// All of them.
    pub fn members(&mut self) -> impl Iterator<Item = (&str, &mut Service)> {
        self.members.iter_mut().map(|(name, service)| (name.as_str(), service))
    }

    /// Ends all in an orderly way.
    ///
    /// # Panics
    /// When one ends otherwise.
    pub fn stop(mut self) -> Rc<Postgres> {
        for (name, service) in std::mem::take(&mut self.members) {
            let (code, took) = service.stop();
            assert_eq!(code, Some(0), "member {name} after {took:?}:\n{}", log(&self.folder, &name));
        }
        Rc::clone(&self.server)
    }

    /// Who judges; none: nobody, or there is no ledger yet.
    pub fn judge(&self) -> Option<String> {
        self.judge_of(PIPELINE)
    }

    /// The same of that pipeline.
    pub fn judge_of(&self, pipeline: &str) -> Option<String> {
        let asked = format!("SELECT member FROM seats WHERE holder <> '' AND pipeline = '{pipeline}'");
        let name = self.server.run(&asked).ok()?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// How often the seat of the only pipeline was taken.
    pub fn epoch(&self) -> u64 {
        let epoch = self.server.run("SELECT max(epoch) FROM seats").unwrap_or_default();
        epoch.trim().parse().unwrap_or(0)
    }
}

/// What a member has said.
pub fn log(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("run-{name}.log"))).unwrap_or_default()
}
