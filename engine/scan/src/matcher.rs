//! All detectors' interests in one matcher.

use std::collections::BTreeSet;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use pratique_core::inspect::{Extent, HEAD, Interest};
use pratique_detect::Detector;
use pratique_fs::FsPath;

use crate::EngineError;

/// A detector that wants a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Its place in [`crate::Engine::detectors`].
    pub detector: usize,
    /// How many bytes it wants: the largest window among its interests that match.
    pub window: usize,
}

/// Tells of a path which detectors want it.
///
/// An interest without wildcards is *exact*: programs open that very path. One with wildcards has a *region*, the folder
/// named before the first wildcard. Links that lead to an exact interest or to a region are followed, as a program would
/// follow them; links to folders within a region are not, because what they lead to is met where it lies.
pub struct Matcher {
    globs: GlobSet,
    /// Who declared the glob with this place in `globs`, and with which window.
    owners: Vec<Want>,
    /// Paths of exact interests.
    exact: BTreeSet<FsPath>,
    /// For each interest with a wildcard the folder in which its matches lie.
    regions: BTreeSet<FsPath>,
    /// Folders at which a link redirects interests: all above exact ones, regions and all above them; not the root.
    gates: BTreeSet<FsPath>,
}

impl Matcher {
    /// Compiles the interests of `detectors`; [`Want::detector`] is the place in this slice.
    pub(crate) fn new(detectors: &[&'static dyn Detector]) -> Result<Self, EngineError> {
        let mut globs = GlobSetBuilder::new();
        let mut owners = Vec::new();
        let (mut exact, mut regions) = (BTreeSet::new(), BTreeSet::new());
        for (place, detector) in detectors.iter().enumerate() {
            for interest in detector.interests() {
                for glob in interest.globs {
                    let malformed = |error: globset::Error| EngineError::Glob {
                        detector: detector.info().id,
                        glob: (*glob).to_owned(),
                        reason: error.kind().to_string(),
                    };
                    globs.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(malformed)?);
                    owners.push(Want { detector: place, window: window(interest) });
                    match glob.find(['*', '?', '[', ']', '{', '}', '\\']) {
                        None => exact.insert(FsPath::new(glob)),
                        Some(wildcard) => {
                            let folder = glob[..wildcard].rfind('/').unwrap_or(0);
                            regions.insert(FsPath::new(&glob[..folder]))
                        }
                    };
                }
            }
        }
        let globs = globs.build().map_err(|error| EngineError::Glob {
            detector: "(all together)",
            glob: error.glob().unwrap_or_default().to_owned(),
            reason: error.kind().to_string(),
        })?;
        let mut gates: BTreeSet<FsPath> = exact.iter().chain(&regions).flat_map(folders_above).collect();
        gates.extend(regions.iter().filter(|region| !region.is_root()).cloned());
        Ok(Self { globs, owners, exact, regions, gates })
    }

    /// Puts the detectors that want `path` into `wants`, each once, in their order.
    pub fn wanted(&self, path: &FsPath, wants: &mut Vec<Want>) {
        wants.clear();
        for glob in self.globs.matches_candidate(&Candidate::from_bytes(path.as_bytes())) {
            let owner = self.owners[glob];
            match wants.iter_mut().find(|want| want.detector == owner.detector) {
                Some(want) => want.window = want.window.max(owner.window),
                None => wants.push(owner),
            }
        }
        wants.sort_unstable_by_key(|want| want.detector);
    }

    /// Whether any detector wants `path`.
    pub fn is_wanted(&self, path: &FsPath) -> bool {
        self.globs.is_match_candidate(&Candidate::from_bytes(path.as_bytes()))
    }

    /// Whether a link at `path` redirects interests: an exact one below it, or a region that it is or that lies below.
    pub fn leads_to_interest(&self, path: &FsPath) -> bool {
        self.gates.contains(path)
    }

    /// What a link at `path` redirects: the path itself if it is wanted, exact interests below, and regions.
    pub fn redirected_by<'m>(&'m self, path: &'m FsPath) -> impl Iterator<Item = &'m FsPath> {
        let below = move |other: &&FsPath| *other != path && other.is_within(path);
        self.is_wanted(path)
            .then_some(path)
            .into_iter()
            .chain(self.exact.iter().filter(below))
            .chain(self.regions.iter().filter(move |region| region.is_within(path)))
    }

    /// Whether `path` is, or may lie above, a file that some detector wants. What happens at other paths changes
    /// nothing in a result.
    pub fn matters(&self, path: &FsPath) -> bool {
        self.leads_to_interest(path)
            || self.regions.iter().any(|region| path.is_within(region) || region.is_within(path))
            || self.is_wanted(path)
    }

    /// Whether `path` is an exact interest.
    pub fn is_exact(&self, path: &FsPath) -> bool {
        self.exact.contains(path)
    }

