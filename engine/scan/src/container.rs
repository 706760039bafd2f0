//! A live container's root.

use std::fs::File;

use pratique_fs::{FileSystem, FsPath};

use crate::aside::with_threads;
use crate::follow::Followed;
use crate::image::{About, Gathered};
use crate::root::{Reading, RootReader};
use crate::timings::Work;
use crate::{Engine, JudgeOptions, JudgedRoot, Limits};

/// Judges the files of a live root by the same detectors as an image's. `names` are the references of the container's
/// image. Exact interests are opened directly; only interests with wildcards cost a walk, of their regions and without
/// the kernel's own file systems. `scratch` is as for [`crate::scan_layer`]; with more than one of `jobs` another thread
/// goes through the folders ahead of the one that reads. Files that come and go meanwhile are no gaps; what cannot be read
/// is one.
pub fn scan_root(
    engine: &Engine,
    root: &dyn FileSystem,
    names: &[String],
    options: &JudgeOptions,
    scratch: Option<&File>,
    jobs: usize,
) -> JudgedRoot {
    let reading = Reading { seeks: true, scratch, ahead: jobs > 1 };
    let read = engine.measure(Work::Walk, || read(engine, root, &options.limits, reading));
    let mut gathered = Gathered::new(&options.limits);
    gathered.add_followed(read);
    gathered.judge(engine, About { names, config: None, layers: &[] }, options)
}

/// Reads all that is of interest.
fn read(engine: &Engine, root: &dyn FileSystem, limits: &Limits, reading: Reading<'_>) -> Followed {
    let mut read = Followed::new(limits);
    with_threads(engine, |scope| {
        let mut reader = RootReader::new(root, engine, limits, reading, &mut read, scope);
        let matcher = engine.matcher();
        if matcher.exact().try_for_each(|path| reader.read_exact(path)).is_continue() {
            let covered = |region: &FsPath| {
                let within = |other: &FsPath| other != region && region.is_within(other);
                matcher.regions().any(within)
                    && root.resolve(region).is_ok_and(|resolved| resolved == *region)
            };
            // Breaking off has left its gap.
            let _ = matcher
                .regions()
                .filter(|region| !covered(region))
                .try_for_each(|region| reader.read_region(region));
        }
        reader.finish();
    });
    read
}
