//! Iceberg tables that the validator writes: its exports, and nothing else.
//!
//! A table is a folder, as a Hadoop catalog has it: `metadata/v3.metadata.json`, `metadata/version-hint.text`, `data/`. Engines
//! open it by its path, and catalogs register its newest metadata file.
//!
//! Contract: a [`TableFolder::replace`] is one snapshot, which holds the rows of one file and none of those before. It is there
//! once the next `vN.metadata.json` is, which one writer alone can make; whatever ends before leaves files that nothing
//! names. Nothing is deleted: old snapshots stay readable until somebody expires them.
//!
//! ```text
//! TableFolder::open ─▶ schema, new_file ─▶ (rows are written) ─▶ replace ─▶ manifests ─▶ vN.metadata.json ─▶ version-hint.text
//! ```

mod columns;
mod error;
mod folder;
mod snapshot;

pub use error::PublishError;
pub use folder::{Published, TableFolder};
