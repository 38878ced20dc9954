//! Parcels: what one member made of the messages `from..to` of one partition, until the judge takes it.
//!
//! Contract: of one beginning the first parcel stands. Which of them count is decided by the judge, who takes the one that begins
//! where the partition is; members that read the same for a while post what overlaps, and no more of it counts than once.

use std::collections::BTreeMap;
use std::ops::Range;

use validator_core::position::PartitionIndex;
use validator_core::shadow::delta::LaneRow;

use super::Link;
use crate::error::LedgerError;
use crate::limits::{PARCELS_LISTED_MAX, PARCELS_TAKEN_MAX};
use crate::rows;
use crate::schema::LANES;
use crate::value::{Kind, Value};

/// One parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Of which partition.
    pub lane: PartitionIndex,
    /// The offsets that it has.
    pub offsets: Range<i64>,
    /// What its reader made of them.
    pub body: Vec<u8>,
}

/// A partition as of the last checkpoint, and the parcels of it that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// Its row.
    pub row: LaneRow,
    /// Offsets of the parcels, by their beginning.
    pub parcels: BTreeMap<i64, i64>,
}

impl LaneHead {
    /// Where the next parcel is to begin: behind those that follow each other from the position on.
    pub fn end(&self, position: i64) -> i64 {
        self.chained(position).0
    }

    /// The same, and how many parcels those are.
    pub fn chained(&self, position: i64) -> (i64, usize) {
        let (mut end, mut parcels) = (position, 0);
        while let Some(upto) = self.parcels.get(&end).filter(|upto| **upto > end) {
            end = *upto;
            parcels += 1;
        }
        (end, parcels)
    }

    /// Whether there are parcels behind that end, which nothing leads to.
    pub fn has_behind(&self, end: i64) -> bool {
        self.parcels.keys().next_back().is_some_and(|last| *last > end)
    }
}

impl Link {
    /// All partitions of the pipeline in one moment.
    ///
    /// # Errors
    /// When the database cannot, or a row is not what was written.
    pub async fn lane_heads(&mut self) -> Result<Vec<LaneHead>, LedgerError> {
        self.store.begin().await?;
        let heads = self.heads().await;
        self.ended(heads).await
    }

    async fn heads(&mut self) -> Result<Vec<LaneHead>, LedgerError> {
        // Positions and parcels of one checkpoint.
        self.store.statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let name = self.name();
        let sql = format!(
            "SELECT {} FROM lanes WHERE pipeline = (SELECT pipeline FROM pipelines WHERE shown = $1) ORDER BY lane",
            LANES.names()
        );
        let mut heads = Vec::new();
        for row in self.store.rows(&sql, &[&name], &LANES.kinds()).await? {
            heads.push(LaneHead { row: rows::lane_back(&row)?, parcels: BTreeMap::new() });
        }
        let sql = "SELECT lane, from_offset, upto FROM parcels WHERE pipeline = $1";
        for row in self.store.rows(sql, &[&name], &[Kind::Int; 3]).await? {
            let lane = usize::try_from(row[0].int()?).unwrap_or(usize::MAX);
            if let Some(head) = heads.get_mut(lane) {
                head.parcels.insert(row[1].int()?, row[2].int()?);
            }
        }
        Ok(heads)
    }

    /// Posts parcels, where the judge goes by this binding.
    ///
    /// # Errors
    /// [`LedgerError::OtherTerms`] where it goes by another one, or nobody judges.
    pub async fn post(&mut self, binding: [u8; 32], parcels: &[Parcel]) -> Result<(), LedgerError> {
        self.store.begin().await?;
        let posted = self.posted(binding, parcels).await;
        self.ended(posted).await
    }

    async fn posted(&mut self, binding: [u8; 32], parcels: &[Parcel]) -> Result<(), LedgerError> {
        let (name, binding) = (self.name(), Value::from(&binding));
        let sql = "SELECT epoch FROM seats WHERE pipeline = $1 AND binding = $2 FOR SHARE";
        if self.store.rows(sql, &[&name, &binding], &[Kind::Int]).await?.is_empty() {
            return Err(LedgerError::OtherTerms { name: self.pipeline.clone() });
        }
        let reader = Value::from(self.member.name.as_str());
        for parcel in parcels {
            let Range { start, end } = parcel.offsets;
            let [lane, from, upto]: [Value; 3] = [i64::from(parcel.lane.0).into(), start.into(), end.into()];
            let sql = "INSERT INTO parcels (pipeline, lane, from_offset, upto, binding, reader, body) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
            let body = Value::from(parcel.body.as_slice());
            self.store.write(sql, &[&name, &lane, &from, &upto, &binding, &reader, &body]).await?;
        }
        Ok(())
    }

