//! The size and first line of files, the length of functions, the names of modules.

use super::Fault;
use super::tree::Tree;

/// Lines of a file without its tests; around 200 is good.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function, signature and braces included.
const FUNCTION_LINES_MAX: usize = 60;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared"];

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, source) in &tree.sources {
        if !tree.texts[path].starts_with("//! ") {
            faults.push(Fault::new(path, 1, "the first line is not `//! …`: what the file is for and its contract"));
        }
        let lines = source.lines_without_tests();
        if lines > FILE_LINES_MAX {
            faults.push(Fault::new(path, 1, format!("{lines} lines without tests, at most {FILE_LINES_MAX}")));
        }
        for function in source.functions() {
            let lines = function.last_line - function.first_line + 1;
            if lines > FUNCTION_LINES_MAX && !source.is_test(function.first_line) {
                let text = format!("fn {} has {lines} lines, at most {FUNCTION_LINES_MAX}", function.name);
                faults.push(Fault::new(path, function.first_line, text));
            }
        }
        if let Some(name) = module_names(path).find(|name| EMPTY_NAMES.contains(name)) {
            faults.push(Fault::new(path, 1, format!("`{name}` says nothing about what is inside")));
        }
    }
    faults
}

/// The folders and the file of a path, without `.rs`.
fn module_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').map(|part| part.trim_end_matches(".rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: String) -> Vec<String> {
        let faults = faults(&Tree::new([(path.to_owned(), text)]));
        faults.into_iter().map(|fault| format!("{}: {}", fault.line, fault.text)).collect()
    }

    #[test]
    fn a_file_begins_by_saying_what_it_is_for() {
        assert_eq!(check("a.rs", "fn a() {}\n".into()).len(), 1);
        assert!(check("a.rs", "//! What it is for.\n".into()).is_empty());
    }

    #[test]
    fn long_files_and_functions_are_told_and_tests_do_not_count() {
        let long = |count| "    x();\n".repeat(count);
        let text =
            format!("//! A.\nfn f() {{\n{}}}\n#[cfg(test)]\nmod tests {{\nfn t() {{\n{}}}\n}}\n", long(59), long(500));
        assert_eq!(check("a.rs", text), ["2: fn f has 61 lines, at most 60"]);
        assert_eq!(check("a.rs", format!("//! A.\n{}", "\n".repeat(400))), ["1: 401 lines without tests, at most 400"]);
    }

    #[test]
    fn empty_names_are_refused() {
        assert_eq!(check("a/src/utils.rs", "//! A.\n".into()), ["1: `utils` says nothing about what is inside"]);
        assert_eq!(check("a/src/helpers/b.rs", "//! A.\n".into()).len(), 1);
    }
}