    /// Whether `path` is the region of an interest with wildcards.
    pub fn is_region(&self, path: &FsPath) -> bool {
        self.regions.contains(path)
    }

    /// The exact interests.
    pub fn exact(&self) -> impl Iterator<Item = &FsPath> {
        self.exact.iter()
    }

    /// The folders in which matches of interests with wildcards lie, none within another.
    pub fn regions(&self) -> impl Iterator<Item = &FsPath> {
        self.regions
            .iter()
            .filter(|region| !self.regions.iter().any(|other| other != *region && region.is_within(other)))
    }
}

/// How many bytes of a file's start an interest needs.
fn window(interest: &Interest) -> usize {
    match interest.extent {
        Extent::Head(window) => window,
        Extent::Whole(_) => HEAD,
    }
}

/// The folders above a path, the deepest first, without the root.
pub(crate) fn folders_above(path: &FsPath) -> impl Iterator<Item = FsPath> {
    std::iter::successors(path.parent(), FsPath::parent).filter(|folder| !folder.is_root())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fake::{Fake, detector};

    fn matcher(globs: &'static [&'static str], window: usize) -> Matcher {
        Matcher::new(&[detector(Fake { globs, window, ..Fake::DEFAULT })]).unwrap()
    }

    fn wants(matcher: &Matcher, path: &[u8]) -> Vec<Want> {
        let mut wants = Vec::new();
        matcher.wanted(&FsPath::new(path), &mut wants);
        wants
    }

    #[test]
    fn globs_stop_at_slashes_and_match_bytes() {
        let matcher = matcher(&["etc/shadow", "home/*/.key", "**/secret?"], 10);
        for (path, wanted) in [
            (&b"etc/shadow"[..], true),
            (b"etc/shadow-", false),
            (b"x/etc/shadow", false),
            (b"home/ann/.key", true),
            (b"home/ann/x/.key", false),
            (b"home/\xff\xfe/.key", true),
            (b"secret1", true),
            (b"a/b/secret1", true),
            (b"a/secret/1", false),
        ] {
            assert_eq!(matcher.is_wanted(&FsPath::new(path)), wanted, "{}", FsPath::new(path));
            assert_eq!(!wants(&matcher, path).is_empty(), wanted, "{}", FsPath::new(path));
        }
    }

    #[test]
    fn a_detector_gets_its_largest_window_and_others_keep_theirs() {
        let small = detector(Fake { id: "a", globs: &["etc/*", "etc/shadow"], window: 5, ..Fake::DEFAULT });
        let large = detector(Fake { id: "b", globs: &["**/shadow"], window: 50, ..Fake::DEFAULT });
        let matcher = Matcher::new(&[small, large]).unwrap();
        assert_eq!(
            wants(&matcher, b"etc/shadow"),
            [Want { detector: 0, window: 5 }, Want { detector: 1, window: 50 }]
        );
        assert_eq!(wants(&matcher, b"usr/shadow"), [Want { detector: 1, window: 50 }]);
    }

    #[test]
    fn links_above_interests_and_at_regions_redirect_them() {
        let matcher = matcher(&["etc/ssh/key", "opt/app/*/key", "**/x"], 1);
        for (path, redirected) in [
            ("etc", &["etc/ssh/key"][..]),
            ("etc/ssh", &["etc/ssh/key"]),
            ("etc/ssh/key", &["etc/ssh/key"]),
            ("opt", &["opt/app"]),
            ("opt/app", &["opt/app"]),
            ("opt/app/1", &[]),
            ("et", &[]),
            ("a/x", &["a/x"]),
        ] {
            let path = FsPath::new(path);
            let expected: Vec<FsPath> = redirected.iter().map(FsPath::new).collect();
            assert_eq!(matcher.redirected_by(&path).cloned().collect::<Vec<_>>(), expected, "{path}");
            let at_an_interest = matcher.is_wanted(&path);
            assert_eq!(matcher.leads_to_interest(&path), !expected.is_empty() && !at_an_interest, "{path}");
        }
    }

    #[test]
    fn what_can_hide_an_interest_matters_and_nothing_else() {
        let matcher = matcher(&["etc/shadow", "var/lib/*/db"], 1);
        for (path, matters) in [
            ("etc", true),
            ("etc/shadow", true),
            ("etc/passwd", false),
            ("var", true),
            ("var/lib", true),
            ("var/lib/x", true),
            ("var/cache", false),
            ("usr", false),
        ] {
            assert_eq!(matcher.matters(&FsPath::new(path)), matters, "{path}");
        }
    }

    #[test]
    fn a_malformed_glob_names_its_detector() {
        let error = Matcher::new(&[detector(Fake { globs: &["a[b"], ..Fake::DEFAULT })]).err().unwrap();
        assert!(error.to_string().contains("`a[b`"), "{error}");
    }
}
