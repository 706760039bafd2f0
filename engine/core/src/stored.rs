//! What the operator keeps of an image, as it hands it to whoever may read whole reports, and how it is asked.

use serde::{Deserialize, Serialize};

use crate::ImageFacts;
use crate::lineage::Base;
use crate::package::Inventory;

/// Path of the operator's endpoint, below the service proxy.
pub const PATH: &str = "/v1/report";

/// Header with the reader's token. Not `Authorization`: the API server takes that away from what it passes on.
pub const TOKEN_HEADER: &str = "x-pratique-token";

/// The audience that readers' tokens are made for: such a token is of no use to anybody else.
pub const AUDIENCE: &str = "pratique-reports";

/// All that is known of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReport {
    /// Version of this form, [`StoredReport::SCHEMA`]; raised when a reader of the one before would misread it.
    pub schema: u32,
    /// The name of its ScanReport, if there is one.
    pub name: Option<String>,
    /// References that stand for it on some node, normalised and sorted.
    pub references: Vec<String>,
    /// What was found, and what was missed.
    pub facts: ImageFacts,
    /// What it was built on, if the image is known.
    #[serde(default)]
    pub base: Option<Base>,
    /// What it is made of; none while no agent has said it.
    pub inventory: Option<Inventory>,
}

impl StoredReport {
    /// The version that this release writes and reads.
    pub const SCHEMA: u32 = 1;
}
