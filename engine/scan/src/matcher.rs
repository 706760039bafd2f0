//! All interests, of detectors and of package parsers, in one matcher.

use std::collections::BTreeSet;

use globset::{Candidate as PathCandidate, GlobBuilder, GlobSet, GlobSetBuilder};
use pratique_core::inspect::{Extent, HEAD, Interest};
use pratique_detect::Links;
use pratique_fs::FsPath;

use crate::EngineError;
use crate::engine::Subject;

/// An interest that a file's path and size satisfy; its content was not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Place in [`crate::Engine::subjects`] of whoever declared it.
    pub(crate) subject: usize,
    /// The interest.
    pub(crate) interest: &'static Interest,
}

/// Whether somebody wants a file's metadata alone.
pub(crate) fn want_metadata(candidates: &[Candidate]) -> bool {
    candidates.iter().any(|candidate| candidate.interest.extent == Extent::Metadata)
}

/// A file that somebody wants, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    /// Place in [`crate::Engine::subjects`].
    pub(crate) subject: usize,
    /// Bytes of its start: the most that any of the subject's interests in it asks for.
    pub(crate) window: usize,
    /// Random access to all of it, if it has at most so many bytes.
    pub(crate) whole: Option<u64>,
    /// Its pieces, as far as so many bytes.
    pub(crate) stream: Option<u64>,
}

impl Want {
    /// Whether so much of it is wanted that looking into it may take long.
    pub(crate) fn is_long(&self) -> bool {
        const LONG: usize = 64 << 10;
        self.stream.is_some() || self.window > LONG
    }

    fn of(candidate: &Candidate) -> Self {
        let (window, whole, stream) = match candidate.interest.extent {
            Extent::Metadata => (0, None, None),
            Extent::Head(window) => (window, None, None),
            Extent::Whole(limit) => (HEAD, Some(limit), None),
            Extent::Stream(limit) => (0, None, Some(limit)),
        };
        Self { subject: candidate.subject, window, whole, stream }
    }
}

/// One glob of an interest.
struct Pattern {
    subject: usize,
    interest: &'static Interest,
    place: Place,
    /// Facts of it speak of the file, wherever it lies: one that a link leads to is enough where it lies.
    of_file: bool,
    /// Whether links are followed for it.
    follows: bool,
}

impl Pattern {
    /// Whether it looks for the same in a folder of the same name, such as `lib/systemd/system` and `usr/lib/systemd/system`: to
    /// programs a file is the same in either.
    fn is_like(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Region { folder, tail }, Place::Region { folder: of_other, tail: others }) => {
                !folder.is_root() && folder.name() == of_other.name() && tail == others
            }
            _ => false,
        }
    }
}

/// Where a glob looks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// At one path.
    Exact(FsPath),
    /// In a folder and below, for what `tail` describes.
    Region { folder: FsPath, tail: String },
}

impl Place {
    fn of(glob: &str) -> Self {
        match glob.find(['*', '?', '[', ']', '{', '}', '\\']) {
            None => Self::Exact(FsPath::new(glob)),
            Some(wildcard) => {
                let folder = glob[..wildcard].rfind('/').unwrap_or(0);
                let tail = glob[folder..].trim_start_matches('/').to_owned();
                Self::Region { folder: FsPath::new(&glob[..folder]), tail }
            }
        }
    }

    fn path(&self) -> &FsPath {
        match self {
            Self::Exact(path) => path,
            Self::Region { folder, .. } => folder,
        }
    }
}

