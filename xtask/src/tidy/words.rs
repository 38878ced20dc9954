//! Words that do not belong into code: unfinished work, tests that are off, `unwrap` on real paths, sleeping tests.

use super::Fault;
use super::source::Source;
use super::tree::Tree;

/// The one place that may sleep while it waits for a condition.
const WAITING_PLACE: &str = "fixtures/harness/src/wait.rs";

/// In code anywhere: the text found and why not.
const NEVER: [(&str, &str); 4] = [
    ("todo!(", "unfinished work"),
    ("unimplemented!(", "unfinished work"),
    ("dbg!(", "left from debugging"),
    ("#[ignore", "a test that never runs proves nothing"),
];
/// In comments anywhere.
const NEVER_IN_COMMENTS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
const SLEEPS: [&str; 2] = ["thread::sleep(", "time::sleep("];

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    tree.sources.iter().flat_map(|(path, source)| file_faults(path, source)).collect()
}

fn file_faults(path: &str, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let fixture = path.starts_with("fixtures/");
    for (number, line) in source.numbered_code() {
        for (word, why) in NEVER {
            if line.contains(word) {
                faults.push(Fault::new(path, number, format!("`{word}`: {why}")));
            }
        }
        let test = source.is_test(number);
        if !test && line.contains(".unwrap()") {
            faults.push(Fault::new(
                path,
                number,
                "`.unwrap()`: on input return an error, on an invariant `expect` why it holds",
            ));
        }
        if (test || fixture) && path != WAITING_PLACE && SLEEPS.iter().any(|word| line.contains(word)) {
            faults.push(Fault::new(path, number, "a sleep: wait for a condition with `wait_until`"));
        }
    }
    for (index, line) in source.comments.iter().enumerate() {
        if let Some(word) = NEVER_IN_COMMENTS
            .iter()
            .find(|word| line.split(|one: char| !one.is_alphanumeric()).any(|part| part == **word))
        {
            faults.push(Fault::new(path, index + 1, format!("`{word}`: finish it or write an issue")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree::new([(path.to_owned(), text.to_owned())]);
        faults(&tree).into_iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_comments_but_not_in_literals() {
        let text = "//! A.\nfn a() { todo!() }\n// TODO later\nconst A: &str = \"TODO todo!()\";\n// TODOs of others\n";
        assert_eq!(check("a/src/a.rs", text), [2, 3]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "//! A.\nfn a() { b().unwrap(); }\n#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n";
        assert_eq!(check("a/src/a.rs", text), [2]);
        assert_eq!(check("a/tests/it/a.rs", text), [0; 0]);
    }

    #[test]
    fn tests_do_not_sleep() {
        let text = "//! A.\nfn a() { std::thread::sleep(x); }\n";
        assert_eq!(check("a/src/retry.rs", text), [0; 0]);
        assert_eq!(check("a/tests/it/a.rs", text), [2]);
        assert_eq!(check("fixtures/kit/src/a.rs", text), [2]);
        assert_eq!(check(WAITING_PLACE, text), [0; 0]);
    }

    #[test]
    fn a_test_that_is_off_is_told() {
        assert_eq!(check("a/tests/it/a.rs", "//! A.\n#[test]\n#[ignore]\nfn a() {}\n"), [3]);
    }
}
