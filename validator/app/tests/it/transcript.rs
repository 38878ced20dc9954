//! What a person sees of one command: exit code, stdout and stderr of the real binary, with what differs in every run
//! written in one way.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `validator` with these words in a folder.
pub fn validator(folder: &Path, words: &str) -> Ran {
    run(folder, words, &[])
}

/// The same, with variables of the environment.
pub fn run(folder: &Path, words: &str, environment: &[(&str, &str)]) -> Ran {
    run_arguments(folder, &words.split_whitespace().collect::<Vec<_>>(), environment)
}

/// The same with arguments that hold blanks.
pub fn run_arguments(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let binary = Path::new(env!("CARGO_BIN_EXE_validator"));
    let output = Command::new("validator")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        // Found by its name, so that it calls itself by it and not by a path of this machine.
        .env("PATH", binary.parent().expect("a binary is in a folder"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| masked(&String::from_utf8(bytes).expect("answers are UTF-8"), folder);
    Ran {
        exit: output.status.code().expect("no signal ended it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// All of it.
    pub fn all(&self) -> String {
        let mut text = format!("exit {}\n", self.exit);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text += &format!("--- {name}\n{}\n", stream.trim_end());
            }
        }
        text
    }

    /// The last line that a panic of Rust would leave, and any hint of one.
    pub fn assert_no_panic(self) -> Self {
        assert!(!self.stderr.contains("panicked") && self.exit != 101, "{}", self.all());
        self
    }
}

/// The folder is `DIR`, a UUID `UUID`, an elapsed time `N ms`.
fn masked(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "DIR");
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let taken = match uuid_length(rest) {
            Some(length) => {
                masked.push_str("UUID");
                length
            }
            None => {
                masked.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    without_sizes(&masked).lines().map(|line| untimed(line) + "\n").collect()
}

/// Numbers of bytes, which every version of the Parquet writer changes, are `N`.
pub fn without_sizes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[from..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - from);
        let (before, after) = (&rest[..from], &rest[from + digits..]);
        let claims_bytes = before.trim_end().ends_with("says") && before.contains("bytes");
        let is_size = after.starts_with(" bytes") || claims_bytes;
        out.push_str(before);
        out.push_str(if is_size { "N" } else { &rest[from..from + digits] });
        rest = after;
    }
    out + rest
}

/// The length of a UUID at the start of the text; the edge of the page may have broken it in two.
fn uuid_length(text: &str) -> Option<usize> {
    let mut nth = 0;
    for (at, c) in text.char_indices() {
        match (nth, c) {
            (36, _) => return Some(at),
            (1.., ' ' | '\n') => {}
            (8 | 13 | 18 | 23, '-') => nth += 1,
            (8 | 13 | 18 | 23, _) => return None,
            (_, c) if c.is_ascii_hexdigit() => nth += 1,
            _ => return None,
        }
    }
    (nth == 36).then_some(text.len())
}

/// `took 12 ms` and `took 1.2 s`, which differ in every run.
fn untimed(line: &str) -> String {
    match line.split_once(", took ") {
        Some((before, _)) => format!("{before}, took TIME"),
        None => line.to_owned(),
    }
}