/// Tells of a path who wants it.
///
/// An interest without wildcards is *exact*: programs open that very path. One with wildcards has a *region*, the folder
/// named before the first wildcard. Links that lead to an exact interest or to a region are followed, as a program would
/// follow them; links to folders within a region are not, because what they lead to is met where it lies.
///
/// What package parsers read, what is wanted as a stream or by who says so ([`Links`]), and what is noted of every file (`**`) is about the file and not about its path. So a link is not followed for them if it leads to where the same interest looks anyway
/// (`etc/os-release` to `usr/lib/os-release`); for nobody is one to a folder of the same name in which the same interest looks for
/// the same (`lib/systemd/system` by `lib` to `usr/lib`). Who wants metadata means the entry itself: links are never followed for
/// those.
pub struct Matcher {
    globs: GlobSet,
    /// Files that nobody is to look at.
    excluded: GlobSet,
    /// What stands behind the glob with this place in `globs`.
    patterns: Vec<Pattern>,
    /// Paths of exact interests.
    exact: BTreeSet<FsPath>,
    /// For each interest with a wildcard the folder in which its matches lie.
    regions: BTreeSet<FsPath>,
    /// Folders at which a link redirects interests: all above exact ones, regions and all above them; not the root.
    gates: BTreeSet<FsPath>,
}

