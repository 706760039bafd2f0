//! Names of ScanReports. They are for people and never a key: the image is, and which name it got is read back from the
//! objects, by every replica.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use pratique_core::Digest;

/// On a ScanReport: the image (config digest) it is about.
pub const IMAGE_ANNOTATION: &str = "pratique.dev/image";

#[derive(Debug, Default)]
struct Names {
    by_image: HashMap<Digest, String>,
    by_name: HashMap<String, Digest>,
}

/// Image to the name of its ScanReport. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct ReportNames(Arc<RwLock<Names>>);

impl ReportNames {
    /// The name of an image's report, if there is one.
    pub fn get(&self, image: &Digest) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_image.get(image).cloned()
    }

    /// The image that the report of this name is about.
    pub fn image(&self, name: &str) -> Option<Digest> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_name.get(name).cloned()
    }

    /// All images that have a report.
    pub fn images(&self) -> Vec<Digest> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_image.keys().cloned().collect()
    }

    /// The name for an image's report: the one it has, else `short_name` and as many digits as make it unique, at
    /// least 12.
    pub fn choose(&self, image: &Digest, short_name: &str) -> String {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.by_image.get(image) {
            return name.clone();
        }
        let hex = image.hex();
        (12..=hex.len())
            .map(|digits| format!("{short_name}-{}", &hex[..digits]))
            .find(|name| names.by_name.get(name).is_none_or(|other| other == image))
            .unwrap_or_else(|| hex.to_owned())
    }

    /// A report was seen.
    pub fn apply(&self, image: Digest, name: String) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = names.by_image.insert(image.clone(), name.clone())
            && old != name
        {
            names.by_name.remove(&old);
        }
        names.by_name.insert(name, image);
    }

    /// All reports were listed: others are gone.
    pub fn retain(&self, listed: &[String]) {
        let listed: HashSet<&String> = listed.iter().collect();
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        names.by_image.retain(|_, name| listed.contains(name));
        names.by_name.retain(|name, _| listed.contains(name));
    }

    /// A report is gone.
    pub fn remove(&self, name: &str) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = names.by_name.remove(name)
            && names.by_image.get(&image).is_some_and(|known| known == name)
        {
            names.by_image.remove(&image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_given_and_grows_on_collision() {
        let names = ReportNames::default();
        let image = Digest::sha256([0xab; 32]);
        let mut sum = [0xab; 32];
        sum[31] = 0;
        let twin = Digest::sha256(sum);
        let name = names.choose(&image, "web");
        assert_eq!(name, "web-abababababab");
        names.apply(image.clone(), name.clone());
        assert_eq!(names.choose(&image, "shop"), name, "whatever it is called later");
        let other = names.choose(&twin, "web");
        assert_eq!(other, "web-ababababababa");
        names.apply(twin.clone(), other.clone());
        assert_eq!(names.get(&twin), Some(other));

        names.remove(&name);
        assert_eq!(names.get(&image), None);
        assert_eq!(names.choose(&image, "shop"), "shop-abababababab");
    }
}
