//! Names in layers that say what is gone
//! (<https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>).

use crate::FsPath;

/// What a name says beside naming a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Nothing.
    None,
    /// It is a union file system's own.
    Ignored,
    /// It names nothing that could be gone.
    Wrong,
    /// This folder hides what lies below it.
    Opaque(FsPath),
    /// This path is gone.
    Whiteout(FsPath),
}

impl Marker {
    pub(crate) fn of(path: &FsPath) -> Self {
        let Some(name) = path.name().and_then(|name| name.strip_prefix(b".wh.")) else { return Self::None };
        let folder = path.parent().unwrap_or_default();
        match name {
            b".wh..opq" => Self::Opaque(folder),
            b"" | b"." | b".." => Self::Wrong,
            name if name.starts_with(b".wh.") => Self::Ignored,
            name => Self::Whiteout(folder.join(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_gone() {
        let path = FsPath::new;
        for (name, marker) in [
            ("a/b", Marker::None),
            ("a/.wh", Marker::None),
            ("a/.wh.b", Marker::Whiteout(path("a/b"))),
            (".wh.b", Marker::Whiteout(path("b"))),
            ("a/.wh..wh..opq", Marker::Opaque(path("a"))),
            ("a/.wh..wh.plnk", Marker::Ignored),
            ("a/.wh.", Marker::Wrong),
            ("a/.wh...", Marker::Wrong),
        ] {
            assert_eq!(Marker::of(&path(name)), marker, "{name}");
        }
    }
}
