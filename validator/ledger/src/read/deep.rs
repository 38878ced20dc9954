//! Proving that what a ledger says is right, not only that it is what was written: the laws of the state over everything.
//!
//! Contract: beside the hashes (`verify`): each body's own checksum; the credit of each segment is the sum of its live
//! files, and of no other (I2); residues (I3) and offsets (I6); all counts are made anew from the state (I1, I8).

use std::collections::{BTreeMap, HashMap};

use validator_core::bag::Bag;
use validator_core::digest::Digest;
use validator_core::segment::SegmentKey;
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::FileStanding;
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::terms::Terms;
use validator_core::shadow::told::file_of;

use super::continuity::{Continuity, continuity};
use super::equal::still_equal;
use super::pages::{each_page, segment_of};
use super::{ReadLedger, row_of};
use crate::books::Key;
use crate::error::LedgerError;
use crate::restore::restored;
use crate::rows;
use crate::schema::{FILE_BODIES, FILES};
use crate::store::Store;
use crate::verify::{Verified, verified};

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeepVerified {
    /// Rows, books and chain.
    pub verified: Verified,
    /// Files whose bags were read.
    pub bodies: u64,
    /// Segments whose credit was made anew.
    pub segments: u64,
    /// Where each offset is.
    pub continuity: Continuity,
}

impl ReadLedger {
    /// Proves a pipeline down to its bodies. `terms` are those that its last checkpoint judged by.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`]: something is not what was written; [`LedgerError::Broken`]: it is, and a law does not hold.
    pub async fn verify_deep(
        &mut self,
        name: &str,
        digest_key: [u8; 32],
        terms: Terms,
    ) -> Result<DeepVerified, LedgerError> {
        self.store.begin().await?;
        let proven = deep(&mut self.store, name, &Key(digest_key), terms).await;
        self.store.rollback().await;
        proven
    }
}

async fn deep(store: &mut Store, name: &str, key: &Key, terms: Terms) -> Result<DeepVerified, LedgerError> {
    let verified = verified(store, name, key).await?;
    let (row, _) = row_of(store, name).await?;
    let mut credits = Credits { live: live(store, row.pipeline).await?, ..Credits::default() };
    let sql = format!("SELECT {} FROM file_bodies WHERE pipeline = $1", FILE_BODIES.names());
    store
        .each(&sql, &[&row.pipeline.into()], &FILE_BODIES.kinds(), |found| {
            credits.add(FileId(rows::small(&found[0])?), &FileBags::from_bytes(found[1].blob()?)?)
        })
        .await?;
    each_page(store, row.pipeline, |key, page| credits.take(key, &page)).await?;
    let (bodies, segments) = credits.end()?;
    still_equal(store, name).await?;
    let continuity = continuity(store, name).await?;
    if let Some(broken) = &continuity.broken {
        let what = format!("{} at offset {}: {}", broken.tp, broken.offset, broken.what);
        return Err(LedgerError::Broken { what });
    }
    let (_, saved) = restored(store, key, &row).await?;
    match Shadow::restore(terms, saved) {
        Ok(_) => Ok(DeepVerified { verified, bodies, segments, continuity }),
        Err(error) => Err(LedgerError::Broken { what: error.to_string() }),
    }
}

/// Live files with their entries, and the rows of one entry.
async fn live(store: &mut Store, pipeline: i64) -> Result<BTreeMap<FileId, (u32, u64)>, LedgerError> {
    let mut live = BTreeMap::new();
    let sql = format!("SELECT {} FROM files WHERE pipeline = $1", FILES.names());
    store
        .each(&sql, &[&pipeline.into()], &FILES.kinds(), |found| {
            let file = rows::file_back(&found)?;
            let (facts, rows) = file_of(&file)?;
            if file.standing == FileStanding::Live {
                live.insert(file.id, (facts.entries, rows));
            }
            Ok(())
        })
        .await?;
    Ok(live)
}

/// What live files add to each segment, against what the segments say.
#[derive(Default)]
struct Credits {
    live: BTreeMap<FileId, (u32, u64)>,
    /// Made of the files; what a page has said is taken out.
    left: HashMap<SegmentKey, Bag>,
    /// Which file has rows in which segment: said by files less said by segments.
    pairs: Bag,
    bodies: u64,
    segments: u64,
}

impl Credits {
    fn add(&mut self, file: FileId, body: &FileBags) -> Result<(), LedgerError> {
        self.bodies += 1;
        let Some((entries, rows)) = self.live.remove(&file) else { return Ok(()) };
        if rows != body.rows {
            let what = format!("file {} has {rows} rows, and its bags are of {}", file.0, body.rows);
            return Err(LedgerError::Broken { what });
        }
        for (segment, bag) in body.bags.iter().filter(|(_, bag)| !bag.is_empty()) {
            let credit = self.left.entry(*segment).or_default();
            for _ in 0..entries {
                credit.merge(bag);
                self.pairs.add(&pair(file, *segment));
            }
        }
        Ok(())
    }

    fn take(&mut self, key: PageKey, page: &Page) -> Result<(), LedgerError> {
        for (slot, segment) in page.iter() {
            let segment_key = segment_of(key, slot)?;
            self.segments += 1;
            if self.left.remove(&segment_key).unwrap_or_default() != segment.credit {
                let what = format!("I2 violated in {segment_key}: its credit is not the sum of its files");
                return Err(LedgerError::Broken { what });
            }
            segment.files.iter().for_each(|file| self.pairs.remove(&pair(*file, segment_key)));
        }
        Ok(())
    }

    fn end(self) -> Result<(u64, u64), LedgerError> {
        let broken = |what: String| Err(LedgerError::Broken { what });
        if let Some((file, _)) = self.live.first_key_value() {
            return broken(format!("file {} is live and its bags are not there", file.0));
        }
        if let Some(segment) = self.left.keys().min() {
            return broken(format!("I2 violated in {segment}: files have rows there, and it has no account"));
        }
        if !self.pairs.is_empty() {
            return broken("I2 violated: segments name other files than have rows in them".to_owned());
        }
        Ok((self.bodies, self.segments))
    }
}

fn pair(file: FileId, segment: SegmentKey) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let (page, slot) = PageKey::of(segment);
    hasher.update(&file.0.to_le_bytes()).update(&[page.kind]).update(&page.a.to_le_bytes());
    hasher.update(&page.b.to_le_bytes()).update(&(slot as u64).to_le_bytes());
    Digest(*hasher.finalize().as_bytes())
}
