//! The exit code: what a script reads first (interface.md section 1).

use std::process::ExitCode;

/// How a run of the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the outcome is `holds`, or the configuration is sound.
    Holds,
    /// 1: the outcome is `breached`.
    Breached,
    /// 2: the command line or the configuration is wrong.
    Usage,
    /// 3: the outcome is `unjudged`, or the run could not be made or finished.
    Unjudged,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Breached => 1,
            Self::Usage => 2,
            Self::Unjudged => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
