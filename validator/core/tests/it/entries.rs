//! Entries of small cases, written with small numbers: an identity and a value for each message and row.
//!
//! A digest is made of (identity, value), a rest digest of the value alone, so that equal numbers are equal columns.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::clock::{Clock, Past};
use validator_core::digest::{Digest, IdentityHash};
use validator_core::hole::HoleReason;
use validator_core::judge::{
    Case, Draft, Judgement, LossKind, MessageEntry, MessageState, ModeKind, NoBalanced, RowEntry, RowStanding, judge,
};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::verdict::{Cause, ExcludedCause, MessageVerdict, RowVerdict, UndecodableCause, Verdict};

/// The clock of all small cases: timestamp 0 is due, 500 settles at 600, 1,000 is now.
pub const CLOCK: Clock = Clock { judged_at_ms: 1_000, settle_ms: 100, give_up_ms: 900, retention_ms: None };

/// Due, and not given up.
pub const DUE_MS: i64 = 200;

/// Not yet due.
pub const PENDING_MS: i64 = 950;

pub fn identity(number: u64) -> IdentityHash {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    IdentityHash(bytes)
}

pub fn digest(identity: u64, value: u64) -> Digest {
    let mut bytes = [1; 32];
    bytes[16..24].copy_from_slice(&identity.to_be_bytes());
    bytes[24..].copy_from_slice(&value.to_be_bytes());
    Digest(bytes)
}

pub fn rest(value: u64) -> Digest {
    let mut bytes = [2; 32];
    bytes[24..].copy_from_slice(&value.to_be_bytes());
    Digest(bytes)
}

/// The number that [`identity`] was made of.
pub fn id_of(identity: IdentityHash) -> u64 {
    let (_, number) = identity.0.split_last_chunk().expect("sixteen bytes hold eight");
    u64::from_be_bytes(*number)
}

/// The value that [`digest`] or [`rest`] was made of.
pub fn value_of(digest: Digest) -> u64 {
    let (_, number) = digest.0.split_last_chunk().expect("thirty-two bytes hold eight");
    u64::from_be_bytes(*number)
}

pub fn message_at(partition: u32, offset: i64) -> MessageAt {
    MessageAt { partition: PartitionIndex(partition), offset }
}

pub fn row_at(file: u32, position: u64) -> RowAt {
    RowAt { file: FileIndex(file), position }
}

/// A due message at (partition 0, offset) with this identity and value.
pub fn message(offset: i64, id: u64, value: u64) -> MessageEntry {
    MessageEntry {
        at: message_at(0, offset),
        timestamp_ms: Some(DUE_MS),
        identity: Some(identity(id)),
        digest: Some(digest(id, value)),
        rest: Some(rest(value)),
        state: MessageState::Judged,
        loss: None,
        stood: false,
    }
}

/// A row in scope at (file 0, position) with this identity and value.
pub fn row(position: u64, id: u64, value: u64) -> RowEntry {
    RowEntry {
        at: row_at(0, position),
        identity: identity(id),
        digest: digest(id, value),
        rest: rest(value),
        standing: RowStanding::InScope,
        hole: None,
        late: false,
    }
}

/// A message that deletes the key.
pub fn deletion(offset: i64, id: u64) -> MessageEntry {
    excluded(offset, id, ExcludedCause::Tombstone)
}

