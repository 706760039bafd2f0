//! WordPress: itself (`wp-includes/version.php`), its plugins and themes, by the headers of their main files
//! (<https://developer.wordpress.org/plugins/plugin-basics/header-requirements/>,
//! <https://developer.wordpress.org/themes/basics/main-stylesheet-style-css/>). A plugin or theme is called as its folder is.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: WordPress = WordPress;

pub(super) struct WordPress;

/// What WordPress itself reads of a file, in bytes.
const HEADER: usize = 8 << 10;

impl Parser for WordPress {
    fn id(&self) -> &'static str {
        "wordpress"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &[
                    "**/wp-includes/version.php",
                    "**/wp-content/plugins/*.php",
                    "**/wp-content/plugins/*/*.php",
                    "**/wp-content/mu-plugins/*.php",
                    "**/wp-content/themes/*/style.css",
                ],
                HEADER,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let text = String::from_utf8_lossy(&file.bytes[..file.bytes.len().min(HEADER)]);
        let package = match path.rsplit('/').collect::<Vec<_>>()[..] {
            ["version.php", "wp-includes", ..] => core(&text),
            ["style.css", folder, "themes", ..] => extension(&text, "Theme Name", folder, "theme"),
            [_, folder, "plugins", ..] => extension(&text, "Plugin Name", folder, "plugin"),
            [name, ..] => extension(&text, "Plugin Name", name.trim_end_matches(".php"), "plugin"),
            [] => None,
        };
        Parsed { records: package.map(Record::from).into_iter().collect(), problems: Vec::new() }
    }
}

/// `$wp_version = '6.4.3';`
fn core(text: &str) -> Option<Package> {
    let line = text.lines().find_map(|line| line.strip_prefix("$wp_version"))?;
    let version = line.split(['\'', '"']).nth(1).filter(|version| !version.is_empty())?;
    Some(Package::new(Ecosystem::Generic, "wordpress", version))
}

fn extension(text: &str, title: &str, folder: &str, kind: &str) -> Option<Package> {
    header(text, title)?;
    let mut package = Package::new(Ecosystem::WordPress, folder, header(text, "Version")?);
    package.licenses.extend(header(text, "License").map(str::to_owned));
    package.attributes.insert("kind".to_owned(), kind.to_owned());
    Some(package)
}

/// ` * Version: 1.2.3`: behind marks of comments, as WordPress reads it.
fn header<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let line = line.trim_start_matches("<?php").trim_start_matches([' ', '\t', '/', '*', '#', '@']);
        let value = line
            .get(..field.len())
            .filter(|start| start.eq_ignore_ascii_case(field))
            .map(|_| &line[field.len()..])?;
        let value = value.trim_start().strip_prefix(':')?.trim().trim_end_matches("*/").trim_end();
        Some(value).filter(|value| !value.is_empty())
    })
}
