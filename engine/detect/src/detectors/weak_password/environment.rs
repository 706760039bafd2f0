//! Passwords in the image's environment: many images make their first account from it.

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, ImageConfig, Severity};
use pratique_crypt::{Scheme, Stored};

use super::services::is_placeholder;
use super::suspect::{self, Suspect};

/// Variables looked at.
const MAX_VARIABLES: usize = 1000;
/// What the name of a variable with a password ends in.
const ENDINGS: [&str; 5] = ["PASSWORD", "PASSWD", "PASS", "_PW", "_PWD"];
/// Words in the name of a variable that make it no password: whether one is to be made, changed or left out, and other words
/// that end alike.
const NO_PASSWORDS: [&str; 6] = ["RANDOM", "ONETIME", "GENERATE", "ALLOW_EMPTY", "BYPASS", "COMPASS"];
/// Variables with a password whose names do not say so, and those beside them that say whose it is.
const OTHERS: [(&str, &str); 1] = [("MINIO_SECRET_KEY", "MINIO_ACCESS_KEY")];
/// Variables that mean no password when they are set to one of these.
const OPEN: [(&str, &[&str]); 9] = [
    ("MYSQL_ALLOW_EMPTY_PASSWORD", ON),
    ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", ON),
    ("ALLOW_EMPTY_PASSWORD", ON),
    ("ALLOW_ANONYMOUS_LOGIN", ON),
    ("POSTGRES_HOST_AUTH_METHOD", &["trust"]),
    ("NEO4J_AUTH", &["none"]),
    ("XPACK.SECURITY.ENABLED", &["false"]),
    ("PLUGINS.SECURITY.DISABLED", &["true"]),
    ("DISABLE_SECURITY_PLUGIN", &["true"]),
];
const ON: &[&str] = &["1", "true", "yes"];

/// A product whose image makes an account from its environment: how its variables begin, who the account is if no
/// variable says so, and what is tried.
struct Product(&'static str, &'static str, &'static [&'static str]);

const PRODUCTS: [Product; 30] = [
    Product("MYSQL_ROOT_", "root", &["mysql", "root", "my-secret-pw"]),
    Product("MARIADB_ROOT_", "root", &["mariadb", "mysql", "root", "my-secret-pw"]),
    Product("MYSQL_", "", &["mysql"]),
    Product("MARIADB_", "", &["mariadb", "mysql"]),
    Product("POSTGRES_", "postgres", &["postgres", "postgresql", "mysecretpassword"]),
    Product("REDIS_", "default", &["redis", "foobared"]),
    Product("MONGO_INITDB_ROOT_", "root", &["mongo", "mongodb", "example"]),
    Product("RABBITMQ_DEFAULT_", "guest", &["rabbitmq", "rabbit", "guest"]),
    Product("GF_SECURITY_ADMIN_", "admin", &["grafana", "admin"]),
    Product("ELASTIC_", "elastic", &["elastic", "elasticsearch", "changeme"]),
    Product("TOMCAT_", "tomcat", &["tomcat", "s3cret", "admin"]),
    Product("VNC_", "", &["vnc", "vncpassword", "headless"]),
    Product("LDAP_ADMIN_", "admin", &["ldap", "openldap", "admin"]),
    Product("JUPYTER_", "", &["jupyter", "jupyterlab"]),
    Product("MINIO_", "minioadmin", &["minioadmin", "minio", "minio123"]),
    Product("KEYCLOAK_", "admin", &["keycloak", "admin"]),
    Product("KC_", "admin", &["keycloak", "admin", "change_me"]),
    Product("NEO4J_", "neo4j", &["neo4j", "password"]),
    Product("PGADMIN_", "", &["pgadmin", "pgadmin4", "admin", "SuperSecret"]),
    Product("DOCKER_INFLUXDB_INIT_", "", &["influxdb", "influx", "my-password"]),
    Product("INFLUXDB_", "admin", &["influxdb", "influx", "admin"]),
    Product("COUCHDB_", "admin", &["couchdb", "admin"]),
    Product("CLICKHOUSE_", "default", &["clickhouse", "default"]),
    Product("CASSANDRA_", "cassandra", &["cassandra"]),
    Product("ARTEMIS_", "artemis", &["artemis", "simetraehcapa"]),
    Product("ACTIVEMQ_", "admin", &["activemq", "admin"]),
    Product("OPENSEARCH_", "admin", &["opensearch", "admin", "myStrongPassword123!"]),
    Product("GITLAB_", "root", &["gitlab", "5iveL!fe"]),
    Product("MSSQL_SA_", "sa", &["sa", "mssql", "yourStrong(!)Password", "YourStrong@Passw0rd", "Passw0rd!"]),
    Product("ORACLE_", "system", &["oracle", "manager", "system", "Oradoc_db1"]),
];

