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
        let Some(rest) = globs else { return true };
        if !rest.windows(2).any(|stars| stars == b"**") {
            // What is left of the glob speaks of as many parts at the path's end.
            let wanted = memchr::memchr_iter(b'/', rest).count();
            return path.and_then(|path| tail(path, wanted)).is_some_and(|tail| parts(globs, Some(tail)));
        }
        let mut left = path;
        // Slow, were it not for a few globs.
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

/// What of a path has so many slashes at its end, from the beginning of a part on; none if it has fewer.
fn tail(path: &[u8], slashes: usize) -> Option<&[u8]> {
    let mut before = memchr::memrchr_iter(b'/', path);
    match before.nth(slashes) {
        Some(slash) => Some(&path[slash + 1..]),
        None => (memchr::memchr_iter(b'/', path).count() == slashes).then_some(path),
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
            "**/a/*/b?",
            "srv/**/x/*.js",
            "**/x/**/y",
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
            "a/c/b1",
            "z/a/c/b1",
            "a/b1",
            "z/a/c/d/b1",
            "srv/x/a.js",
            "srv/z/x/a.js",
            "srv/x/z/a.js",
            "x/y",
            "x/z/y",
            "z/x/a/b/y",
            "x/y/z",
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
