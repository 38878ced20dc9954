//! The seat of a pipeline: who judges.
//!
//! Contract: it is taken where nobody holds it, where its lease is over by the server's clock, or where the session that took it
//! is gone; each taking counts its epoch up. It says who may take the book over, and the book's own fence stops whoever held the
//! seat before. A seat that is lost without being noticed does no harm.

use super::{Link, NOW_MS};
use crate::error::LedgerError;
use crate::limits::LEASE_MILLIS;
use crate::store::Store;
use crate::value::{Kind, Value};

/// Whether a seat was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// It is ours, until the lease is over.
    Ours {
        /// How often it was taken.
        epoch: u64,
    },
    /// Another member holds it.
    Theirs(SeatTerms),
}

/// What the holder of a seat goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatTerms {
    /// Who holds it.
    pub member: String,
    /// Its files: whose are others is no member.
    pub terms: [u8; 32],
    /// Its contract as bound to the table; none: it is not opened yet. A parcel or an answer of another one is of no use.
    pub binding: Option<[u8; 32]>,
}

const SESSION: &str = "pg_backend_pid()::bigint, (SELECT (EXTRACT(EPOCH FROM backend_start) * 1000000)::bigint \
                       FROM pg_stat_activity WHERE pid = pg_backend_pid())";

/// Whether a seat is held.
const IS_HELD: &str = "holder <> '' AND EXISTS (SELECT 1 FROM pg_stat_activity AS one WHERE one.pid = seats.session \
     AND (EXTRACT(EPOCH FROM one.backend_start) * 1000000)::bigint = seats.session_us)";

impl Link {
    /// Takes the seat, or keeps it for another lease.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take_seat(&mut self, terms: [u8; 32]) -> Result<Seat, LedgerError> {
        self.store.begin().await?;
        let taken = self.taken_seat(terms).await;
        self.ended(taken).await
    }

    async fn taken_seat(&mut self, terms: [u8; 32]) -> Result<Seat, LedgerError> {
        let (name, holder) = (self.name(), Value::from(self.member.holder().as_str()));
        let sql = "INSERT INTO seats (pipeline, holder, member, epoch, session, session_us, until_ms, terms) \
                   VALUES ($1, '', '', 0, 0, 0, 0, '') ON CONFLICT DO NOTHING";
        self.store.write(sql, &[&name]).await?;
        let sql = format!(
            "SELECT holder, member, epoch, (until_ms > {NOW_MS} AND {IS_HELD})::int::bigint, terms, binding FROM seats \
             WHERE pipeline = $1 FOR UPDATE"
        );
        let kinds = [Kind::Text, Kind::Text, Kind::Int, Kind::Int, Kind::Blob, Kind::Blob];
        let rows = self.store.rows(&sql, &[&name], &kinds).await?;
        let [row] = rows.as_slice() else { return Err(LedgerError::damaged("a pipeline has no seat")) };
        let (is_ours, is_held) = (row[0] == holder, row[3].int()? == 1);
        if is_held && !is_ours {
            return Ok(Seat::Theirs(terms_back(&row[1], &row[4], &row[5])?));
        }
        // Our own seat, taken for another lease, stays the same one: also where its lease was over and nobody had taken it.
        let epoch = row[2].int()? + i64::from(!is_ours);
        let sql = format!(
            "UPDATE seats SET holder = $2, member = $3, epoch = $4, (session, session_us) = (SELECT {SESSION}), \
             until_ms = {NOW_MS} + {LEASE_MILLIS}, terms = $5 WHERE pipeline = $1"
        );
        let (member, epoch_value) = (Value::from(self.member.name.as_str()), Value::from(epoch));
        self.store.write(&sql, &[&name, &holder, &member, &epoch_value, &(&terms).into()]).await?;
        Ok(Seat::Ours { epoch: epoch.unsigned_abs() })
    }

    /// Gives the seat up, where we hold it: another member takes it at once.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn give_seat_up(&mut self) -> Result<(), LedgerError> {
        let holder = Value::from(self.member.holder().as_str());
        let sql = "UPDATE seats SET holder = '', until_ms = 0 WHERE pipeline = $1 AND holder = $2";
        let name = self.name();
        self.store.begin().await?;
        let given = self.store.write(sql, &[&name, &holder]).await;
        self.ended(given).await.map(|_| ())
    }

    /// What the holder of the seat goes by; none: nobody has it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn seat(&mut self) -> Result<Option<SeatTerms>, LedgerError> {
        let sql = format!(
            "SELECT member, terms, binding FROM seats WHERE pipeline = $1 AND until_ms > {NOW_MS} AND {IS_HELD}"
        );
        let name = self.name();
        self.store.begin().await?;
        let rows = self.store.rows(&sql, &[&name], &[Kind::Text, Kind::Blob, Kind::Blob]).await;
        let rows = self.ended(rows).await?;
        rows.first().map(|row| terms_back(&row[0], &row[1], &row[2])).transpose()
    }

    /// Says by what the holder of the seat judges from now on: parcels and asks of anything else are thrown away.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] where the seat is not ours.
    pub async fn judge_by(&mut self, binding: [u8; 32]) -> Result<(), LedgerError> {
        self.store.begin().await?;
        let settled = self.settled(binding).await;
        self.ended(settled).await
    }

    async fn settled(&mut self, binding: [u8; 32]) -> Result<(), LedgerError> {
        let (name, holder) = (self.name(), Value::from(self.member.holder().as_str()));
        let binding = Value::from(&binding);
        let sql = "UPDATE seats SET binding = $3 WHERE pipeline = $1 AND holder = $2";
        if self.store.write(sql, &[&name, &holder, &binding]).await? != 1 {
            return Err(LedgerError::Fenced { name: self.pipeline.clone() });
        }
        self.store.write("DELETE FROM parcels WHERE pipeline = $1 AND binding <> $2", &[&name, &binding]).await?;
        self.store.write("DELETE FROM asks WHERE pipeline = $1", &[&name]).await?;
        Ok(())
    }
}

fn terms_back(member: &Value, terms: &Value, binding: &Value) -> Result<SeatTerms, LedgerError> {
    let binding = if *binding == Value::Blob(None) { None } else { Some(binding.array()?) };
    Ok(SeatTerms { member: member.text()?.to_owned(), terms: terms.array()?, binding })
}

/// Whether this process holds the seat of a pipeline. The seat stays locked until the transaction ends.
pub(crate) async fn is_seated(store: &mut Store, pipeline: &str, holder: &str) -> Result<bool, LedgerError> {
    let sql = "SELECT epoch FROM seats WHERE pipeline = $1 AND holder = $2 FOR SHARE";
    let rows = store.rows(sql, &[&pipeline.into(), &holder.into()], &[Kind::Int]).await?;
    Ok(!rows.is_empty())
}
