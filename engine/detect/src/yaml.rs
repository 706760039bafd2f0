//! YAML of others, within bounds.

/// How much of it is read: 100,000 nodes, and what aliases repeat. Errors quote nothing of the text.
pub(crate) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_anchors: 100,
            max_aliases: 100,
            max_recorded_anchor_events: 10_000,
        },
        with_snippet: false,
    }
}
