//! The user's own rules: from files, from folders, and from artifacts of registries.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use pratique_core::{RuleFile, RuleKind};
use pratique_detect::{HashList, SecretRules, YaraRules};
use pratique_fs::SourceOptions;
use pratique_registry::{Artifact, ArtifactAddress, Client, read_rules};

use crate::exit::{Code, Fail, Failure};
use crate::files;

/// Folders in folders.
const MAX_DEPTH: usize = 16;
/// Bytes of a file of YARA rules, more than all of them together may have; and of an artifact's files.
const MAX_BYTES: u64 = 64 << 20;

/// Reads rules from wherever options say they are. A broken file is wrong usage; an artifact that cannot be had is a
/// [source](Code::Source) that is not there.
pub(crate) struct Reader<'a>(pub(crate) &'a SourceOptions);

impl Reader<'_> {
    /// The compiled rules of these files, of the `.yar` and `.yara` files in these folders and the folders in them, and of
    /// these artifacts.
    ///
    /// # Errors
    /// A path cannot be read, a folder has no rules, or one of them has an error, which is named with its file and line.
    pub(crate) fn yara(&self, places: &[PathBuf]) -> Result<YaraRules, Failure> {
        let mut sources = Vec::new();
        for place in places {
            match self.artifact(place, RuleKind::Yara, "YARA rules")? {
                Some(files) => sources.extend(files.into_iter().map(|file| (file.name, file.content))),
                None => add_yara(place, &mut sources).fail(Code::Usage)?,
            }
        }
        YaraRules::compile(&sources).context("YARA rules").fail(Code::Usage)
    }

    /// Lists of checksums, called by their files' names.
    ///
    /// # Errors
    /// One cannot be read, or has a line that is no checksum.
    pub(crate) fn hash_lists(&self, places: &[PathBuf]) -> Result<Vec<HashList>, Failure> {
        let mut lists = Vec::new();
        for place in places {
            self.each(place, RuleKind::Hashes, "hash list", |name, source| {
                let short = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
                lists.push(HashList::read(short, source)?);
                Ok(())
            })?;
        }
        Ok(lists)
    }

    /// Rules for secrets.
    ///
    /// # Errors
    /// A file cannot be read, or is wrong.
    pub(crate) fn secrets(&self, places: &[PathBuf]) -> Result<SecretRules, Failure> {
        let mut rules = SecretRules::default();
        for place in places {
            self.each(place, RuleKind::Secrets, "secret rules", |name, source| Ok(rules.add(name, source)?))?;
        }
        Ok(rules)
    }

    /// Words of dictionaries, one a line.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn words(&self, place: &Path) -> Result<Vec<String>, Failure> {
        let mut words = Vec::new();
        self.each(place, RuleKind::Dictionary, "dictionary", |_, source| {
            let mut bytes = Vec::new();
            source.read_to_end(&mut bytes)?;
            let text = String::from_utf8_lossy(&bytes);
            words.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            Ok(())
        })?;
        Ok(words)
    }

    /// Reads the file, or each of the artifact's files of this kind. Errors call it `what` and its name.
    fn each(
        &self,
        place: &Path,
        kind: RuleKind,
        what: &str,
        mut read: impl FnMut(&str, &mut dyn BufRead) -> anyhow::Result<()>,
    ) -> Result<(), Failure> {
        let mut named = |name: &str, source: &mut dyn BufRead| {
            read(name, source).with_context(|| format!("{what} {name}")).fail(Code::Usage)
        };
        match self.artifact(place, kind, what)? {
            Some(files) => files.iter().try_for_each(|file| named(&file.name, &mut file.content.as_slice())),
            None => {
                let shown = place.display().to_string();
                let file = File::open(place).with_context(|| format!("{what} {shown}")).fail(Code::Usage)?;
                named(&shown, &mut BufReader::new(file))
            }
        }
    }

    /// The files of a kind of an artifact, if that is what a place is.
    fn artifact(&self, place: &Path, kind: RuleKind, what: &str) -> Result<Option<Vec<RuleFile>>, Failure> {
        let Some(address) = place.to_str().and_then(ArtifactAddress::parse) else { return Ok(None) };
        let address = address.map_err(|reason| anyhow!("{what} {reason}")).fail(Code::Usage)?;
        if self.0.offline {
            let reason =
                "a registry would be asked, and --offline is set; fetch the files ahead, and name them";
            return Err(anyhow!("{what} {address}: {reason}")).fail(Code::Usage);
        }
        let client = Client::new(self.0.registry.clone()).fail(Code::Usage)?;
        let files = Artifact::open(&address, Arc::new(client))
            .and_then(|artifact| read_rules(&artifact, Some(kind), MAX_BYTES))
            .with_context(|| format!("{what} {address}"))
            .fail(Code::Source)?;
        let named = |file: RuleFile| RuleFile { name: format!("{address}/{}", file.name), ..file };
        Ok(Some(files.into_iter().map(named).collect()))
    }
}

/// Adds the sources of a file, or of a folder.
fn add_yara(place: &Path, sources: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    let mut files = Vec::new();
    if place.is_dir() {
        collect(place, 0, &mut files)?;
        ensure!(!files.is_empty(), "YARA rules {}: no .yar or .yara file is in it", place.display());
    } else {
        files.push(place.to_owned());
    }
    for path in files {
        let content = files::read(&path, &format!("YARA rules {}", path.display()), MAX_BYTES)?;
        sources.push((path.display().to_string(), content));
    }
    Ok(())
}

/// In the order of their names. Links to folders are not followed.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let named = || format!("YARA rules {}", folder.display());
    ensure!(depth < MAX_DEPTH, "{}: it is deeper than {MAX_DEPTH} folders", named());
    let entries = fs::read_dir(folder).with_context(named)?.collect::<Result<Vec<_>, _>>();
    let mut entries = entries.with_context(named)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(named)?.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yar" || extension == "yara") {
            files.push(path);
        }
    }
    Ok(())
}
