//! Help, versions, completions and man pages, as the binary prints them.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::terminal::seen_at;
use crate::transcript::{run, run_arguments, validator};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system gives a folder")
}

/// The names of all commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = validator(home().path(), "-h").stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Lines that go on begin further in.
    let first = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    first.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_short_help_is_one_screen_of_a_terminal() {
    let (_, help) = seen_at(80, home().path(), "-h", &[("NO_COLOR", "1")]);
    assert!(help.lines().count() <= 36, "{help}");
    let headings: Vec<&str> = help.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(headings, ["Commands:", "Options:", "Global options:"]);
    let hint = "`validator COMMAND --help` has the examples and exit codes of a command.";
    assert_eq!(help.lines().last(), Some(hint));
    let commands = commands();
    assert!(commands.len() >= 6 && commands.contains(&"reconcile".to_owned()), "{commands:?}");
    // Alone it says what there is, and that a command is missing.
    let alone = validator(home().path(), "");
    assert_eq!((alone.exit, alone.stdout.as_str()), (2, ""));
    assert!(alone.stderr.contains("Commands:"), "{}", alone.stderr);
}

#[test]
fn help_keeps_to_the_columns_of_the_terminal() {
    let home = home();
    let names = [String::new()].into_iter().chain(commands());
    for name in names {
        for flag in ["-h", "--help"] {
            for columns in [40, 80, 200] {
                let words = format!("{name} {flag}");
                let (exit, text) = seen_at(columns, home.path(), &words, &[("NO_COLOR", "1")]);
                assert_eq!(exit, 0, "{words}");
                // Examples are lines to paste, which stay whole; what clap lays out keeps to the columns.
                let laid_out = text.split("Examples:").next().unwrap_or_default();
                let mut lines = laid_out.lines().filter(|line| !line.starts_with("Usage:"));
                let wide = lines.find(|line| line.chars().count() > usize::from(columns));
                assert_eq!(wide, None, "{words} at {columns}: {laid_out}");
                assert!(!text.contains('\u{1b}'), "{words} at {columns} has colours");
            }
        }
    }
}

/// The long flags of a command, as the program itself knows them.
fn flags(name: &str) -> Vec<String> {
    let command = <validator_app::cli::Cli as clap::CommandFactory>::command();
    let of = command.find_subcommand(name).unwrap_or_else(|| panic!("{name} is a command"));
    of.get_arguments().filter_map(|flag| flag.get_long()).map(|long| format!("--{long}")).collect()
}

#[test]
fn help_has_colours_where_they_are_wanted() {
    let home = home();
    let painted = |text: &str| text.contains("\u{1b}[");
    assert!(painted(&seen_at(80, home.path(), "--help", &[]).1));
    assert!(!painted(&seen_at(80, home.path(), "--help", &[("NO_COLOR", "1")]).1));
    assert!(!painted(&seen_at(80, home.path(), "--help", &[("TERM", "dumb")]).1));
    assert!(!painted(&seen_at(80, home.path(), "--help --color never", &[]).1));
    assert!(!painted(&validator(home.path(), "--help").stdout));
    assert!(painted(&validator(home.path(), "check --color always --help").stdout));
    assert!(painted(&run(home.path(), "--color=always --help", &[("NO_COLOR", "1")]).stdout));
}

