//! Reads an image's description, and makes the binary files that it asks for.

use pratique_testkit::zip_archive;

/// A part of an image's description.
pub(crate) enum Piece {
    /// The layers before are done.
    Layer,
    /// A file with its content.
    File(String, Vec<u8>),
    /// An ecosystem, and a record of it.
    Advisory(String, String),
}

/// The parts of a description; lines before the first are comments.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut parts: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("==> ") {
            Some(title) => parts.push((title, String::new())),
            None => {
                if let Some((_, content)) = parts.last_mut() {
                    content.push_str(line);
                    content.push('\n');
                }
            }
        }
    }
    let piece = |(title, content): (&str, String)| match title.split_once(' ') {
        Some(("go", path)) => Piece::File(path.to_owned(), go_program(&content)),
        Some(("jar", path)) => Piece::File(path.to_owned(), jar(&content)),
        Some(("advisory", ecosystem)) => Piece::Advisory(ecosystem.to_owned(), content),
        None if title == "layer" => Piece::Layer,
        _ => Piece::File(title.to_owned(), content.into_bytes()),
    };
    parts.into_iter().map(piece).collect()
}

/// An ELF program with Go's build information and nothing else (<https://pkg.go.dev/debug/buildinfo>).
fn go_program(content: &str) -> Vec<u8> {
    const DATA: u64 = 0x1000;
    let (version, modules) = content.split_once('\n').expect("a version of Go");
    let sentinel = "0w/0w/0w/0w/0w/0";
    let modules = format!("{sentinel}{modules}{sentinel}");
    let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
    data.resize(32, 0);
    for text in [version, &modules] {
        let mut length = text.len();
        while length >= 0x80 {
            data.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        data.push(length as u8);
        data.extend_from_slice(text.as_bytes());
    }
    // No program that Go links is smaller.
    data.resize(512 << 10, 0);
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    let half = |program: &mut Vec<u8>, values: &[u16]| {
        values.iter().for_each(|value| program.extend_from_slice(&value.to_le_bytes()));
    };
    let word = |program: &mut Vec<u8>, values: &[u32]| {
        values.iter().for_each(|value| program.extend_from_slice(&value.to_le_bytes()));
    };
    let long = |program: &mut Vec<u8>, values: &[u64]| {
        values.iter().for_each(|value| program.extend_from_slice(&value.to_le_bytes()));
    };
    // An executable for x86-64 with one program header and no sections.
    half(&mut program, &[2, 62]);
    word(&mut program, &[1]);
    long(&mut program, &[0, 64, 0]);
    word(&mut program, &[0]);
    half(&mut program, &[64, 56, 1, 64, 0, 0]);
    // Loaded, readable and writable.
    let size = data.len() as u64;
    word(&mut program, &[1, 6]);
    long(&mut program, &[DATA, 0x40_0000, 0x40_0000, size, size, 0x1000]);
    program.resize(DATA as usize, 0);
    program.extend_from_slice(&data);
    program
}

/// A Java archive that names the Maven packages in it as Maven does.
fn jar(content: &str) -> Vec<u8> {
    let mut files = vec![("META-INF/MANIFEST.MF".to_owned(), "Manifest-Version: 1.0\r\n\r\n".to_owned())];
    for line in content.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.split(':');
        let mut part = || parts.next().expect("group:artifact:version");
        let (group, artifact, version) = (part(), part(), part());
        files.push((
            format!("META-INF/maven/{group}/{artifact}/pom.properties"),
            format!("version={version}\ngroupId={group}\nartifactId={artifact}\n"),
        ));
    }
    files.push(("A.class".to_owned(), "class".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    zip_archive(&files)
}
