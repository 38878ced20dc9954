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
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Holds, Self::Breached, Self::Usage, Self::Unjudged];

    /// The word and what it means for a run, one sentence; the help of commands says the same.
    pub fn means(self) -> &'static str {
        match self {
            Self::Holds => "holds: what Kafka carried is what the table holds, at least to the target",
            Self::Breached => "breached: fidelity is below its target, or another rule of the contract is broken",
            Self::Usage => "the command line or the configuration is wrong",
            Self::Unjudged => "unjudged: too little could be looked at, or the run could not be made or finished",
        }
    }

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