/// Examples are what people paste: every command and flag in them is one that there is.
#[test]
fn examples_are_command_lines_that_are_understood() {
    let home = home();
    fs::create_dir_all(home.path().join(".local/share/man/man1")).expect("the folder takes folders");
    let mut tried = 0;
    for name in commands() {
        let help = validator(home.path(), &format!("{name} --help")).stdout;
        let examples = help.lines().filter_map(|line| line.strip_prefix("  validator "));
        for example in examples {
            let words = words_of(example);
            let ran = run_arguments(home.path(), &words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            assert!(!ran.stderr.contains("unexpected argument"), "{example}: {}", ran.stderr);
            assert!(!ran.stderr.contains("unrecognized subcommand"), "{example}: {}", ran.stderr);
            assert!(!ran.stderr.contains("invalid value"), "{example}: {}", ran.stderr);
            // Nor is one broken between two lines.
            assert!(!ran.stderr.contains("is required"), "{example}: {}", ran.stderr);
            assert!((0..=3).contains(&ran.exit), "{example}: {}", ran.all());
            ran.assert_no_panic();
            tried += 1;
            if name == "demo" {
                break;
            }
        }
    }
    assert!(tried >= 12, "{tried} examples");
}

/// The words as a shell would give them: what stands in single quotes is one, and pipes and files to write to are the
/// shell's own.
fn words_of(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => {
                let mut pieces = part.split(' ');
                words.last_mut().expect("never empty").push_str(pieces.next().unwrap_or_default());
                words.extend(pieces.map(str::to_owned));
            }
            _ => words.last_mut().expect("never empty").push_str(part),
        }
    }
    let own = words.into_iter().filter(|word| !word.is_empty()).take_while(|word| !matches!(word.as_str(), "|" | ">"));
    own.map(|word| word.replace("~/", "./")).collect()
}

#[test]
fn the_version_says_commit_and_libraries() {
    let short = validator(home().path(), "-V").stdout;
    let long = validator(home().path(), "--version").stdout;
    assert!(short.starts_with("validator 0.") && short.lines().count() == 1, "{short}");
    assert!(long.starts_with(short.trim_end()), "{long}");
    let of = |name: &str| {
        let line = long.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in {long}")).split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    let lock = include_str!("../../../../../Cargo.lock");
    for (known, name) in
        [("arrow", "arrow-array"), ("datafusion", "datafusion"), ("iceberg", "iceberg"), ("parquet", "parquet")]
    {
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{}\"", of(known))), "{known} {}", of(known));
    }
    // What is linked says its own version.
    assert_eq!(of("librdkafka"), fixtures_harness::librdkafka_version());
    let in_clone = Command::new("git").args(["rev-parse", "--short", "HEAD"]).stdin(Stdio::null()).output();
    if let Ok(output) =
        in_clone.map_err(drop).and_then(|output| if output.status.success() { Ok(output) } else { Err(()) })
    {
        let commit = String::from_utf8(output.stdout).expect("a hash is text");
        let said = short.split_once('(').map_or("", |(_, rest)| rest);
        assert!(said.starts_with(commit.trim()), "{short} is not of {commit}");
    }
}

#[test]
fn completions_are_scripts_that_their_shell_reads() {
    let home = home();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = validator(home.path(), &format!("completions {shell}"));
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{shell}");
        for name in commands().iter().map(String::as_str).chain(["--findings", "--stop-if-contract"]) {
            assert!(ran.stdout.contains(name.trim_start_matches('-')), "{shell} does not know {name}");
        }
        for (name, flag) in commands().iter().flat_map(|name| flags(name).into_iter().map(move |flag| (name, flag))) {
            // Fish writes a flag as `-l findings`.
            let word = if shell == "fish" { format!("-l {}", flag.trim_start_matches('-')) } else { flag };
            assert!(ran.stdout.contains(&word), "{shell} does not know {word} of {name}");
        }
        fs::write(home.path().join(shell), ran.stdout).expect("the folder takes files");
        let read = Command::new(shell).arg("-n").arg(home.path().join(shell)).stderr(Stdio::piped()).output();
        // Bash is everywhere; the other shells where they are installed.
        match read {
            Ok(output) if shell != "powershell" && shell != "elvish" => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
            }
            Err(error) => assert_ne!(shell, "bash", "{error}"),
            Ok(_) => {}
        }
    }
}

