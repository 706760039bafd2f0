//! Where images and roots come from: how they are named, opened and listed.
//!
//! Everything here blocks. Sources that speak with a daemon or a registry run a small runtime of their own inside, so
//! neither [`open`] nor dropping an [`OpenImage`] belongs on an asynchronous task.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pratique_core::Gap;
use pratique_core::facts::Platform;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::archive::{self, ArchiveIndex};
use crate::oci::{ImageManifest, host_platform};
use crate::registry::{Registries, RegistryOptions};
use crate::{Check, Error, FileSystem, FolderFs, Layer, Limits, Result, SingleFile};
use crate::{containerd, containers_storage, docker};

/// An image, opened: what its documents say, and its layers for the walk to read.
pub struct OpenImage {
    /// What it is.
    pub manifest: ImageManifest,
    /// References it is known by, as the source writes them.
    pub names: Vec<String>,
    /// One for each layer of the manifest, base first, none read yet. One that cannot be read is here too
    /// ([`crate::layer::UnreadableLayer`]) and says why when it is visited.
    pub layers: Vec<Box<dyn Layer>>,
    /// What cannot be read beyond single layers.
    pub gaps: Vec<Gap>,
    /// Where its layers are read, if its source has more than one way; in words for people, else empty.
    pub via: String,
    /// What keeps the layers from being collected meanwhile: dropped with the image.
    pub hold: Option<Box<dyn Any + Send>>,
}

impl OpenImage {
    /// An image that nothing has to be held for.
    pub fn new(manifest: ImageManifest, names: Vec<String>, layers: Vec<Box<dyn Layer>>) -> Self {
        Self { manifest, names, layers, gaps: Vec::new(), via: String::new(), hold: None }
    }
}

/// What a source has opened.
pub enum Opened {
    /// An image of layers.
    Image(Box<OpenImage>),
    /// A root without layers: a folder, or one file alone in a root.
    Root {
        /// Its files.
        filesystem: Box<dyn FileSystem>,
        /// What it is known by: its path as it was given.
        name: String,
    },
}

/// What was opened, and where it was found.
pub struct Source {
    /// What was asked for, with the source that has it.
    pub reference: SourceRef,
    /// What was opened.
    pub opened: Opened,
    /// Sources that were asked before, and what each said.
    pub passed_over: Vec<PassedOver>,
}

/// A source that does not have what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The source.
    pub kind: SourceKind,
    /// What it said.
    pub reason: String,
}

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// One file alone in a root: a program, a package, an archive of packages.
    File,
    /// A folder as a root.
    Folder,
    /// containerd.
    Containerd,
    /// A Docker Engine.
    Docker,
    /// The storage of Podman, Buildah and CRI-O.
    ContainersStorage,
    /// A tar that `docker save` wrote.
    DockerArchive,
    /// A tar of an OCI layout.
    OciArchive,
    /// A folder with an OCI layout.
    OciFolder,
    /// A registry.
    Registry,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::File,
        Self::Folder,
        Self::Containerd,
        Self::Docker,
        Self::ContainersStorage,
        Self::DockerArchive,
        Self::OciArchive,
        Self::OciFolder,
        Self::Registry,
    ];

    /// What stands before the colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "dir",
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::ContainersStorage => "containers-storage",
            Self::DockerArchive => "docker-archive",
            Self::OciArchive => "oci-archive",
            Self::OciFolder => "oci",
            Self::Registry => "registry",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.prefix())
    }
}

/// What people type to name something to scan: `nginx:1.27`, `docker:nginx`, `containerd://k8s.io/nginx`,
/// `oci-archive:image.tar`, `dir:/srv/root`…
///
/// The first part is a source if it is the prefix of one ([`SourceKind::prefix`]). An image that is called like a
/// prefix needs one in front of it: `registry:registry:2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRef {
    /// The source; none: whichever has it, see [`open`].
    pub kind: Option<SourceKind>,
    /// What is asked of it: a reference, a path.
    pub target: String,
}

impl SourceRef {
    /// Reads a reference; an error says what is missing.
    pub fn parse(text: &str) -> Result<Self> {
        let (kind, target) = match text.split_once(':') {
            Some((prefix, rest)) => match SourceKind::ALL.into_iter().find(|kind| kind.prefix() == prefix) {
                Some(kind) => (Some(kind), rest),
                None => (None, text),
            },
            None => (None, text),
        };
        if target.is_empty() {
            let what = kind.map_or("an image, a path or `PREFIX:…`".to_owned(), |kind| {
                format!("what follows the colon, such as `{kind}:NAME`")
            });
            return Err(Error::Malformed {
                what: format!("the reference `{text}`"),
                reason: format!("it lacks {what}"),
            });
        }
        Ok(Self { kind, target: target.to_owned() })
    }
}

