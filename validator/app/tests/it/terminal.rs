//! A terminal of so many columns: what a person there sees of a command, colours and all.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr;

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

/// Both ends of a new terminal.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both places are ours, and no name or settings are asked for.
    let made = unsafe { libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null(), &size) };
    assert_eq!(made, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: the call above opened both, and nobody else knows them.
    unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}