/// What bash offers after these words.
#[test]
fn bash_completes_commands_flags_and_words() {
    let home = home();
    let script = validator(home.path(), "completions bash").stdout;
    fs::write(home.path().join("validator.bash"), script).expect("the folder takes files");
    let offered = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "source validator.bash; COMP_WORDS=({}); COMP_CWORD={}; _validator validator '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let output = Command::new("bash").args(["-c", &ask]).current_dir(home.path()).output().expect("bash is there");
        String::from_utf8(output.stdout).expect("bash writes text").trim().to_owned()
    };
    assert_eq!(offered("validator rec"), "reconcile");
    assert_eq!(offered("validator reconcile --find"), "--findings");
    assert_eq!(offered("validator check --color al"), "always");
    assert_eq!(offered("validator schema pip"), "pipeline");
}

/// What a shell said to this script, in a folder with the completions of both; none where it is not installed.
fn said_by(shell: &str, script: &str) -> Option<String> {
    let home = home();
    for (of, name) in [("fish", "validator.fish"), ("zsh", "_validator")] {
        let script = validator(home.path(), &format!("completions {of}")).stdout;
        fs::write(home.path().join(name), script).expect("the folder takes files");
    }
    let mut command = Command::new(shell);
    if shell == "zsh" {
        command.arg("-f");
    }
    command.args(["-c", script]).current_dir(home.path()).env("HOME", home.path());
    match command.output() {
        Ok(output) => {
            let talk = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && talk.is_empty(), "{shell}: {talk}");
            Some(String::from_utf8(output.stdout).expect("shells write text"))
        }
        Err(error) => {
            println!("{shell} is not installed ({error}): its completions are not tried");
            None
        }
    }
}

#[test]
fn fish_completes_commands_flags_and_words() {
    let asks = ["validator rec", "validator reconcile --find", "validator check --color al"];
    let asks = asks.map(|line| format!("complete -C '{line}'")).join("; ");
    let Some(said) = said_by("fish", &format!("source validator.fish; {asks}")) else { return };
    let offered: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(offered, ["reconcile", "--findings", "always"]);
}

#[test]
fn zsh_finds_the_completions_of_the_command_and_reads_them() {
    let script = "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d dump; autoload +X _validator; \
                  print ${_comps[validator]}; whence -w _validator";
    let Some(said) = said_by("zsh", script) else { return };
    assert_eq!(said, "_validator\n_validator: function\n");
}

#[test]
fn man_pages_are_of_every_command() {
    let home = home();
    let main = validator(home.path(), "man");
    assert!(main.stdout.starts_with(".ie") || main.stdout.contains(".TH"), "{}", main.stdout);
    let ran = validator(home.path(), "man --output .");
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    for name in commands() {
        let page = fs::read_to_string(home.path().join(format!("validator-{name}.1"))).expect("a page is there");
        assert!(page.contains(".SH OPTIONS") && page.contains("Examples"), "{name}: {page}");
        let plain = page.replace('\\', "");
        for flag in flags(&name) {
            assert!(plain.contains(&flag), "the page of {name} lacks {flag}");
        }
    }
    assert_snapshot!(validator(home.path(), "man --output no/such").all(), @"
    exit 2
    --- stderr
    error: invalid value 'no/such' for '--output <FOLDER>': there is no folder no/such

    For more information, try '--help'.
    ");
    // Where groff is installed, it reads each page without a complaint.
    for entry in fs::read_dir(home.path()).expect("the folder is readable") {
        let path = entry.expect("readable").path();
        let groff = Command::new("groff").args(["-man", "-ww", "-z", "-K", "utf8"]).arg(&path).output();
        if let Ok(output) = groff {
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", path.display());
        }
    }
}

/// Nothing heavy before the command line is read: a bound with much room, on a debug binary and a busy machine.
#[test]
fn help_comes_at_once() {
    let home = home();
    let once = || {
        let started = Instant::now();
        assert_eq!(validator(home.path(), "--help").exit, 0);
        started.elapsed()
    };
    let best = (0..10).map(|_| once()).min().expect("ten times");
    println!("validator --help: {best:?}");
    assert!(best < Duration::from_millis(300), "{best:?}");
}
