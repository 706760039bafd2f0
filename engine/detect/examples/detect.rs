//! Runs one detector over the files of folders and prints what it finds, without the walk around it:
//!
//! ```sh
//! cargo run -p pratique-detect --example detect -- webshell FOLDER...
//! ```
//!
//! A line is `SEVERITY RULE PATH:LINE: MESSAGE` or `gap PATH: REASON`; how many files it read, and how long that took, goes to the standard error.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use pratique_detect::detectors::DETECTORS;
use pratique_detect::{Detector, Extent, FileInput, FileMode, ImageInput, Interest, LocatedFact};

fn globs(interest: &Interest) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in interest.globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().expect("a detector's glob"));
    }
    set.build().expect("a detector's globs")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn scan(detector: &dyn Detector, root: &Path) -> std::io::Result<(usize, Duration)> {
    let interests: Vec<(GlobSet, &Interest)> =
        detector.interests().iter().map(|interest| (globs(interest), interest)).collect();
    let mut paths = Vec::new();
    files(root, &mut paths)?;
    paths.sort();
    let (mut count, mut time) = (0, Duration::ZERO);
    for path in paths {
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let mut wanted =
            interests.iter().filter(|(globs, _)| globs.is_match(relative)).map(|(_, interest)| interest);
        let content = std::fs::read(&path)?;
        let wants = |interest: &&&Interest| {
            interest.heads.is_empty() || interest.heads.iter().any(|head| content.starts_with(head))
        };
        let Some(interest) = wanted.find(wants) else { continue };
        let mut read = content.clone();
        if let Extent::Head(window) = interest.extent {
            read.truncate(window);
        }
        let name = relative.to_string_lossy().into_owned();
        let metadata = std::fs::metadata(&path)?;
        let mode =
            FileMode { permissions: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() };
        let input = FileInput::in_memory(name.as_bytes(), mode, &read);
        let started = Instant::now();
        let report = detector.inspect(&FileInput { size: content.len() as u64, ..input });
        time += started.elapsed();
        count += 1;
        let path = path.display();
        for (_, reason) in report.problems {
            println!("gap {path}: {reason}");
        }
        let located = |fact| LocatedFact { path: path.to_string(), layer: None, removed_by: None, fact };
        let facts: Vec<LocatedFact> = report.facts.into_iter().map(located).collect();
        for finding in detector.judge(&ImageInput::default(), &facts).findings {
            let line = finding.attributes.get("line").map(|line| format!(":{line}")).unwrap_or_default();
            println!("{} {} {path}{line}: {}", finding.severity, finding.rule, finding.message);
        }
    }
    Ok((count, time))
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let id = args.next().unwrap_or_default();
    let Some(detector) = DETECTORS.iter().find(|detector| detector.info().id == id) else {
        eprintln!("detect: `{id}` is no detector (detect DETECTOR FOLDER...)");
        return ExitCode::from(2);
    };
    for folder in args {
        match scan(*detector, Path::new(&folder)) {
            Ok((count, time)) => eprintln!("{folder}: {count} files in {:.2} s", time.as_secs_f64()),
            Err(error) => {
                eprintln!("detect: {folder} cannot be read: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