impl FromStr for SourceRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.target),
            None => f.write_str(&self.target),
        }
    }
}

/// What sources need to know. [`SourceOptions::default`] looks at no environment.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// The image that is wanted of an index for several platforms.
    pub platform: Platform,
    /// How much of a layer is read.
    pub limits: Limits,
    /// How much of it is checked, of archives (a Docker Engine's exports too), layouts and registries; the others always
    /// check all that they can.
    pub check: Check,
    /// The folder for unlinked temporary files: archives that are compressed or come from a pipe, exports of a daemon.
    pub temporary: PathBuf,
    /// Sockets of containerd, in the order in which they are tried.
    pub containerd_sockets: Vec<PathBuf>,
    /// Address of the Docker Engine, `unix://…`.
    pub docker_host: String,
    /// Storage folders of Podman, Buildah and CRI-O (`graphroot`), in the order in which they are searched.
    pub storage_folders: Vec<PathBuf>,
    /// How registries are reached; platform and limits are those above.
    pub registry: RegistryOptions,
    /// Ask no registry.
    pub offline: bool,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            platform: host_platform(),
            limits: Limits::default(),
            check: Check::default(),
            temporary: std::env::temp_dir(),
            containerd_sockets: vec![
                "/run/containerd/containerd.sock".into(),
                "/run/docker/containerd/containerd.sock".into(),
                "/run/k3s/containerd/containerd.sock".into(),
            ],
            docker_host: "unix:///var/run/docker.sock".to_owned(),
            storage_folders: vec!["/var/lib/containers/storage".into()],
            registry: RegistryOptions::default(),
            offline: false,
        }
    }
}

impl SourceOptions {
    /// The options that the environment asks for: `TMPDIR`, `CONTAINERD_ADDRESS`, `DOCKER_HOST`, storage.conf (the
    /// system's, the user's, or what `CONTAINERS_STORAGE_CONF` names), and the user's logins and proxies for registries.
    ///
    /// # Errors
    /// A storage.conf that cannot be understood.
    pub fn from_environment() -> Result<Self> {
        let mut options = Self { registry: RegistryOptions::of_user(), ..Self::default() };
        if let Some(address) = std::env::var_os("CONTAINERD_ADDRESS").filter(|address| !address.is_empty()) {
            options.containerd_sockets = vec![address.into()];
        }
        if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
            options.docker_host = host;
        }
        options.storage_folders = containers_storage::folders_of_environment()?;
        Ok(options)
    }
}

/// The order in which a reference without a prefix is looked for that is no path.
const ORDER: [SourceKind; 4] =
    [SourceKind::Containerd, SourceKind::Docker, SourceKind::ContainersStorage, SourceKind::Registry];

