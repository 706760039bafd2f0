//! Archives and the files in them: whose a file in an archive is, its archive tells.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::Digest;

use super::notes::Noted;
use crate::sums::Sums;
use crate::{FileInput, LocatedFact};

/// Whether the walk handed over a file that lies in an archive ([`crate::Detector::looks_into_archives`]). What a gzip
/// holds has no name of its own, and no size.
pub(super) fn is_member(file: &FileInput<'_>) -> bool {
    file.size == u64::MAX || file.path.windows(2).any(|two| two == b"!/")
}

type File<'a> = (&'a str, Option<&'a Digest>);

/// The archives of an image.
pub(super) struct Archives<'a> {
    sums: BTreeMap<File<'a>, Option<&'a Sums>>,
    /// Secrets of files in them, by [`super::notes::digest`], once for each archive around.
    within: BTreeSet<(File<'a>, &'a str)>,
}

impl<'a> Archives<'a> {
    /// Of all that was noted of files.
    pub(super) fn of(noted: &'a [(&'a LocatedFact, Noted)]) -> Self {
        let files = noted.iter().filter(|(_, noted)| !noted.is_member);
        let sums = files
            .map(|(located, noted)| ((located.path.as_str(), located.layer.as_ref()), noted.sums.as_ref()));
        let members = noted.iter().filter(|(_, noted)| noted.is_member);
        let within = members.flat_map(|(located, noted)| {
            let around = located.path.match_indices("!/").map(|(end, _)| &located.path[..end]);
            let secrets = noted.secrets.iter().map(|secret| secret.digest.as_str());
            around.flat_map(move |path| {
                secrets.clone().map(move |secret| ((path, located.layer.as_ref()), secret))
            })
        });
        Self { sums: sums.collect(), within: within.collect() }
    }

    /// Path of the archive that a file lies in, which is in an archive.
    fn path<'b>(&self, located: &'b LocatedFact) -> &'b str
    where
        'a: 'b,
    {
        let path = located.path.as_str();
        // A folder's name may end in `!`, too.
        let mut ends = path.match_indices("!/").map(|(end, _)| end).chain([path.len()]);
        let known = ends.find(|end| self.sums.contains_key(&(&path[..*end], located.layer.as_ref())));
        &path[..known.unwrap_or(path.len())]
    }

    /// The file of the image that a noted one is or lies in, and its checksums.
    pub(super) fn file<'b>(
        &'b self,
        located: &'b LocatedFact,
        noted: &'b Noted,
    ) -> (&'b str, Option<&'b Sums>) {
        if !noted.is_member {
            return (&located.path, noted.sums.as_ref());
        }
        let path = self.path(located);
        (path, self.sums.get(&(path, located.layer.as_ref())).copied().flatten())
    }

    /// Whether a file within has a secret that was seen in an archive's own bytes, too, as in those of a tar.
    pub(super) fn holds(&self, archive: &LocatedFact, digest: &str) -> bool {
        self.within.contains(&((&archive.path, archive.layer.as_ref()), digest))
    }
}
