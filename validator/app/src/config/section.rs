//! A typed walk over one table of a TOML file that reports every problem, not only the first.
//!
//! Contract: a getter takes note of its key, so [`Section::finish`] can refuse every key that nobody asked for; a
//! getter that finds something wrong notes a [`Problem`] and answers `None`.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::item::Item;
use super::keys::home_of;
use super::nearest::{list, nearest};
use super::problem::Problem;
use super::source::SourceFile;
use super::units::{DURATION_EXAMPLES, parse_duration_ms};
use super::walk::{Located, Walk};

/// One table of the file. A table that is not there is an empty section.
pub struct Section<'a> {
    walk: &'a Walk<'a>,
    path: String,
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    known: RefCell<Vec<&'static str>>,
    later: RefCell<Vec<&'static str>>,
    families: RefCell<Vec<&'static str>>,
    /// Whether it is one of several, `[[alerts]]`.
    is_listed: bool,
}

impl<'a> Section<'a> {
    /// A table of this path (none: it is not there), whose header or key stands at the span.
    pub fn new(walk: &'a Walk<'a>, path: String, table: Option<&'a DeTable<'a>>, span: Option<Range<usize>>) -> Self {
        Self {
            walk,
            path,
            table,
            span,
            known: RefCell::default(),
            later: RefCell::default(),
            families: RefCell::default(),
            is_listed: false,
        }
    }

    /// The section's name as people write it: `[identity]`.
    pub fn title(&self) -> String {
        match (self.path.as_str(), self.is_listed) {
            ("", _) => "the file".to_owned(),
            (path, false) => format!("[{path}]"),
            (path, true) => format!("[[{path}]]"),
        }
    }

