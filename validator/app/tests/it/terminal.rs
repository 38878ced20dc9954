//! A terminal of so many columns: what a person there sees of a command, colours and all.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthStr as _;

/// Runs `validator` with these words in a folder, both streams on a terminal; its exit code and what it wrote.
///
/// # Panics
/// When the system has no terminals to give.
pub fn seen_at(columns: u16, folder: &Path, words: &str, environment: &[(&str, &str)]) -> (i32, String) {
    let (mut master, slave) = terminal(columns);
    let other = slave.try_clone().expect("a descriptor can be doubled");
    let binary = Path::new(env!("CARGO_BIN_EXE_validator"));
    let mut child = Command::new("validator")
        .args(words.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .env("PATH", binary.parent().expect("a binary is in a folder"))
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(slave)
        .stderr(other)
        .spawn()
        .expect("the binary runs");
    // Every end of ours is gone with the command above, so that reading ends with the program.
    let mut bytes = Vec::new();
    // Linux ends the reading of a terminal that nobody holds any more with an error.
    let _ = master.read_to_end(&mut bytes);
    let exit = child.wait().expect("it is our child").code().expect("no signal ended it");
    (exit, String::from_utf8(bytes).expect("answers are UTF-8").replace("\r\n", "\n"))
}

/// Runs a command on a terminal of 40 columns, whose lines must keep to them; its exit code and what it wrote.
///
/// Lines that are copied as they are may be longer: commands, paths, and the SQL of a plan.
///
/// # Panics
/// When a line is longer, or nothing is said.
pub fn kept_to_forty(folder: &Path, words: &str) -> (i32, String) {
    let is_copied = |line: &str| {
        let line = line.trim_start().trim_start_matches("Usage: ");
        let path = line.split_whitespace().next().is_some_and(|word| word.contains('/') && word.len() > 30);
        line.contains("-- ") || line.starts_with("validator ") || path
    };
    let (exit, text) = seen_at(40, folder, words, &[("NO_COLOR", "1")]);
    let shown: Vec<&str> = text.split(['\n', '\r']).filter(|line| !line.contains('\u{1b}')).collect();
    let wide: Vec<&&str> = shown.iter().filter(|line| line.width() > 40 && !is_copied(line)).collect();
    assert!(wide.is_empty(), "{words} (exit {exit}): {wide:#?}");
    assert!(text.len() > 10, "{words} says nothing: {text:?}");
    (exit, text)
}

/// Both ends of a new terminal, which no process that another test starts meanwhile takes along: it would never be at its end.
fn terminal(columns: u16) -> (File, OwnedFd) {
    // SAFETY: it is only asked for a number.
    let number = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
    assert!(number >= 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: the call above opened it, and nobody else knows it.
    let master = unsafe { File::from_raw_fd(number) };
    let mut name = [0; 64];
    // SAFETY: the number is that of a terminal which lives as long as `master`, and the name has as much room as is said.
    let ready = unsafe {
        libc::grantpt(number) == 0
            && libc::unlockpt(number) == 0
            && libc::ptsname_r(number, name.as_mut_ptr(), name.len()) == 0
    };
    assert!(ready, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: the call above ended the name with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_str().expect("names of terminals are ASCII");
    let open = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name);
    let slave = OwnedFd::from(open.expect("the other end opens"));
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the size is read while the call lasts.
    let sized = unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(sized, 0, "no size: {}", std::io::Error::last_os_error());
    (master, slave)
}