/// A variable.
struct Variable {
    name: String,
    /// Whose password it is, as far as it is known.
    owner: String,
    product: &'static [&'static str],
    /// None: it says that no password is asked for.
    stored: Option<Stored>,
    severity: Severity,
}

/// The variables that may hold a weak password, or say that none is needed.
pub(super) fn suspects<'a>(config: Option<&ImageConfig>) -> Vec<Box<dyn Suspect + 'a>> {
    let all: Vec<(&str, &str)> = config
        .iter()
        .flat_map(|config| &config.env)
        .take(MAX_VARIABLES)
        .filter_map(|variable| variable.split_once('='))
        .collect();
    let found = all.iter().filter_map(|(name, value)| variable(name, value, &all));
    found.map(|variable| Box::new(variable) as Box<dyn Suspect>).collect()
}

fn variable(name: &str, value: &str, all: &[(&str, &str)]) -> Option<Variable> {
    let upper = name.to_ascii_uppercase();
    if let Some((_, values)) = OPEN.iter().find(|(open, _)| *open == upper)
        && values.contains(&value.to_ascii_lowercase().as_str())
    {
        return Some(Variable {
            name: name.to_owned(),
            owner: String::new(),
            product: &[],
            stored: None,
            severity: Severity::High,
        });
    }
    let valued = |wanted: &str| {
        all.iter().find(|(other, _)| other.eq_ignore_ascii_case(wanted)).map(|(_, user)| *user)
    };
    let other = OTHERS.iter().find(|(other, _)| *other == upper);
    let (stem, value, told) =
        if let ("NEO4J_AUTH", Some((user, password))) = (upper.as_str(), value.split_once('/')) {
            ("", password, Some(user))
        } else if let Some((_, user)) = other {
            ("", value, valued(user))
        } else {
            let stem = ENDINGS.iter().find_map(|ending| upper.strip_suffix(ending))?;
            (stem, value, ["USER", "USERNAME"].iter().find_map(|ending| valued(&format!("{stem}{ending}"))))
        };
    // What other programs put there, and nothing at all.
    if value.is_empty()
        || is_placeholder(value)
        || matches!(upper.as_str(), "PWD" | "OLDPWD")
        || NO_PASSWORDS.iter().any(|word| upper.contains(word))
    {
        return None;
    }
    let product = PRODUCTS.iter().find(|Product(prefix, ..)| upper.starts_with(prefix));
    // `DEPLOY_PASSWORD` is of whoever is called deploy, as far as anybody knows.
    let from_name = || stem.trim_matches('_').to_ascii_lowercase();
    let known = product.map_or("", |Product(_, owner, _)| *owner);
    let owner =
        told.map_or_else(|| if known.is_empty() { from_name() } else { known.to_owned() }, str::to_owned);
    let administers = product.is_some() || ["ROOT", "ADMIN"].iter().any(|word| upper.contains(word));
    Some(Variable {
        name: name.to_owned(),
        owner,
        product: product.map_or(&[], |Product(.., words)| words),
        stored: Some(Stored::plain(value.as_bytes())),
        severity: if administers { Severity::High } else { Severity::Medium },
    })
}

impl Suspect for Variable {
    fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn product(&self) -> &'static [&'static str] {
        self.product
    }

    fn finding(&self, info: &DetectorInfo, guessed: Option<(Scheme, &str)>) -> Finding {
        let message = match self.stored {
            None => format!("the variable {} says that no password is asked for", self.name),
            Some(_) => format!("the variable {} has {}", self.name, suspect::what(guessed)),
        };
        let mut attributes = suspect::attributes(guessed);
        attributes.insert("variable".to_owned(), self.name.clone());
        Finding { attributes, ..info.finding("environment", self.severity, message) }
    }

    fn gap(&self, info: &DetectorInfo, kind: GapKind, reason: &str) -> Gap {
        let reason = format!("the password in the variable {} was not judged: {reason}", self.name);
        Gap { kind, detector: Some(info.id.into()), path: None, layer: None, reason }
    }
}