/// Opens what a reference means. Without a prefix the first source that has it is taken: a file (an archive of images is
/// one of images), a folder (with an OCI layout likewise), containerd, docker, containers-storage, registry. A path that
/// exists is a path, whatever images there are. The errors of the source that has it are final; only a source that does not have it, or that
/// is not on this machine, is passed over. If none has it, the error says what each said.
pub fn open(reference: &SourceRef, options: &SourceOptions) -> Result<Source> {
    let found;
    let kinds = match &reference.kind {
        Some(kind) => std::slice::from_ref(kind),
        None => match kind_of_path(&reference.target, options) {
            Some(kind) => {
                found = kind;
                std::slice::from_ref(&found)
            }
            None => &ORDER[..],
        },
    };
    let mut passed_over = Vec::new();
    for &kind in kinds {
        let taken = SourceRef { kind: Some(kind), target: reference.target.clone() };
        match open_one(kind, &reference.target, options) {
            Ok(opened) => return Ok(Source { reference: taken, opened, passed_over }),
            Err(error) if kinds.len() > 1 && (error.is_absence() || kind == SourceKind::Registry) => {
                passed_over.push(PassedOver { kind, reason: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    Err(no_source(&reference.target, &passed_over))
}

/// The error that says what each source said.
pub(crate) fn no_source(query: &str, passed_over: &[PassedOver]) -> Error {
    let said = passed_over.iter().map(|asked| format!("\n  {}: {}", asked.kind, asked.reason)).collect();
    Error::NoSource { query: query.to_owned(), said }
}

fn open_one(kind: SourceKind, target: &str, options: &SourceOptions) -> Result<Opened> {
    match kind {
        SourceKind::File => open_file(target),
        SourceKind::Folder => open_folder(target, options),
        SourceKind::DockerArchive => archive::open_docker_archive(target, options),
        SourceKind::OciArchive => archive::open_oci_archive(target, options),
        SourceKind::OciFolder => archive::open_oci_folder(target, options),
        SourceKind::Registry => open_registry(target, options),
        SourceKind::Containerd => containerd::open(target, options),
        SourceKind::ContainersStorage => containers_storage::open(target, options),
        SourceKind::Docker => docker::open(target, options),
    }
}

fn open_registry(target: &str, options: &SourceOptions) -> Result<Opened> {
    if options.offline {
        return Err(Error::NotHere {
            source_name: "a registry".to_owned(),
            reason: "only what is on this machine is wanted (offline)".to_owned(),
        });
    }
    let reference = target.parse().map_err(|error: pratique_core::reference::InvalidReference| {
        Error::NoMatch { query: target.to_owned(), hint: format!(": {error}") }
    })?;
    Ok(Opened::Image(Box::new(Registries::new(options)?.open(&reference)?)))
}

fn open_file(target: &str) -> Result<Opened> {
    let filesystem = Box::new(SingleFile::open(Path::new(target))?);
    Ok(Opened::Root { filesystem, name: target.to_owned() })
}

fn open_folder(target: &str, options: &SourceOptions) -> Result<Opened> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder =
        openat(CWD, target, flags, Mode::empty()).map_err(|error| Error::io(target, error.into()))?;
    let filesystem = Box::new(FolderFs::new(folder, options.limits));
    Ok(Opened::Root { filesystem, name: target.to_owned() })
}

/// What a path without a prefix is: the kind of its content; none if it leads to nothing.
fn kind_of_path(target: &str, options: &SourceOptions) -> Option<SourceKind> {
    let Ok((path, query)) = archive::split_path(target) else { return None };
    let metadata = std::fs::metadata(&path);
    if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
        let is_layout = path.join("oci-layout").is_file() && path.join("index.json").is_file();
        return if is_layout {
            Some(SourceKind::OciFolder)
        } else {
            query.is_none().then_some(SourceKind::Folder)
        };
    }
    // A name such as `nginx:1.27` beside a file called `nginx` is the image's.
    let is_tar = metadata.is_ok_and(|metadata| metadata.is_file()) && archive::is_tar(&path);
    let index = is_tar.then(|| ArchiveIndex::open(&path, &options.temporary, options.limits).ok()).flatten();
    match index.as_ref().and_then(archive::kind) {
        Some(archive::ArchiveKind::Docker) => Some(SourceKind::DockerArchive),
        Some(archive::ArchiveKind::Oci) => Some(SourceKind::OciArchive),
        None => query.is_none().then_some(SourceKind::File),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_names_the_source_and_anything_else_is_part_of_the_name() {
        use SourceKind::{Containerd, ContainersStorage, Docker, OciFolder, Registry};
        for (text, kind, target) in [
            ("nginx", None, "nginx"),
            ("nginx:1.27", None, "nginx:1.27"),
            ("localhost:5000/web", None, "localhost:5000/web"),
            ("docker.io/library/nginx", None, "docker.io/library/nginx"),
            ("docker:nginx:1.27", Some(Docker), "nginx:1.27"),
            ("containerd://k8s.io/nginx:1", Some(Containerd), "//k8s.io/nginx:1"),
            ("containers-storage:nginx", Some(ContainersStorage), "nginx"),
            ("oci:folder:tag", Some(OciFolder), "folder:tag"),
            ("registry:registry:2", Some(Registry), "registry:2"),
            ("./docker:x", None, "./docker:x"),
            ("-", None, "-"),
        ] {
            let parsed = SourceRef::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((parsed.kind, parsed.target.as_str()), (kind, target), "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn a_reference_to_nothing_says_what_is_missing() {
        for (text, missing) in [("", "PREFIX"), ("docker:", "docker:NAME")] {
            let error = SourceRef::parse(text).expect_err(text).to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
