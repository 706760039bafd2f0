//! Writes the YAML of all CustomResourceDefinitions into each folder given: `crdgen crds/yaml charts/pratique/crds`.

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let folders: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    if folders.is_empty() {
        bail!("name at least one folder, as in: crdgen crds/yaml charts/pratique/crds");
    }
    let files = pratique_crds::generate::files().context("a definition cannot be written as YAML")?;
    for folder in folders {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, yaml) in &files {
            let path = folder.join(name);
            std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
