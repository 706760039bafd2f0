//! Which of several globs a path matches: the walk says that one did, not which.

/// Whether a path relative to the root matches a glob as in [`crate::Interest::globs`], of which this knows `*`, `**`
/// as a whole part, and `?`.
pub(crate) fn matches(glob: &str, path: &[u8]) -> bool {
    parts(&glob.split('/').collect::<Vec<_>>(), &path.split(|byte| *byte == b'/').collect::<Vec<_>>())
}

fn parts(globs: &[&str], names: &[&[u8]]) -> bool {
    match globs {
        [] => names.is_empty(),
        // Two of these in one glob would make this slow; ours have one.
        ["**", rest @ ..] => (0..=names.len()).any(|skipped| parts(rest, &names[skipped..])),
        [glob, rest @ ..] => {
            names.split_first().is_some_and(|(name, names)| one(glob.as_bytes(), name) && parts(rest, names))
        }
    }
}

/// One part: without recursion, back to the last star where it fails.
fn one(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => (g, n) = (g + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (g, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_walks_globs() {
        let globs = [
            "etc/x",
            "etc/*",
            "etc/*.d/*.conf",
            "**/.ssh/authorized_keys*",
            "lib/**/pam_*.so",
            "home/*/.?ashrc",
            "**/*.pth",
        ];
        let paths = [
            "etc/x",
            "etc/xy",
            "etc",
            "etc/x/y",
            "etc/a.d/b.conf",
            "etc/a.d/b.conf.d",
            ".ssh/authorized_keys",
            "root/.ssh/authorized_keys2",
            "home/a/b/.ssh/authorized_keys",
            "lib/pam_a.so",
            "lib/x/y/pam_a.so",
            "lib/x/pam_.sox",
            "home/a/.bashrc",
            "home/a/b/.bashrc",
            "a.pth",
            "x/a.pth",
        ];
        for glob in globs {
            let reference =
                globset::GlobBuilder::new(glob).literal_separator(true).build().unwrap().compile_matcher();
            for path in paths {
                assert_eq!(matches(glob, path.as_bytes()), reference.is_match(path), "{glob} {path}");
            }
        }
    }
}