/// Changes of one entry, so that a case reads as one expression.
pub trait With: Sized {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl With for MessageEntry {}
impl With for RowEntry {}
impl With for Case {}

pub fn excluded(offset: i64, id: u64, cause: ExcludedCause) -> MessageEntry {
    message(offset, id, 0).with(|message| {
        (message.digest, message.rest) = (None, None);
        message.state = MessageState::Excluded(cause);
    })
}

/// `id` is known where a mapping failed, unknown where the payload could not be read.
pub fn undecodable(offset: i64, id: Option<u64>) -> MessageEntry {
    message(offset, 0, 0).with(|message| {
        (message.digest, message.rest) = (None, None);
        message.identity = id.map(identity);
        message.state = MessageState::Undecodable(UndecodableCause::BadPayload);
    })
}

pub fn standing(standing: RowStanding) -> impl FnOnce(&mut RowEntry) {
    move |row| row.standing = standing
}

pub fn at_hole(reason: HoleReason) -> impl FnOnce(&mut RowEntry) {
    move |row| row.hole = Some(reason)
}

pub fn corrupt(message: &mut MessageEntry) {
    message.loss = Some(LossKind::Corrupt { loss: 0 });
}

pub fn unreadable(message: &mut MessageEntry) {
    message.loss = Some(LossKind::Unreadable { loss: 0 });
}

/// Offset mode of the whole topic; nothing in balanced segments.
pub fn offset_case(messages: Vec<MessageEntry>, rows: Vec<RowEntry>) -> Case {
    let past = Past::Offsets { paired_max: BTreeMap::new() };
    let (mode, diverted) = (ModeKind::Offset, BTreeSet::new());
    Case { mode, messages, rows, clock: CLOCK, past, whole_topic: true, diverted, remembers: true }
}

/// Key mode; a commit that moved past every due message.
pub fn key_case(messages: Vec<MessageEntry>, rows: Vec<RowEntry>) -> Case {
    let past = Past::Commits { times_ms: vec![CLOCK.judged_at_ms] };
    Case { mode: ModeKind::Key, past, ..offset_case(messages, rows) }
}

/// Content mode: what [`key_case`] has, and the identity of an entry is its content.
pub fn content_case(messages: Vec<MessageEntry>, rows: Vec<RowEntry>) -> Case {
    Case { mode: ModeKind::Content, ..key_case(messages, rows) }
}

/// A due message of this content.
pub fn content(offset: i64, content: u64) -> MessageEntry {
    message(offset, content, content)
}

/// A row in scope with this content.
pub fn content_row(position: u64, content: u64) -> RowEntry {
    row(position, content, content)
}

/// Upsert mode; a commit that moved past every message sent up to 500.
pub fn upsert_case(messages: Vec<MessageEntry>, rows: Vec<RowEntry>) -> Case {
    let past = Past::Commits { times_ms: vec![600] };
    Case { mode: ModeKind::Upsert, past, ..offset_case(messages, rows) }
}

pub fn judged(case: Case) -> Judgement {
    let Ok(judgement) = judge(case, &mut NoBalanced);
    judgement
}

/// Each finding as text: `corrupted(0:100) rows 0/3`, `phantom aborted 0/4`, sorted as the judge sorts. Candidates come
/// last: `missing(0:2) lost of 0:1 0:2`.
pub fn findings(judgement: &Judgement) -> Vec<String> {
    judgement.drafts.iter().map(finding).collect()
}

fn finding(draft: &Draft) -> String {
    let place = |row: &RowAt| format!("{}/{}", row.file.0, row.position);
    let rows: Vec<String> = draft.rows.iter().map(place).collect();
    let cause = draft.cause.map(|cause| format!(" {cause}")).unwrap_or_default();
    let moved = if draft.identity_moved { " identity" } else { "" };
    let message = draft.message.map(|at| format!("({}:{})", at.partition.0, at.offset)).unwrap_or_default();
    let rows = if rows.is_empty() { String::new() } else { format!(" rows {}", rows.join(" ")) };
    let equals = draft.equals.as_ref().map(|equals| {
        let listed = equals.candidates.iter().map(|at| format!(" {}:{}", at.partition.0, at.offset));
        format!(" of{}", listed.collect::<String>())
    });
    format!("{}{message}{cause}{moved}{rows}{}", draft.verdict, equals.unwrap_or_default())
}

/// The verdict counts that are not 0, messages before rows: `intact 2, missing 1; intact 2`.
pub fn counts(judgement: &Judgement) -> String {
    let total = judgement.total();
    let messages = MessageVerdict::ALL.iter().map(|verdict| (verdict.as_str(), total.of(*verdict)));
    let rows = &judgement.rows;
    let rows = [
        (RowVerdict::Intact, rows.intact),
        (RowVerdict::Corrupted, rows.corrupted),
        (RowVerdict::Copies, rows.copies),
        (RowVerdict::Phantom, rows.phantom),
        (RowVerdict::Unjudged, rows.unjudged),
        (RowVerdict::Unobservable, rows.unobservable),
        (RowVerdict::OutOfScope, rows.out_of_scope),
    ];
    let listed = |counts: Vec<(&str, u64)>| {
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        counts.map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
    };
    let rows = rows.iter().map(|(verdict, count)| (verdict.as_str(), *count)).collect();
    format!("{}; {}", listed(messages.collect()), listed(rows))
}

/// The causes of phantoms, in order.
pub fn phantom_causes(judgement: &Judgement) -> Vec<&'static str> {
    let phantoms = judgement.drafts.iter().filter(|draft| draft.verdict == Verdict::Row(RowVerdict::Phantom));
    phantoms.filter_map(|draft| draft.cause.map(Cause::as_str)).collect()
}
