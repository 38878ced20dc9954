//! `[identity]`: how a message and a row are paired.

use validator_core::contract::{Identity, KeyFormat, Upsert};
use validator_core::limits::{NO_WINDOW_SHARDS, WINDOW_SHARDS};

use super::nearest::nearest;
use super::problem::Problem;
use super::profile::{PROFILES, Profile};
use super::section::Section;
use super::walk::Located;

/// Offsets per segment unless `width` says otherwise.
pub const WIDTH_DEFAULT: u64 = 4096;
/// Greatest `width`: a segment of so many messages is drilled whole.
pub const WIDTH_MAX: i64 = 1 << 24;
/// Milliseconds of a window unless `every` says otherwise.
const EVERY_MS_DEFAULT: u64 = 60_000;

/// The example of the hints.
const MODE_EXAMPLE: &str = "mode = \"offset\"";

/// How messages and rows are paired.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// By topic, partition and offset.
    Offset,
    /// By columns that are unique.
    Key,
    /// By everything.
    Content,
}

/// The words of `mode`.
pub const MODES: [(&str, Mode); 3] = [("offset", Mode::Offset), ("key", Mode::Key), ("content", Mode::Content)];

/// The words of `key`.
pub const KEY_FORMATS: [(&str, KeyFormat); 2] = [("json", KeyFormat::Json), ("avro", KeyFormat::Avro)];

/// Reads `[identity]`; with a profile, its columns are those of its first layout until the table is known.
pub fn read_identity(section: &Section<'_>) -> Option<(Identity, Option<Profile>)> {
    if !section.is_present() {
        let problem = Problem::new("the file has no [identity]: how is a row paired with its message?").hint(
            "`mode = \"offset\"` where the table keeps topic, partition and offset, `mode = \"key\"` where columns are \
             unique, `mode = \"content\"` where it has neither",
        );
        section.note(problem);
        return None;
    }
    if !section.has("mode") {
        match section.entries().iter().find(|item| nearest(&item.key, ["mode"]).is_some()) {
            Some(item) => {
                let problem = Problem::new(format!("unknown key `{}` in [identity]", item.key));
                section.note_at(problem.hint("did you mean `mode`?"), &item.key_span);
            }
            None => section.missing("mode", MODE_EXAMPLE),
        }
    }
    let mode = section.choice("mode", &MODES, &[]);
    let read = match mode.map(|mode| mode.value) {
        Some(Mode::Offset) => read_offset(section),
        Some(Mode::Key) => read_key(section).map(|identity| (identity, None)),
        Some(Mode::Content) => Some((read_content(section), None)),
        // Of another mode it is not known which keys it has.
        None => return None,
    };
    section.finish();
    read
}

fn read_offset(section: &Section<'_>) -> Option<(Identity, Option<Profile>)> {
    for key in ["window", "every", "shards"] {
        section.misplaced(key, "is for `mode = \"key\"` and `mode = \"content\"`");
    }
    for key in ["upsert", "delete_when", "key"] {
        section.misplaced(key, "is for `mode = \"key\"`");
    }
    let width = read_width(section);
    let columns = read_columns(section);
    let profile = section.choice("profile", &PROFILES, &[]);
    match (columns, profile) {
        (Some(_), Some(profile)) => {
            section.note_at(
                Problem::new("give `columns` or `profile`, not both").hint("take `profile` out"),
                &profile.span,
            );
            None
        }
        (None, Some(profile)) => Some((profile.value.expected(width?), Some(profile.value))),
        (Some(columns), None) => {
            let mut names = columns.value.into_iter().rev();
            let (offset, partition, topic) = (names.next(), names.next(), names.next());
            if offset.is_none() || names.next().is_some() {
                let problem = Problem::new("`columns` of mode `offset` are those of topic, partition and offset").hint(
                    "write `columns = [\"topic\", \"partition\", \"offset\"]`; where the table has no topic column, \
                         two",
                );
                section.note_at(problem, &columns.span);
            }
            Some((Identity::Offset { topic, partition, offset: offset?, timestamp: None, width: width? }, None))
        }
        (None, None) => {
            if !section.has("columns") && !section.has("profile") {
                let names: Vec<&str> = PROFILES.iter().map(|(name, _)| *name).collect();
                let hint = format!(
                    "write `columns = [\"topic\", \"partition\", \"offset\"]`, or a known sink: profile = {}",
                    names.join(" | ")
                );
                let message =
                    "`mode = \"offset\"` needs the columns in which the table keeps topic, partition and offset";
                section.note(Problem::new(message).hint(hint));
            }
            None
        }
    }
}

