//! Which of several globs a path matches: the walk says that one did, not which.

/// Whether a path relative to the root matches a glob as in [`crate::Interest::globs`], of which this knows `*`, `**`
/// as a whole part, and `?`.
pub(crate) fn matches(glob: &str, path: &[u8]) -> bool {
    parts(Some(glob.as_bytes()), Some(path))
}

/// The same of what is left of a glob and a path, if any of them is.
fn parts(glob: Option<&[u8]>, path: Option<&[u8]>) -> bool {
    let Some(glob) = glob else { return path.is_none() };
    let (part, globs) = split(glob);
    if part == b"**" {
        let mut left = path;
        // Two of these in one glob would make this slow; ours have one.
        while !parts(globs, left) {
            let Some(path) = left else { return false };
            left = split(path).1;
        }
        return true;
    }
    let Some(path) = path else { return false };
    let (name, names) = split(path);
    one(part, name) && parts(globs, names)
}

/// The first part, and what is behind its slash.
fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'/', path) {
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => (path, None),
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
            "opt/**",
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
            "opt/a",
            "opt/a/b",
            "opt//b",
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
