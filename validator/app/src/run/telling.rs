//! Values of findings: each open one is told once with both sides, and kept in the ledger as people see it.
//!
//! Contract: what nobody has read yet is asked of the ledger, so that a restart goes on with it; what is masked is masked here
//! already. A finding that changes is told anew; values that were read of what it said before are left out by the ledger, which
//! knows what it says. So values are asked for again only where a checkpoint changed their finding meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use validator_core::clock::UtcMillis;
use validator_core::finding::{Finding, FindingId, RowPlace};
use validator_core::judge::Draft;
use validator_core::position::{MessageAt, PartitionIndex, TopicPartition};
use validator_core::shadow::blame::Blame;
use validator_core::shadow::delta::FindingPlace;
use validator_core::shadow::event::{Event, Letter};
use validator_core::shadow::file::FileId;
use validator_core::verdict::{MessageVerdict, Verdict};
use validator_engine::dead_letters::DeadLetters;
use validator_engine::live::error::LookError;
use validator_engine::live::evidence::History;
use validator_ledger::{About, Evidence, Untold};

use super::actor::Actor;
use super::asking::Answer;
use super::jobs::Done;
use super::limits::EVIDENCE_DRAFTS;
use crate::failure::Failure;

/// What a round of telling found.
pub type Told = Result<Vec<Evidence>, LookError>;

impl Actor {
    /// Begins a round, where there is something to tell. False: there is nothing.
    pub(super) async fn tell(&mut self) -> Result<bool, Failure> {
        let untold = self.book.untold(EVIDENCE_DRAFTS).await?;
        if untold.is_empty() {
            return Ok(false);
        }
        let ids: BTreeSet<FindingId> = untold.iter().map(|one| one.id.clone()).collect();
        let known = self.shadow.drafts_of(&ids);
        let mut details = BTreeMap::new();
        let (mut drafts, mut plain) = (Vec::new(), Vec::new());
        for one in untold {
            let message = match &one.place {
                FindingPlace::Message { lane, offset } => Some(MessageAt { partition: *lane, offset: *offset }),
                _ => None,
            };
            if let (Some(at), Some(said)) = (message, &one.facts.said) {
                details.insert(at, said.clone());
            }
            match (known.get(&one.id), message) {
                (Some(draft), _) => drafts.push((one, (*draft).clone())),
                (None, Some(at)) if one.facts.said.is_some() => {
                    let draft = undecodable(&one, at);
                    drafts.push((one, draft));
                }
                (None, _) => plain.push(one),
            }
        }
        let paths = self.paths(drafts.iter().map(|(_, draft)| draft));
        let history_of = drafts.iter().filter_map(|(_, draft)| Some((draft.message?, self.history_of(draft)?)));
        let known: BTreeMap<MessageAt, Known> = history_of.collect();
        let (mut run, lanes) = (self.live.run.clone(), self.topic_partitions());
        run.dead_letters = self.letters_of(drafts.iter().map(|(_, draft)| draft)).await?;
        let pipeline = self.name.clone();
        // What stood before the first look only older snapshots tell.
        let history = if self.notes.steps <= 1 { History::Searched } else { History::LeftOut };
        tracing::info!(pipeline = self.name, findings = drafts.len() + plain.len(), "reading the values of findings");
        self.asking.begin();
        self.jobs.begin(async move {
            let only: Vec<Draft> = drafts.iter().map(|(_, draft)| draft.clone()).collect();
            let found = run.evidence(&paths, &only, details, history).await.map(|found| {
                let mut evidence = Vec::new();
                for ((one, draft), finding) in drafts.into_iter().zip(found) {
                    let mut finding = finding.unwrap_or_else(|| of_place(&pipeline, &lanes, &paths, &one));
                    if let Some(known) = draft.message.and_then(|at| known.get(&at)) {
                        known.tell(&mut finding);
                    }
                    evidence.extend(kept(&one, &finding));
                }
                let of_plain = |one: &Untold| kept(one, &of_place(&pipeline, &lanes, &paths, one));
                evidence.extend(plain.iter().filter_map(of_plain));
                evidence
            });
            Done::Asked(Answer::Told(found))
        });
        Ok(true)
    }

    /// What the shadow knows of the row that a message without one had, or may have had.
    fn history_of(&self, draft: &Draft) -> Option<Known> {
        let at = draft.message?;
        match draft.verdict {
            Verdict::Message(MessageVerdict::Withdrawn) => self.shadow.blame(at).map(Known::Taken),
            Verdict::Message(MessageVerdict::Missing | MessageVerdict::Overdue) => {
                self.shadow.may_have_stood(at).then_some(Known::MayHaveStood)
            }
            _ => None,
        }
    }

