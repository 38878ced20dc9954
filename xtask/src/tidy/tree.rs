//! The repository's text files, and its Rust sources taken apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::source::Source;

/// Folders that are no part of the source; `.git` of a second work tree is a file.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];
/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Everything tidy looks at. Paths are relative to the root, with `/`.
#[derive(Default)]
pub struct Tree {
    /// Text files by path, Rust sources among them.
    pub texts: BTreeMap<String, String>,
    /// Rust sources by path.
    pub sources: BTreeMap<String, Source>,
}

impl Tree {
    /// Reads a folder.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut texts = Vec::new();
        collect(root, "", &mut texts)?;
        Ok(Self::new(texts))
    }

    /// A tree of given files.
    pub fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let texts: BTreeMap<String, String> = texts.into_iter().collect();
        let rust = |(path, text): (&String, &String)| path.ends_with(".rs").then(|| (path.clone(), Source::new(text)));
        let mut sources: BTreeMap<String, Source> = texts.iter().filter_map(rust).collect();
        let test_modules: BTreeSet<String> = sources
            .iter()
            .flat_map(|(path, source)| source.test_modules.iter().map(|name| module_stem(path, name)))
            .collect();
        for (path, source) in &mut sources {
            let in_folder = path.split('/').any(|part| part == "tests" || part == "benches");
            let in_module = test_modules.iter().any(|stem| {
                path.strip_prefix(stem.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            if in_folder || in_module {
                source.mark_as_test();
            }
        }
        Self { texts, sources }
    }
}

/// Where `mod name;` of the file at `path` lives, without `.rs` or `/mod.rs`.
fn module_stem(path: &str, name: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/{name}"),
        _ => format!("{folder}/{}/{name}", file.trim_end_matches(".rs")),
    }
}

fn collect(folder: &Path, prefix: &str, texts: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &path, texts)?;
        } else if kind.is_file() && entry.metadata()?.len() <= TEXT_BYTES_MAX {
            // What is not UTF-8 is not text.
            if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                texts.push((path, text));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_for_tests_in_a_file_of_its_own_is_test_code() {
        let files = [
            ("a/src/judge.rs", "#[cfg(test)]\nmod cases;\nfn real() {}\n"),
            ("a/src/judge/cases.rs", "fn case() {}\n"),
            ("a/src/judge/other.rs", "fn real() {}\n"),
            ("a/tests/it/main.rs", "fn test() {}\n"),
        ];
        let tree = Tree::new(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let is_test = |path: &str| tree.sources[path].is_test(1);
        assert!(is_test("a/src/judge/cases.rs") && is_test("a/tests/it/main.rs"));
        assert!(!is_test("a/src/judge/other.rs") && !tree.sources["a/src/judge.rs"].is_test(3));
    }
}
