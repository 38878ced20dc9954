//! Who writes to Kafka: one file makes a producer, and one command uses it.

use super::Fault;
use super::tree::Tree;

/// A word, and the files of the validator that may say it outside tests. Everything else reads.
const WRITERS: [(&str, &[&str]); 5] = [
    ("rdkafka::producer", &["validator/tap/src/kafka/republish.rs"]),
    ("BaseProducer", &["validator/tap/src/kafka/republish.rs"]),
    ("FutureProducer", &[]),
    ("ThreadedProducer", &[]),
    ("Republisher::open", &["validator/app/src/replay/publish.rs"]),
];

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, source) in &tree.sources {
        if !path.starts_with("validator/") || !path.contains("/src/") {
            continue;
        }
        for (number, line) in source.numbered_code().filter(|(number, _)| !source.is_test(*number)) {
            for (word, _) in WRITERS.iter().filter(|(word, may)| line.contains(word) && !may.contains(&path.as_str())) {
                let what = format!("`{word}`: only `validator replay` writes to Kafka (I5)");
                faults.push(Fault::new(path, number, what));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> usize {
        faults(&Tree::new([(path.to_owned(), text.to_owned())])).len()
    }

    #[test]
    fn a_producer_is_made_in_one_file_and_used_by_one_command() {
        let producer = "//! A.\nuse rdkafka::producer::BaseProducer;\n";
        assert_eq!(check("validator/tap/src/kafka/republish.rs", producer), 0);
        assert_eq!(check("validator/tap/src/kafka/read.rs", producer), 2);
        assert_eq!(check("validator/tap/tests/it/kafka.rs", producer), 0, "tests make messages");
        assert_eq!(check("fixtures/warehouse/src/produce.rs", producer), 0);
        let used = "//! A.\nfn a() { Republisher::open(); }\n";
        assert_eq!(check("validator/app/src/replay/publish.rs", used), 0);
        assert_eq!(check("validator/app/src/run/actor.rs", used), 1);
    }
}
