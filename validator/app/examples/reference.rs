//! Writes the pages of docs/reference into the folder that is named, or with `--check` says which of them differ.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (check, folder) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => (false, PathBuf::from(folder)),
        ["--check", folder] => (true, PathBuf::from(folder)),
        _ => {
            eprintln!("usage: reference [--check] FOLDER");
            return ExitCode::from(2);
        }
    };
    let pages = validator_app::reference::pages();
    if check {
        let differs =
            |(name, text): &&(String, String)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text);
        let mut stale: Vec<String> = pages.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        // A page that is no longer made is as wrong as one that is out of date.
        let there = fs::read_dir(&folder).into_iter().flatten().flatten();
        let names = there.map(|entry| entry.file_name().to_string_lossy().into_owned());
        stale.extend(names.filter(|name| !pages.iter().any(|(known, _)| known == name)));
        stale.iter().for_each(|name| println!("{} is not what the code says", folder.join(name).display()));
        return if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    }
    for (name, text) in pages {
        let path = folder.join(name);
        if let Err(error) = fs::write(&path, text) {
            eprintln!("write {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
