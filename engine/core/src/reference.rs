//! Image references, normalised.

/// Placeholder until the parser lands.
pub struct Reference;