    /// The file that it is of.
    pub fn file(&self) -> &'a Arc<SourceFile> {
        self.walk.file()
    }

    /// Whether the file has this section.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Notes a problem of the section as a whole.
    pub fn note(&self, problem: Problem) {
        self.walk.note(problem, self.span.clone());
    }

    /// Notes a problem at a place.
    pub fn note_at(&self, problem: Problem, span: &Range<usize>) {
        self.walk.note(problem, Some(span.clone()));
    }

    /// The item of that key.
    pub fn item(&self, key: &'static str) -> Option<Item<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.find(key)
    }

    fn find(&self, key: &str) -> Option<Item<'a>> {
        let (found, value) = self.table?.get_key_value(key)?;
        Some(self.item_of(found, value))
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// A string, `${NAME}` filled in.
    pub fn text(&self, key: &'static str) -> Option<Located<String>> {
        self.item(key)?.text()
    }

    /// A string that must be there and not be empty.
    pub fn required_text(&self, key: &'static str, example: &str) -> Option<Located<String>> {
        if !self.has(key) {
            self.known.borrow_mut().push(key);
            self.missing(key, example);
            return None;
        }
        self.text(key).filter(|text| self.not_empty(key, text))
    }

    /// A string that need not be there, and is not empty when it is.
    pub fn optional_text(&self, key: &'static str) -> Option<Located<String>> {
        self.text(key).filter(|text| self.not_empty(key, text))
    }

    /// Notes that a key is not there; `example` is the line to write.
    pub fn missing(&self, key: &str, example: &str) {
        let hint = format!("write `{example}` in {}", self.title());
        if self.is_present() {
            self.note(Problem::new(format!("{} has no `{key}`", self.title())).hint(hint));
        } else {
            let message = format!("there is no `{key}`: the file has no [{}]", self.path);
            self.walk.note(Problem::new(message).hint(hint), None);
        }
    }

    fn not_empty(&self, key: &str, text: &Located<String>) -> bool {
        let full = !text.value.trim().is_empty();
        if !full {
            self.note_at(Problem::new(format!("`{key}` is empty")), &text.span);
        }
        full
    }

    /// A list of strings.
    pub fn texts(&self, key: &'static str) -> Option<Vec<Located<String>>> {
        self.item(key)?.texts()
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let item = self.item(key)?;
        match item.value {
            DeValue::Boolean(value) => Some(*value),
            _ => item.wrong("true or false"),
        }
    }

    /// A whole number in a range.
    pub fn integer(&self, key: &'static str, range: Range<i64>) -> Option<Located<i64>> {
        let item = self.item(key)?;
        let expected = format!("a whole number from {} to {}", range.start, range.end - 1);
        match item.value {
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(value) if range.contains(&value) => Some(item.located(value)),
                _ => item.refuse(&number.to_string(), &expected),
            },
            _ => item.wrong(&expected),
        }
    }

    /// A share: a number from 0 to 1.
    pub fn share(&self, key: &'static str) -> Option<Located<f64>> {
        let item = self.item(key)?;
        let expected = "a number from 0 to 1";
        let text = match item.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return item.wrong(expected),
        };
        match text.parse::<f64>() {
            Ok(value) if (0.0..=1.0).contains(&value) => Some(item.located(value)),
            _ => item.refuse(text, expected),
        }
    }

    /// A duration with its unit, in milliseconds.
    pub fn duration_ms(&self, key: &'static str) -> Option<Located<i64>> {
        let item = self.item(key)?;
        let DeValue::String(_) = item.value else { return item.wrong(DURATION_EXAMPLES) };
        let text = item.text()?;
        match parse_duration_ms(&text.value) {
            Some(value) => Some(item.located(value)),
            None => item.refuse(&format!("\"{}\"", text.value), DURATION_EXAMPLES),
        }
    }

    /// One of the words; those of `later` belong to releases to come and are refused by name.
    pub fn choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&'static str, T)],
        later: &[&'static str],
    ) -> Option<Located<T>> {
        let item = self.item(key)?;
        let text = item.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(item.located(*value));
        }
        if later.contains(&text.value.as_str()) {
            self.note_at(Problem::new(format!("`{key} = \"{}\"` is not built yet", text.value)), &text.span);
            return None;
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let mut problem = Problem::new(format!("`{key}` is one of {}, not \"{}\"", list(&names, "or"), text.value));
        if let Some(meant) = nearest(&text.value, names.iter().copied().chain(later.iter().copied())) {
            problem = problem.hint(format!("did you mean \"{meant}\"?"));
        }
        self.note_at(problem, &text.span);
        None
    }

    /// The section of that name.
    pub fn section(&self, key: &'static str) -> Section<'a> {
        let path = self.child_path(key);
        let Some(item) = self.item(key) else {
            return Self::new(self.walk, path, None, None);
        };
        item.section(path)
    }

    /// The sections of `[[key]]`, in the file's order.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let path = self.child_path(key);
        let Some(item) = self.item(key) else { return Vec::new() };
        let DeValue::Array(values) = item.value else {
            item.wrong::<()>(&format!("a list of tables, [[{path}]]"));
            return Vec::new();
        };
        let one = |value: &'a Spanned<DeValue<'a>>| {
            let (span, value) = (value.span(), value.get_ref());
            let item = Item { walk: self.walk, key: key.to_owned(), key_span: span.clone(), span, value };
            Self { is_listed: true, ..item.section(path.clone()) }
        };
        values.iter().map(one).filter(Self::is_present).collect()
    }

    /// All keys of a table whose names the user chooses, in the file's order.
    pub fn entries(&self) -> Vec<Item<'a>> {
        let Some(table) = self.table else { return Vec::new() };
        let mut items: Vec<Item<'a>> = table.iter().map(|(key, value)| self.item_of(key, value)).collect();
        items.sort_by_key(|item| item.key_span.start);
        items
    }

    /// All keys `prefix.NAME`, by NAME; TOML may have read the dot as a table.
    pub fn family(&self, prefix: &'static str) -> Vec<(String, Item<'a>)> {
        self.families.borrow_mut().push(prefix);
        let mut found = Vec::new();
        for item in self.entries() {
            match item.key.strip_prefix(prefix).map(|rest| (rest.is_empty(), rest.strip_prefix('.'))) {
                Some((true, _)) => {
                    let inner = item.section(self.child_path(prefix)).entries();
                    found.extend(inner.into_iter().map(|item| (item.key.clone(), item)));
                }
                Some((_, Some(name))) => found.push((name.to_owned(), item)),
                _ => {}
            }
        }
        found
    }

    /// Refuses a key, by name, that a later release brings.
    pub fn not_built(&self, key: &'static str) {
        self.later.borrow_mut().push(key);
        if let Some(item) = self.find(key) {
            let name = match item.value {
                DeValue::Array(values) if values.iter().any(|value| value.get_ref().is_table()) => {
                    format!("[[{}]]", self.child_path(key))
                }
                DeValue::Table(_) if self.path.is_empty() => format!("[{key}]"),
                _ => format!("`{key}` in {}", self.title()),
            };
            self.note_at(Problem::new(format!("{name} is not built yet")).hint("take it out for now"), &item.key_span);
        }
    }

    /// Notes a problem at the value of a key that was read before.
    pub fn note_value(&self, key: &str, problem: Problem) {
        if let Some(item) = self.find(key) {
            self.note_at(problem, &item.span);
        }
    }

    /// Refuses a key that means nothing here.
    pub fn misplaced(&self, key: &'static str, why: &str) {
        if let Some(item) = self.item(key) {
            self.note_at(Problem::new(format!("`{key}` {why}")).hint(format!("take `{key}` out")), &item.key_span);
        }
    }

    /// Refuses every key that no getter asked for, with the nearest name that one did.
    pub fn finish(&self) {
        let (known, later) = (self.known.borrow(), self.later.borrow());
        #[cfg(test)]
        super::keys::asked(&self.path, &known, &self.families.borrow());
        for item in self.entries() {
            let key = item.key.as_str();
            let of_family =
                |prefix: &&str| key.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if known.contains(&key) || later.contains(&key) || self.families.borrow().iter().any(of_family) {
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in {}", self.title()) };
            let hint = match nearest(key, known.iter().chain(later.iter()).copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => match home_of(key) {
                    Some(home) if home != self.path => format!("`{key}` belongs in [{home}]"),
                    _ => format!("known here: {}", list(&known, "and")),
                },
            };
            self.note_at(Problem::new(format!("unknown key `{key}`{place}")).hint(hint), &item.key_span);
        }
    }

    fn child_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn item_of(&self, key: &'a Spanned<std::borrow::Cow<'a, str>>, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        let name = key.get_ref().to_string();
        self.walk.place(self.child_path(&name), value.span());
        Item { walk: self.walk, key: name, span: value.span(), key_span: key.span(), value: value.get_ref() }
    }
}