impl Matcher {
    /// Compiles the interests of `subjects`; [`Want::subject`] is the place in this slice.
    pub(crate) fn new(subjects: &[Subject]) -> Result<Self, EngineError> {
        let mut globs = GlobSetBuilder::new();
        let mut patterns: Vec<Pattern> = Vec::new();
        for (subject, declared) in subjects.iter().enumerate() {
            for interest in declared.interests() {
                for glob in interest.globs {
                    let malformed = |error: globset::Error| EngineError::Glob {
                        subject: declared.id().to_owned(),
                        glob: (*glob).to_owned(),
                        reason: error.kind().to_string(),
                    };
                    globs.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(malformed)?);
                    let place = Place::of(glob);
                    // Whoever wants every file meets each where it lies.
                    let of_file = declared.links() != Links::Followed
                        || matches!(interest.extent, Extent::Metadata | Extent::Stream(_))
                        || *glob == "**";
                    let follows =
                        declared.links() != Links::NotFollowed && interest.extent != Extent::Metadata;
                    patterns.push(Pattern { subject, interest, place, of_file, follows });
                }
            }
        }
        let globs = globs.build().map_err(|error| EngineError::Glob {
            subject: "(all together)".to_owned(),
            glob: error.glob().unwrap_or_default().to_owned(),
            reason: error.kind().to_string(),
        })?;
        let (mut exact, mut regions, mut gates) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for pattern in &patterns {
            let path = pattern.place.path();
            let is_exact = matches!(pattern.place, Place::Exact(_));
            if is_exact && pattern.follows { &mut exact } else { &mut regions }.insert(path.clone());
            if pattern.follows {
                gates.extend(folders_above(path));
                gates.extend((!is_exact && !path.is_root()).then(|| path.clone()));
            }
        }
        Ok(Self { globs, excluded: GlobSet::empty(), patterns, exact, regions, gates })
    }

    /// The same without files that match one of `globs`.
    pub(crate) fn excluding(mut self, globs: &[String]) -> Result<Self, EngineError> {
        let malformed = |glob: &str, error: globset::Error| EngineError::Exclusion {
            glob: glob.to_owned(),
            reason: error.kind().to_string(),
        };
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let relative = glob.trim_start_matches('/');
            let compiled = GlobBuilder::new(relative).literal_separator(true).build();
            set.add(compiled.map_err(|error| malformed(glob, error))?);
        }
        self.excluded = set.build().map_err(|error| malformed("(all together)", error))?;
        Ok(self)
    }

    fn matches(&self, path: &FsPath) -> impl Iterator<Item = &Pattern> {
        let places = self.globs.matches_candidate(&PathCandidate::from_bytes(path.as_bytes()));
        places.into_iter().map(|place| &self.patterns[place])
    }

    /// Puts the interests that a file's path and size satisfy into `candidates`.
    pub(crate) fn candidates(&self, path: &FsPath, size: u64, candidates: &mut Vec<Candidate>) {
        candidates.clear();
        if self.excluded.is_match_candidate(&PathCandidate::from_bytes(path.as_bytes())) {
            return;
        }
        let patterns = self.matches(path).filter(|pattern| size >= pattern.interest.min_size);
        candidates.extend(
            patterns.map(|pattern| Candidate { subject: pattern.subject, interest: pattern.interest }),
        );
    }

    /// Whether anybody wants `path`, whatever its content.
    pub fn is_wanted(&self, path: &FsPath) -> bool {
        self.globs.is_match_candidate(&PathCandidate::from_bytes(path.as_bytes()))
    }

    /// Puts those who want nothing but the metadata of an entry at `path` into `candidates`.
    pub(crate) fn metadata_candidates(&self, path: &FsPath, candidates: &mut Vec<Candidate>) {
        self.candidates(path, u64::MAX, candidates);
        candidates.retain(|candidate| candidate.interest.extent == Extent::Metadata);
    }

    /// Whether the content of a hard link at `path` must be read although its target's is met: somebody wants it by this
    /// name who does not want it by the other.
    pub(crate) fn wants_hard_link(&self, path: &FsPath, target: &FsPath) -> bool {
        self.matches(path).any(|pattern| {
            !pattern.of_file
                || !self.matches(target).any(|other| std::ptr::eq(other.interest, pattern.interest))
        })
    }

    /// Whether a link at `path` redirects interests: an exact one below it, or a region that it is or that lies below.
    pub fn leads_to_interest(&self, path: &FsPath) -> bool {
        self.gates.contains(path)
    }

    /// Whether a link at `path` to `target` redirects anything.
    pub(crate) fn redirects(&self, path: &FsPath, target: &[u8]) -> bool {
        (self.leads_to_interest(path) || self.is_wanted(path))
            && !self.redirected_by(path, Some(target)).is_empty()
    }

    /// What a link at `path` to `target` redirects: the path itself if it is wanted, exact interests below, and regions.
    /// Without a target: whatever lies below `path`.
    pub(crate) fn redirected_by(&self, path: &FsPath, target: Option<&[u8]>) -> BTreeSet<FsPath> {
        let led = target.map(|target| follow(path, target));
        let mut redirected = BTreeSet::new();
        for pattern in self.matches(path).filter(|pattern| pattern.follows) {
            if !led.as_ref().is_some_and(|led| self.is_met_at(pattern, led)) {
                redirected.insert(path.clone());
            }
        }
        if !path.is_root() && !self.leads_to_interest(path) {
            return redirected;
        }
        for pattern in self.patterns.iter().filter(|pattern| pattern.follows) {
            let place = pattern.place.path();
            if !place.is_within(path) || (place == path && matches!(pattern.place, Place::Exact(_))) {
                continue;
            }
            let moved = led.as_ref().map(|led| below(path, place, led));
            if !moved.is_some_and(|moved| self.is_met(pattern, &moved)) {
                redirected.insert(place.clone());
            }
        }
        redirected
    }

    /// Whether what `pattern` looks for, an exact interest or a region, is met where a link leads: a file that the same
    /// interest wants, or a region in which it wants the same.
    fn is_met(&self, pattern: &Pattern, moved: &FsPath) -> bool {
        match &pattern.place {
            Place::Region { folder, tail } if !folder.is_root() => self.patterns.iter().any(|other| {
                std::ptr::eq(other.interest, pattern.interest)
                    && (pattern.of_file || pattern.is_like(other))
                    && matches!(&other.place, Place::Region { folder, tail: own } if folder == moved && own == tail)
            }),
            _ => self.is_met_at(pattern, moved),
        }
    }

    /// Whether a file that `pattern` wants is met at `moved`, where a link leads: the same interest wants it there.
    fn is_met_at(&self, pattern: &Pattern, moved: &FsPath) -> bool {
        pattern.of_file && self.matches(moved).any(|other| std::ptr::eq(other.interest, pattern.interest))
    }

    /// Drops the candidates for `path` that are met at `met` as well, which is where it leads, and those that follow no links.
    pub(crate) fn drop_met(&self, path: &FsPath, met: &FsPath, candidates: &mut Vec<Candidate>) {
        let own: Vec<&Pattern> =
            if path.name() == met.name() { self.matches(path).collect() } else { Vec::new() };
        candidates.retain(|candidate| {
            let same = |pattern: &&Pattern| std::ptr::eq(pattern.interest, candidate.interest);
            let is_like = |other: &Pattern| own.iter().any(|own| same(own) && own.is_like(other));
            let is_met = self.matches(met).any(|other| same(&other) && (other.of_file || is_like(other)));
            !is_met && self.patterns.iter().find(same).is_some_and(|pattern| pattern.follows)
        });
    }

    /// Whether `path` is, or may lie above, a file that somebody wants. What happens at other paths changes nothing in a
    /// result.
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

