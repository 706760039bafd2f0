//! Programs that fetch files, and where they leave them.

use super::plain::Plain;

const FETCHERS: [&str; 15] = [
    "curl",
    "wget",
    "wget2",
    "fetch",
    "aria2c",
    "axel",
    "http",
    "https",
    "xh",
    "GET",
    "lwp-request",
    "lwp-download",
    "lynx",
    "ftpget",
    "tftp",
];

/// Whether a command fetches something from the network.
pub(super) fn fetches(plain: &Plain<'_>) -> bool {
    FETCHERS.contains(&plain.name.as_str())
}

/// How a program is told where a file goes: letters of options that take a value, of these the one that names the file and
/// the one that names its folder, and the letter that says that it keeps the name it has.
struct Options {
    with_value: &'static str,
    file: char,
    folder: Option<char>,
    keeps_name: Option<char>,
    long_file: &'static [&'static str],
    long_folder: &'static [&'static str],
}

const CURL: Options = Options {
    with_value: "AbcCdDeEFHKmoPQrtTuUwxXyYz",
    file: 'o',
    folder: None,
    keeps_name: Some('O'),
    long_file: &["--output"],
    long_folder: &["--output-dir"],
};
const WGET: Options = Options {
    with_value: "aABDeiIloOPQRtTUwX",
    file: 'O',
    folder: Some('P'),
    keeps_name: None,
    long_file: &["--output-document"],
    long_folder: &["--directory-prefix"],
};
const ARIA2C: Options = Options {
    with_value: "dijklmoptxTUMSR",
    file: 'o',
    folder: Some('d'),
    keeps_name: None,
    long_file: &["--out"],
    long_folder: &["--dir"],
};

/// The files that a command fetches, by the names that it gives them.
pub(super) fn files(plain: &Plain<'_>) -> Vec<String> {
    let options = match plain.name.as_str() {
        "curl" => CURL,
        "wget" | "wget2" => WGET,
        "aria2c" => ARIA2C,
        _ => return Vec::new(),
    };
    let (mut files, mut folder, mut operands) = (Vec::new(), None, Vec::new());
    let mut keeps_name = options.keeps_name.is_none();
    let mut words = plain.arguments.iter().map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        if word.starts_with("--") {
            let (name, own) = word.split_once('=').map_or((word, None), |(name, own)| (name, Some(own)));
            keeps_name |= matches!(name, "--remote-name" | "--remote-name-all");
            if options.long_file.contains(&name) {
                files.extend(own.or_else(|| words.next()));
            } else if options.long_folder.contains(&name) {
                folder = own.or_else(|| words.next());
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let end = letters.find(|letter| options.with_value.contains(letter)).unwrap_or(letters.len());
            keeps_name |= options.keeps_name.is_some_and(|letter| letters[..end].contains(letter));
            let Some(letter) = letters[end..].chars().next() else { continue };
            let own = &letters[end + letter.len_utf8()..];
            let value = if own.is_empty() { words.next() } else { Some(own) };
            if letter == options.file {
                files.extend(value);
            } else if options.folder == Some(letter) {
                folder = value;
            }
        } else {
            operands.push(word);
        }
    }
    let redirected = plain.command.redirections.iter().map(|word| word.text.as_str());
    files.extend(redirected.filter(|target| !target.starts_with("/dev/") && target.parse::<u32>().is_err()));
    if files.is_empty() && keeps_name {
        let name = |operand: &&str| operand.contains('/');
        files
            .extend(operands.iter().filter(|operand| name(operand)).filter_map(|url| url.rsplit('/').next()));
    }
    // `-` is its output.
    files.retain(|file| !matches!(*file, "" | "-") && !file.contains("://"));
    files.iter().map(|file| file.to_owned()).flat_map(|file| in_folder(file, folder)).collect()
}

/// By its name alone, too, if it is put into a folder: whoever runs it may be there.
fn in_folder(file: &str, folder: Option<&str>) -> Vec<String> {
    let whole = folder.map(|folder| format!("{}/{file}", folder.trim_end_matches('/')));
    std::iter::once(file.to_owned()).chain(whole).collect()
}
