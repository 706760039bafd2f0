//! Secrets that the name before them tells, and the shape that this name's have.

use pratique_core::Severity;

use super::checks::{is_encoded_key, is_login, is_own_password};
use super::shapes::{CODE, KEY, LOGIN, Shape};

/// docs.npmjs.com, npmrc.
pub(super) const NPM_TOKEN: Shape = Shape {
    id: "npm-login",
    what: "login of an npm registry",
    literals: &["_authToken"],
    pattern: "_authToken\\s{0,4}=\\s{0,4}\"?([^\\s\"'$<>{}\\x00-\\x20]{24,300})",
    ..LOGIN
};

/// docs.npmjs.com, npmrc: name and password as HTTP's basic authentication has them.
pub(super) const NPM_LOGIN: Shape = Shape {
    id: "npm-login",
    what: "login of an npm registry",
    literals: &["_auth"],
    pattern: "_auth\\s{0,4}=\\s{0,4}\"?([0-9A-Za-z+/]{8,380}={0,2})",
    check: is_login,
    ..LOGIN
};

/// The password in what ADO.NET, ODBC, libpq and JDBC call a connection's string.
pub(super) const CONNECTION: Shape = Shape {
    id: "connection-password",
    what: "password in a connection string",
    literals: &["Server=", "server=", "SERVER=", "Data Source=", "data source=", "Host=", "host=", "jdbc:"],
    pattern: "(?:[A-Za-z ]{4,11}=|jdbc:)[^\"'<>\\x00-\\x1f]{1,250}?(?:[;?&] ?|[^,] )(?i:password|pwd)=([^\\s;&\"'<>${}\\\\\\x00-\\x20]{6,100})",
    check: is_own_password,
    ..LOGIN
};

/// learn.microsoft.com, personal access tokens: 52 digits of base 32, which are nobody's but for the name.
pub(super) const AZURE_DEVOPS: Shape = Shape {
    id: "azure-devops-token",
    what: "Azure DevOps token",
    literals: &["azure_devops", "AZURE_DEVOPS", "azureDevOps", "AzureDevOps", "VSTS", "vsts"],
    pattern: "(?i:azure_?devops|vsts)[0-9A-Za-z_.-]{0,24}[^0-9A-Za-z_]{1,8}([a-z2-7]{52})",
    ..CODE
};

/// kubernetes.io, kubeconfig (v1): the token of a user.
pub(super) const KUBECONFIG_TOKEN: Shape = Shape {
    id: "kubeconfig-token",
    what: "token of a kubeconfig",
    literals: &["user:"],
    pattern: "user:\\s{1,40}token:\\s{1,4}[\"']?([0-9A-Za-z._:-]{16,})",
    reach: 3 << 10,
    ..LOGIN
};

/// wg(8): 32 bytes, which is all that is said of a private key.
pub(super) const WIREGUARD: Shape = Shape {
    id: "wireguard-key",
    what: "WireGuard private key",
    literals: &["PrivateKey"],
    pattern: "PrivateKey\\s{0,8}=\\s{0,8}([0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=)",
    ..KEY
};

/// Private keys of users in a kubeconfig.
pub(super) const KUBECONFIG_KEY: Shape = Shape {
    id: "kubeconfig-key",
    what: "private key of a kubeconfig",
    literals: &["client-key-data"],
    pattern: "client-key-data\"?:\\s{0,4}\"?([0-9A-Za-z+/]{100,}={0,2})",
    check: is_encoded_key,
    reach: 12 << 10,
    ..LOGIN
};

/// The file of ftp(1), which curl and git read, too.
pub(super) const NETRC: Shape = Shape {
    id: "netrc",
    what: "password of a .netrc",
    literals: &["machine "],
    pattern: "machine\\s{1,4}[0-9A-Za-z_.-]{1,120}\\s{1,20}login\\s{1,4}\\S{1,100}\\s{1,20}password\\s{1,4}([^\\s$<>{}\\x00-\\x20]{6,100})",
    check: is_own_password,
    ..LOGIN
};

/// postgresql.org, the password file.
pub(super) const PGPASS: Shape = Shape {
    id: "pgpass",
    what: "password of a .pgpass",
    literals: &[":5432:"],
    pattern: ":5432:[0-9A-Za-z_*.-]{1,64}:[0-9A-Za-z_*.-]{1,64}:([^\\s:$<>{}\\x00-\\x20]{6,100})",
    check: is_own_password,
    ..LOGIN
};

/// maven.apache.org, settings: the password of a server.
pub(super) const XML_PASSWORD: Shape = Shape {
    id: "xml-password",
    what: "password in XML, as in Maven's settings",
    severity: Severity::Medium,
    literals: &["<password>"],
    pattern: "<password>([^\\s<>${}%&\\x00-\\x20]{6,100})</password>",
    check: is_own_password,
    ..LOGIN
};