/// Those of `candidates` whose interest fits a file that begins with `head`: each subject once, in their order.
pub(crate) fn settle(candidates: &[Candidate], head: &[u8], wants: &mut Vec<Want>) {
    wants.clear();
    for candidate in candidates {
        let heads = candidate.interest.heads;
        if !heads.is_empty() && !heads.iter().any(|wanted| head.starts_with(wanted)) {
            continue;
        }
        let want = Want::of(candidate);
        match wants.iter_mut().find(|known| known.subject == want.subject) {
            Some(known) => {
                known.window = known.window.max(want.window);
                known.whole = known.whole.max(want.whole);
                known.stream = known.stream.max(want.stream);
            }
            None => wants.push(want),
        }
    }
    wants.sort_unstable_by_key(|want| want.subject);
}

/// Where a link leads by its words alone; other links on the way are not known here.
pub(crate) fn follow(link: &FsPath, target: &[u8]) -> FsPath {
    match link.parent() {
        Some(folder) if !target.starts_with(b"/") => FsPath::new([folder.as_bytes(), target].join(&b'/')),
        _ => FsPath::new(target),
    }
}

/// Where `place`, which lies below `path`, comes to lie when `path` leads to `led`.
pub(crate) fn below(path: &FsPath, place: &FsPath, led: &FsPath) -> FsPath {
    place.parts().skip(path.parts().count()).fold(led.clone(), |path, name| path.join(name))
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
        Matcher::new(&[Subject::detector(detector(Fake { globs, window, ..Fake::DEFAULT }))]).unwrap()
    }

    fn wants(matcher: &Matcher, path: &[u8]) -> Vec<Want> {
        let (mut candidates, mut wants) = (Vec::new(), Vec::new());
        matcher.candidates(&FsPath::new(path), 100, &mut candidates);
        settle(&candidates, b"", &mut wants);
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
        let matcher = Matcher::new(&[Subject::detector(small), Subject::detector(large)]).unwrap();
        assert_eq!(
            wants(&matcher, b"etc/shadow"),
            [
                Want { subject: 0, window: 5, whole: None, stream: None },
                Want { subject: 1, window: 50, whole: None, stream: None }
            ]
        );
        assert_eq!(
            wants(&matcher, b"usr/shadow"),
            [Want { subject: 1, window: 50, whole: None, stream: None }]
        );
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
            assert_eq!(Vec::from_iter(matcher.redirected_by(&path, None)), expected, "{path}");
            let at_an_interest = matcher.is_wanted(&path);
            assert_eq!(matcher.leads_to_interest(&path), !expected.is_empty() && !at_an_interest, "{path}");
        }
    }

    /// Who wants every file meets what a link leads to where it lies: images have tens of thousands of links.
    #[test]
    fn links_are_not_followed_for_who_wants_every_file() {
        let matcher = matcher(&["**"], 1);
        for (path, target) in
            [("bin", "usr/bin"), ("a/b", "../c/d"), ("x", "/"), ("x", "../../.."), ("x", "gone")]
        {
            let path = FsPath::new(path);
            assert!(!matcher.redirects(&path, target.as_bytes()), "{path} {target}");
        }
        assert!(!matcher.wants_hard_link(&FsPath::new("a"), &FsPath::new("b")));
        assert!(matcher.is_wanted(&FsPath::new("a/b/.c")));
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
        let broken = Subject::detector(detector(Fake { globs: &["a[b"], ..Fake::DEFAULT }));
        let error = Matcher::new(&[broken]).err().unwrap();
        assert!(error.to_string().contains("`a[b`"), "{error}");
    }
}
