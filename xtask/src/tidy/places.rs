//! No file names a place that only one machine has.

use super::Fault;
use super::tree::Tree;

/// Folders of one machine or person, when a lower-case name follows.
const PLACES: [&str; 5] = ["/root/", "/home/", "/work/", "/farm/", "/Users/"];

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.texts.iter().filter(|(path, _)| !path.ends_with(".lock")) {
        for (index, line) in text.lines().enumerate() {
            if let Some(place) = PLACES.iter().find(|place| names(line, place)) {
                faults.push(Fault::new(path, index + 1, format!("`{place}…` is a path of one machine")));
            }
        }
    }
    faults
}

fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + place.len()..].chars().next();
        // `src/work/` or `https://host/home/x` is no absolute path.
        !before.is_some_and(|one| one.is_alphanumeric() || one == '.' || one == '_')
            && after.is_some_and(|one| one.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_told() {
        let text = format!("a\nsee {}x/y\nsee src{}x\nsee {}\n", PLACES[0], PLACES[2], PLACES[1]);
        let tree = Tree::new([("README.md".to_owned(), text)]);
        assert_eq!(faults(&tree).into_iter().map(|fault| fault.line).collect::<Vec<_>>(), [2]);
    }
}
