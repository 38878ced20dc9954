//! Which findings are asked for, as conditions of a statement.

use validator_core::position::TopicPartition;
use validator_core::shadow::file::FileId;
use validator_core::verdict::{Cause, Verdict};

use super::report::partitions;
use super::state::FindingState;
use crate::error::LedgerError;
use crate::group::GroupId;
use crate::rows;
use crate::store::Store;
use crate::value::{Kind, Value};

/// Which findings are asked for; the default asks for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingFilter {
    /// With one of these; empty: with any.
    pub states: Vec<FindingState>,
    /// What is true.
    pub verdict: Option<Verdict>,
    /// Why.
    pub cause: Option<Cause>,
    /// Of this group.
    pub group: Option<GroupId>,
    /// About messages of this topic.
    pub topic: Option<String>,
    /// About messages of this partition.
    pub partition: Option<i32>,
    /// About the message at this offset.
    pub offset: Option<i64>,
    /// About a row of this data file, or the file.
    pub file: Option<String>,
    /// The instant at which decisions hold, milliseconds since the epoch.
    pub now_ms: i64,
}

/// A filter over the rows of one pipeline.
pub(super) struct Asked<'a> {
    pub filter: &'a FindingFilter,
    pub pipeline: i64,
    /// Partitions by number.
    pub lanes: Vec<TopicPartition>,
    /// The numbers of those that are asked for; none: all, and what is about no message.
    pub of_lanes: Option<Vec<i64>>,
    /// The numbers that the file has.
    pub files: Vec<FileId>,
}

impl<'a> Asked<'a> {
    pub async fn new(store: &mut Store, pipeline: i64, filter: &'a FindingFilter) -> Result<Self, LedgerError> {
        let lanes = partitions(store, pipeline).await?;
        let by_place = filter.topic.is_some() || filter.partition.is_some() || filter.offset.is_some();
        let fits = |tp: &TopicPartition| {
            filter.topic.as_ref().is_none_or(|topic| *topic == tp.topic)
                && filter.partition.is_none_or(|partition| partition == tp.partition)
        };
        let of_lanes = (0..).zip(&lanes).filter(|(_, tp)| fits(tp)).map(|(number, _)| number).collect();
        let mut files = Vec::new();
        if let Some(path) = &filter.file {
            let sql = "SELECT file FROM files WHERE pipeline = $1 AND path = $2";
            for row in store.rows(sql, &[&pipeline.into(), &path.as_str().into()], &[Kind::Int]).await? {
                files.push(FileId(rows::small(&row[0])?));
            }
        }
        Ok(Self { filter, pipeline, lanes, of_lanes: by_place.then_some(of_lanes), files })
    }

    /// Conditions on a row `f` whose standing is `standing`, and the values that follow `$1` and `$2`: pipeline and instant.
    /// `lane` is the column of its partition.
    pub fn conditions(&self, standing: &str, lane: &str) -> (String, Vec<Value>) {
        let mut sql = String::from("f.pipeline = $1");
        let mut values = vec![self.pipeline.into(), self.filter.now_ms.into()];
        let asked = &self.filter.states;
        if !asked.is_empty() {
            let words = asked.iter().map(|one| format!("'{}'", one.as_str())).collect::<Vec<_>>().join(", ");
            let resolved = asked.contains(&FindingState::Resolved);
            let open = asked.iter().any(|one| *one != FindingState::Resolved);
            // Said twice: the own state has an index.
            match (open, resolved) {
                (true, false) => sql.push_str(" AND f.state = 'open'"),
                (false, true) => sql.push_str(" AND f.state = 'resolved'"),
                _ => {}
            }
            sql.push_str(&format!(" AND ({standing}) IN ({words})"));
        }
        let mut equal = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND f.{column} = ${}", values.len()));
            }
        };
        equal("verdict", self.filter.verdict.map(|verdict| verdict.as_str().into()));
        equal("cause", self.filter.cause.map(|cause| cause.as_str().into()));
        equal("group_id", self.filter.group.as_ref().map(|group| group.as_str().into()));
        if let Some(lanes) = &self.of_lanes {
            let mut places = Vec::new();
            for number in lanes {
                values.push((*number).into());
                places.push(format!("${}", values.len()));
            }
            // An empty list is not SQL.
            let places = if places.is_empty() { "NULL".to_owned() } else { places.join(", ") };
            sql.push_str(&format!(" AND {lane} IN ({places})"));
        }
        (sql, values)
    }
}
