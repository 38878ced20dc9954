//! Loading a table's metadata again: cheap where the catalog still names what was loaded.
//!
//! Contract: nothing is cached. The catalog is asked each time; only a metadata file whose name is never written twice is not
//! read again.

use crate::catalog::{CatalogConfig, Pointer, look_up};
use crate::metadata::fingerprint;
use crate::table::{Table, TableError, of_rest, parse_metadata, table};
use crate::{CatalogError, Storage};
use validator_core::shadow::event::CannotLook;

/// What a look at the catalog says.
#[derive(Debug)]
pub enum Reloaded {
    /// The metadata is what it was.
    Same,
    /// It is this now.
    Changed(Box<Table>),
}

impl Table {
    /// Asks the catalog for the table anew. Metadata of the same location is read again only where a location may be
    /// written twice (filesystem catalogs, a metadata file that is named by itself), and parsed if it was.
    ///
    /// # Errors
    /// As [`crate::load_with`]; [`TableError::OlderMetadata`].
    pub async fn reload(&self, catalog: &CatalogConfig, storage: &Storage) -> Result<Reloaded, TableError> {
        let location = match look_up(catalog, &self.name, storage).await? {
            Pointer::Rest(answer) if answer.metadata_location.as_ref() == Some(&self.metadata_location) => {
                return Ok(Reloaded::Same);
            }
            Pointer::Rest(answer) => {
                return self.changed(of_rest(&self.name, answer, storage.clone()).await?);
            }
            Pointer::Location(location) => location,
        };
        let is_same = location == self.metadata_location;
        if is_same && !is_written_over(catalog) {
            return Ok(Reloaded::Same);
        }
        let failed = |source| TableError::ReadMetadata { location: location.clone(), source };
        let bytes = storage.read(&location).await.map_err(failed)?;
        if is_same && fingerprint(&bytes) == self.fingerprint {
            return Ok(Reloaded::Same);
        }
        let parsed = parse_metadata(&location, &bytes)?;
        self.changed(table(&self.name, location, parsed, storage.clone()))
    }

    fn changed(&self, now: Table) -> Result<Reloaded, TableError> {
        if now.is_older_than(self) {
            let (location, known) = (now.metadata_location, self.metadata_location.clone());
            return Err(TableError::OlderMetadata { location, known });
        }
        Ok(Reloaded::Changed(now.into()))
    }

    /// Whether this is metadata of the same table that `known` had replaced. Each file names those before it, a hundred of them
    /// unless the table says otherwise. Behind these numbers and instants say it: clocks of writers are a minute apart at most
    /// (what Iceberg's own writers hold each other to), and a table that was registered from an older file and goes on is later.
    fn is_older_than(&self, known: &Self) -> bool {
        let names = |one: &Self, other: &Self| {
            one.metadata.metadata_log().iter().any(|log| log.metadata_file == other.metadata_location)
        };
        if self.uuid() != known.uuid() || names(self, known) {
            return false;
        }
        let place = |one: &Self| (one.metadata.last_sequence_number(), one.metadata.last_updated_ms());
        let ((sequence, updated_ms), (known_sequence, known_ms)) = (place(self), place(known));
        let earlier = updated_ms.saturating_add(CLOCKS_APART_MS) < known_ms;
        names(known, self) || sequence <= known_sequence && earlier
    }
}

/// Between clocks of writers.
const CLOCKS_APART_MS: i64 = 60_000;

/// Whether a location may be that of other metadata later: versions of a filesystem table begin anew when it is made anew.
fn is_written_over(catalog: &CatalogConfig) -> bool {
    matches!(catalog, CatalogConfig::Filesystem { .. } | CatalogConfig::Metadata { .. })
}

impl TableError {
    /// What a continuous run cannot ask because of it.
    pub fn cannot_look(&self) -> CannotLook {
        match self {
            Self::Catalog(CatalogError::NoTable { .. }) => CannotLook::TableGone,
            Self::Catalog(_) | Self::MetadataDiffers { .. } | Self::OlderMetadata { .. } => CannotLook::Catalog,
            _ => CannotLook::Store,
        }
    }
}