    /// Throws a parcel away that cannot be opened, and those behind it: its messages are read again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn drop_parcel(&mut self, lane: PartitionIndex, from: i64) -> Result<(), LedgerError> {
        self.dropped("from_offset >= $3", lane, from).await
    }

    /// Throws away what begins behind the end of a partition's parcels. One that begins there was posted since.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn drop_behind(&mut self, lane: PartitionIndex, end: i64) -> Result<(), LedgerError> {
        self.dropped("from_offset > $3", lane, end).await
    }

    async fn dropped(&mut self, which: &str, lane: PartitionIndex, offset: i64) -> Result<(), LedgerError> {
        let sql = format!("DELETE FROM parcels WHERE pipeline = $1 AND lane = $2 AND {which}");
        let values = [self.name(), i64::from(lane.0).into(), offset.into()];
        self.store.begin().await?;
        let dropped = self.store.write(&sql, &values.iter().collect::<Vec<_>>()).await;
        self.ended(dropped).await.map(|_| ())
    }

    /// The parcels that follow these positions, of each partition in order; a bounded number.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn parcels_after(
        &mut self,
        binding: [u8; 32],
        positions: &BTreeMap<PartitionIndex, i64>,
    ) -> Result<Vec<Parcel>, LedgerError> {
        self.store.begin().await?;
        let found = self.found_after(binding, positions).await;
        self.ended(found).await
    }

    async fn found_after(
        &mut self,
        binding: [u8; 32],
        positions: &BTreeMap<PartitionIndex, i64>,
    ) -> Result<Vec<Parcel>, LedgerError> {
        let (name, binding) = (self.name(), Value::from(&binding));
        let sql = format!(
            "SELECT lane, from_offset, upto FROM parcels WHERE pipeline = $1 AND binding = $2 \
             ORDER BY from_offset, lane LIMIT {PARCELS_LISTED_MAX}"
        );
        let mut there: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for row in self.store.rows(&sql, &[&name, &binding], &[Kind::Int; 3]).await? {
            there.insert((row[0].int()?, row[1].int()?), row[2].int()?);
        }
        let wanted = in_order(&there, positions);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = vec![name, binding];
        let mut places = Vec::new();
        for (lane, offsets) in &wanted {
            places.push(format!("(${}, ${})", values.len() + 1, values.len() + 2));
            values.extend([i64::from(lane.0).into(), offsets.start.into()]);
        }
        let sql = format!(
            "SELECT lane, from_offset, body FROM parcels WHERE pipeline = $1 AND binding = $2 \
             AND (lane, from_offset) IN (VALUES {})",
            places.join(", ")
        );
        let kinds = [Kind::Int, Kind::Int, Kind::Blob];
        let mut bodies = BTreeMap::new();
        for row in self.store.rows(&sql, &values.iter().collect::<Vec<_>>(), &kinds).await? {
            bodies.insert((row[0].int()?, row[1].int()?), row[2].blob()?.to_vec());
        }
        let parcel = |(lane, offsets): (PartitionIndex, Range<i64>)| {
            let body = bodies.remove(&(i64::from(lane.0), offsets.start))?;
            Some(Parcel { lane, offsets, body })
        };
        // One that went meanwhile ends what is taken now.
        Ok(wanted.into_iter().map_while(parcel).collect())
    }
}

/// Which parcels follow the positions, the partitions taking turns; a bounded number.
fn in_order(
    there: &BTreeMap<(i64, i64), i64>,
    positions: &BTreeMap<PartitionIndex, i64>,
) -> Vec<(PartitionIndex, Range<i64>)> {
    let (mut positions, mut wanted) = (positions.clone(), Vec::new());
    loop {
        let before = wanted.len();
        for (lane, position) in &mut positions {
            let upto = there.get(&(i64::from(lane.0), *position)).copied().filter(|upto| upto > position);
            let Some(upto) = upto.filter(|_| wanted.len() < PARCELS_TAKEN_MAX) else { continue };
            wanted.push((*lane, *position..upto));
            *position = upto;
        }
        if wanted.len() == before {
            return wanted;
        }
    }
}
