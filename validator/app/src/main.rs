//! The binary `validator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    validator_app::main()
}
