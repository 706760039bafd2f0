//! Secrets that programs bring for their own tests and examples: everybody has them. They are known by what they are, not by
//! where they lie.

/// SHA-256 of the secret, cut to half as in what is noted of it, and who publishes it.
const PUBLISHED: &[(&str, &str)] = &[
    ("67153216753676a99069a64f0986ef70", "Netty, to try what OpenSSL can"),
    ("577cfe66bf6c95ddd0aa06c4ac4fc36f", "Amazon, in the documentation of DataSync"),
    ("45a87856c0d470a0c8b4f725e7024bf3", "Amazon, in the examples of its SDK"),
    ("1314a52039d7ab429e5068ec6079d295", "Amazon, in the examples of its SDK"),
    ("79d571b6c0c11df36b4fc38c42055ffb", "Amazon, in the examples of its SDK"),
    ("d8234958cc1b634bcbd91298f50fbc38", "Tornado, for its tests"),
    ("abadd885ac40e11fbbcd213f2e61211e", "Ansible's collection google.cloud, in its examples"),
    ("56cfbc61b5dda6dc2530f191d56e38dd", "Ansible's collection netapp.storagegrid, in its examples"),
    ("d5b60ca6f15dfc94c8b8c95d98f8781b", "Ansible's collection community.zabbix, for its tests"),
    ("236de7d90aea0b3d6a5e47f39538ab2a", "Ansible's collection azure.azcollection, in its examples"),
    ("e7b10d337a6ee0682cca7ff5f41a1ec8", "selfsigned of npm, in its description"),
    ("1448c6081673abe95874f29d405f01a6", "selfsigned of npm, in its description"),
    ("3256fb683a8e935c068b38bbd7498bd5", "selfsigned of npm, in its description"),
    ("13fe7a38a57c46053ee3a4716358619f", "Kubernetes, in its documentation"),
    ("28d296be3bf525f09d97eb59dee8b3fd", "Kubernetes, in its documentation"),
    ("a95c3cc2e3e2c66c96e00ddc5a72590a", "Kubernetes, in its documentation"),
    ("d9c3482af2ba6590401884b4e15dea6d", "Cisco, in the documentation of Meraki's API"),
    ("d3820dd84ae8359fbca02a51354ab3c9", "Ansible's collection grafana.grafana, in its examples"),
    #[cfg(test)]
    ("cb2439364903b6fadcedc904bbb8c83b", "Pratique, for its tests"),
];

/// Who publishes the secret with this digest.
pub(super) fn publisher(digest: &str) -> Option<&'static str> {
    PUBLISHED.iter().find(|(known, _)| *known == digest).map(|(_, who)| *who)
}