    /// Why diverted messages were put aside: pages that say it are asked of the ledger.
    async fn letters_of<'a>(
        &mut self,
        drafts: impl Iterator<Item = &'a Draft>,
    ) -> Result<Option<Arc<DeadLetters>>, Failure> {
        let Some(source) = self.notes.dead_letters.as_ref().map(|noted| noted.source.clone()) else { return Ok(None) };
        let is_diverted = |draft: &&Draft| draft.verdict == MessageVerdict::Diverted.into();
        let diverted: Vec<MessageAt> = drafts.filter(is_diverted).filter_map(|draft| draft.message).collect();
        let asked = diverted.iter().map(|at| Letter { partition: at.partition, offset: at.offset, cause: None });
        self.admit(&Event::Letters(asked.collect())).await?;
        let causes = diverted.iter().filter_map(|at| Some((*at, self.shadow.put_aside_for(*at)?.to_owned())));
        Ok(Some(Arc::new(DeadLetters::of_causes(source, causes))))
    }

    fn paths<'a>(&self, drafts: impl Iterator<Item = &'a Draft>) -> BTreeMap<FileId, String> {
        let mut paths = BTreeMap::new();
        for draft in drafts {
            let compared = draft.compare.iter().map(|(_, row)| row);
            for row in draft.rows.iter().chain(&draft.stale).chain(compared) {
                let file = FileId(row.file.0);
                if let Some(facts) = self.shadow.file(file) {
                    paths.insert(file, facts.path.clone());
                }
            }
        }
        paths
    }

    pub(super) fn topic_partitions(&self) -> Vec<TopicPartition> {
        self.shadow.lanes().iter().map(|lane| lane.tp.clone()).collect()
    }
}

/// What is known of a row that is not there.
enum Known {
    /// It stood, and this took it away.
    Taken(Blame),
    /// Files that may have had it are gone.
    MayHaveStood,
}

impl Known {
    fn tell(&self, finding: &mut Finding) {
        match self {
            Self::Taken(blame) => blame.tell(finding),
            Self::MayHaveStood => {
                finding.detail += "; whether it had one before cannot be known: files that were removed are gone";
            }
        }
    }
}

/// As the ledger keeps it.
fn kept(one: &Untold, finding: &Finding) -> Option<Evidence> {
    let about = finding.columns.first().map(|column| About::Column(column.name.clone()));
    let body = serde_json::to_vec(finding).ok()?;
    Some(Evidence { finding: one.id.clone(), of: Some(one.of), cause: finding.cause, about, body })
}

fn undecodable(one: &Untold, at: MessageAt) -> Draft {
    Draft {
        verdict: one.verdict,
        cause: one.cause,
        message: Some(at),
        timestamp_ms: one.facts.timestamp_ms,
        rows: Vec::new(),
        compare: Vec::new(),
        stale: Vec::new(),
        identity_moved: false,
        copies: 0,
        loss: None,
        hole: None,
        equals: None,
    }
}

/// What is known of a finding without values: of the table, or of rows whose file is live no longer.
fn of_place(pipeline: &str, lanes: &[TopicPartition], paths: &BTreeMap<FileId, String>, one: &Untold) -> Finding {
    let tp = |lane: &PartitionIndex| lanes.get(lane.0 as usize);
    let (tp, offset) = match &one.place {
        FindingPlace::Message { lane, offset } => (tp(lane), Some(*offset)),
        _ => (None, None),
    };
    let place =
        |(file, position): &(FileId, u64)| Some(RowPlace { file: paths.get(file)?.clone(), position: Some(*position) });
    let snapshot_id = match &one.place {
        FindingPlace::Table { path } => snapshot_of(path),
        _ => None,
    };
    let rows = match &one.place {
        FindingPlace::Table { .. } if snapshot_id.is_some() => Vec::new(),
        FindingPlace::Table { path } if !path.is_empty() => vec![RowPlace { file: path.clone(), position: None }],
        _ => one.facts.rows.iter().filter_map(place).collect(),
    };
    Finding {
        id: one.id.clone(),
        pipeline: pipeline.to_owned(),
        verdict: one.verdict,
        cause: one.cause,
        topic: tp.map(|tp| tp.topic.clone()),
        partition: tp.map(|tp| tp.partition),
        offset,
        timestamp: one.facts.timestamp_ms.map(UtcMillis),
        identity: None,
        columns: Vec::new(),
        rows,
        copies: one.facts.copies,
        candidates: Vec::new(),
        related: None,
        snapshot_id,
        operation: None,
        detail: one.facts.said.clone().unwrap_or_else(|| format!("{} as of the last look", one.verdict)),
    }
}

/// The snapshot that a finding about the history names.
fn snapshot_of(path: &str) -> Option<i64> {
    path.strip_prefix("snapshot ").and_then(|id| id.parse().ok())
}