fn read_width(section: &Section<'_>) -> Option<u64> {
    if !section.has("width") {
        section.item("width");
        return Some(WIDTH_DEFAULT);
    }
    let width = section.integer("width", 1..WIDTH_MAX + 1)?;
    if width.value.count_ones() != 1 {
        let below = 1i64 << (63 - width.value.leading_zeros());
        let problem = Problem::new(format!("`width` is a power of two, not {}", width.value))
            .hint(format!("the nearest are {below} and {}", below * 2));
        section.note_at(problem, &width.span);
        return None;
    }
    u64::try_from(width.value).ok()
}

fn read_key(section: &Section<'_>) -> Option<Identity> {
    section.misplaced("width", "is for `mode = \"offset\"`");
    section.misplaced("profile", "is for `mode = \"offset\"`");
    let columns = read_columns(section);
    if !section.has("columns") {
        section.missing("columns", "columns = [\"message_id\"]");
    }
    let Cut { window, every_ms, shards } = read_cut(section);
    let upsert = read_upsert(section);
    Some(Identity::Key { columns: columns?.value, window, every_ms, shards, upsert })
}

fn read_content(section: &Section<'_>) -> Identity {
    section.misplaced("width", "is for `mode = \"offset\"`");
    section.misplaced("profile", "is for `mode = \"offset\"`");
    section.misplaced("columns", "has no meaning in `mode = \"content\"`: every compared column counts");
    for key in ["upsert", "delete_when", "key"] {
        section.misplaced(key, "is for `mode = \"key\"`");
    }
    let Cut { window, every_ms, shards } = read_cut(section);
    Identity::Content { window, every_ms, shards }
}

/// How the modes `key` and `content` are cut into segments.
struct Cut {
    window: Option<String>,
    every_ms: u64,
    shards: u32,
}

fn read_cut(section: &Section<'_>) -> Cut {
    let window = section.optional_text("window");
    if window.is_none() && !section.has("window") {
        section.misplaced("every", "needs a `window`, the time column that both sides have");
    }
    let every = section.duration_ms("every");
    if let Some(every) = &every
        && every.value == 0
    {
        section.note_at(Problem::new("`every` is longer than nothing"), &every.span);
    }
    let shards = section.integer("shards", 1..i64::from(NO_WINDOW_SHARDS) + 1);
    let shards_default = if window.is_some() { WINDOW_SHARDS } else { NO_WINDOW_SHARDS };
    Cut {
        window: window.map(|window| window.value),
        every_ms: every.map_or(EVERY_MS_DEFAULT, |every| every.value.unsigned_abs()),
        shards: shards.and_then(|shards| u32::try_from(shards.value).ok()).unwrap_or(shards_default),
    }
}

/// `upsert`, and what is only said beside it.
fn read_upsert(section: &Section<'_>) -> Option<Upsert> {
    if section.flag("upsert") != Some(true) {
        for key in ["delete_when", "key"] {
            section.misplaced(key, "is for `upsert = true`");
        }
        return None;
    }
    let delete_when = section.optional_text("delete_when").map(|sql| sql.value);
    let key = section.choice("key", &KEY_FORMATS, &[]);
    Some(Upsert { delete_when, key: key.map(|key| key.value) })
}

/// The column paths, at least one, none twice, none empty.
fn read_columns(section: &Section<'_>) -> Option<Located<Vec<String>>> {
    let item = section.item("columns")?;
    let columns = item.texts()?;
    if columns.is_empty() {
        section.note_at(Problem::new("`columns` is empty"), &item.span);
        return None;
    }
    for (index, column) in columns.iter().enumerate() {
        if column.value.is_empty() {
            section.note_at(Problem::new("the name of a column is empty"), &column.span);
        } else if columns[..index].iter().any(|earlier| earlier.value == column.value) {
            section.note_at(Problem::new(format!("`columns` names `{}` twice", column.value)), &column.span);
        }
    }
    let names = columns.into_iter().map(|column| column.value).collect();
    Some(item.located(names))
}
