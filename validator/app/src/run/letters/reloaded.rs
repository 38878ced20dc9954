//! The table of dead letters, looked up again.
//!
//! Contract: an older answer of the catalog is that of a cache, and not taken. Where the same one is given for long the table was
//! registered anew from it: nobody writes dead letters while all is well, so no commit would settle it. Letters have no cursor, and
//! files that were read are known by their paths, so the table is loaded as if it were opened now.

use validator_table::{Reloaded, Table, TableError};

use crate::open::TableSource;
use crate::run::limits::OLDER_LETTERS_MOST;

/// An answer that was overtaken by one before it.
#[derive(Debug, Clone)]
pub(super) struct Older {
    /// Where its metadata is.
    location: String,
    /// The look that it was given to first.
    since_ms: i64,
}

/// Asks the catalog anew, in a look of this instant.
///
/// # Errors
/// As [`Table::reload`].
pub(super) async fn reloaded(
    source: &TableSource,
    table: &Table,
    older: &mut Option<Older>,
    at_ms: i64,
) -> Result<Reloaded, TableError> {
    match source.reload(table).await {
        Err(TableError::OlderMetadata { location, known }) => {
            if !has_lasted(older, &location, at_ms) {
                return Err(TableError::OlderMetadata { location, known });
            }
            tracing::warn!(
                location,
                known,
                "the table of dead letters was registered anew, and is loaded as it is now"
            );
            *older = None;
            Ok(Reloaded::Changed(Box::new(source.load().await?)))
        }
        Ok(reloaded) => {
            *older = None;
            Ok(reloaded)
        }
        Err(error) => Err(error),
    }
}

/// Whether the catalog has given the same older answer for so long that no cache does.
fn has_lasted(older: &mut Option<Older>, location: &str, at_ms: i64) -> bool {
    if older.as_ref().is_none_or(|older| older.location != location) {
        *older = Some(Older { location: location.to_owned(), since_ms: at_ms });
    }
    let since_ms = older.as_ref().map_or(at_ms, |older| older.since_ms);
    u128::try_from(at_ms.saturating_sub(since_ms)).is_ok_and(|lasted| lasted >= OLDER_LETTERS_MOST.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_answer_is_believed_once_it_is_the_same_for_longer_than_a_cache_lives() {
        let most = i64::try_from(OLDER_LETTERS_MOST.as_millis()).expect("minutes");
        let mut older = None;
        let mut is_believed = |location: &str, at_ms: i64| has_lasted(&mut older, location, at_ms);
        assert!(!is_believed("1.json", 1_000));
        assert!(!is_believed("1.json", 1_000 + most - 1));
        assert!(!is_believed("2.json", 1_000 + most), "another one begins anew");
        assert!(!is_believed("2.json", 500), "a clock that was put back tells nothing");
        assert!(is_believed("2.json", 1_000 + 2 * most));
    }
}
