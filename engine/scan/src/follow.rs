//! What links of an image lead to, read through its merged view.

use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::FileSystem;
use serde::{Deserialize, Serialize};

use crate::aside::with_threads;
use crate::bounds::GapList;
use crate::root::{Reading, RootReader};
use crate::sealed::{self, InvalidFacts};
use crate::{Engine, FileFacts, Limits, Redirect, Via};

const MARK: [u8; 4] = *b"PqLL";

/// Facts of files that were read through a root, and what of it was not read.
pub struct Followed {
    pub(crate) files: Vec<FollowedFile>,
    pub(crate) gaps: GapList,
}

/// A file that was read through a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FollowedFile {
    /// The layer that brings it, where that is known.
    pub(crate) layer: Option<Digest>,
    /// What was noted of it.
    pub(crate) facts: FileFacts,
}

impl Followed {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { files: Vec::new(), gaps: GapList::new(limits.gaps) }
    }

    /// The facts as bytes; none if something was not read, which may go better the next time.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        self.gaps.is_empty().then(|| sealed::seal(MARK, &self.files))
    }

    /// The facts that [`Followed::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, InvalidFacts> {
        Ok(Self { files: sealed::open(MARK, bytes)?, ..Self::new(limits) })
    }
}

/// Reads what `redirects` lead to through `root`, the merged view of the image in which [`crate::merge`] found them.
pub fn follow(engine: &Engine, redirects: &[Redirect], root: &dyn FileSystem, limits: &Limits) -> Followed {
    let mut followed = Followed::new(limits);
    if let Some(redirect) = redirects.get(limits.redirects) {
        let most = limits.redirects;
        let reason =
            format!("more than {most} links lead to files of interest; from here on they were not followed");
        followed.gaps.push(gap(redirect, GapKind::Limit, reason));
    }
    let reading = Reading { seeks: false, scratch: None, ahead: false };
    with_threads(engine, |scope| {
        let mut reader = RootReader::new(root, engine, limits, reading, &mut followed, scope);
        for redirect in redirects.iter().take(limits.redirects) {
            let mut flow = reader.read_exact(&redirect.path);
            if flow.is_continue() && engine.matcher().is_region(&redirect.path) {
                flow = reader.read_region(&redirect.path);
            }
            if flow.is_break() {
                break;
            }
        }
        reader.finish();
    });
    followed
}

/// Why what a redirect leads to is not known where nobody followed it.
pub(crate) fn unfollowed(redirect: &Redirect) -> Gap {
    let why = match &redirect.via {
        Via::Link(link) => format!("the link {link} leads elsewhere"),
        Via::Layer(layer) => format!("layer {layer} may write it through a link of a lower layer"),
    };
    let reason = format!("{why}, and the image's layers are not at hand to follow it");
    gap(redirect, GapKind::Unreadable, reason)
}

fn gap(redirect: &Redirect, kind: GapKind, reason: String) -> Gap {
    Gap { path: Some(redirect.path.to_string()), ..Gap::of_image(kind, reason) }
}
