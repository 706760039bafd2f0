//! What an older scanner of weak passwords is known to miss: a test for each.

use super::golden::{parse, render, scan};
use super::*;

/// What is found in an image of these lines, as golden cases have it.
fn found(case: &str) -> String {
    render(&scan(&parse(case)))
}

/// Whether the account `password`, whose password is its name, is found by this hash in shadow.
fn is_found_in_shadow(hash: &str) -> bool {
    found(&format!("==> etc/shadow\npassword:{hash}:19700:0:99999:7:::\n")).contains("weak password")
}

#[test]
fn sha512_with_a_number_of_rounds() {
    let hash = "$6$rounds=1000$saltsalt$jeny7wwkOJKqctMUb5vlilV4f.cQYnn/YuS13.skRDqCYPnDAcKeLnGJBFkdSew40D6MMNZmGAQ8MA1m9xBEt0";
    let case = format!("==> etc/shadow\npurser:{hash}:19700:0:99999:7:::");
    assert!(found(&case).contains("account purser has a weak password (pu****, scheme sha512)"));
}

#[test]
fn bcrypt_2b() {
    assert!(is_found_in_shadow("$2b$05$CCCCCCCCCCCCCCCCCCCCC.aDV7CQarKHMuNfh2oJkFzsHZya4whFe"));
}

#[test]
fn scrypt() {
    assert!(is_found_in_shadow("$7$6U..../....saltsalt$LdYGKsVVgvfvc9QyDZSeF0n1sZUlyAvqArOga4l/nl3"));
}

#[test]
fn gost_yescrypt() {
    assert!(is_found_in_shadow("$gy$j75$saltsalt$alEjttPHP1Pyq8wZbXA3pMnpzIP5jexH1Cct9i6ezD2"));
}

#[test]
fn des() {
    assert!(is_found_in_shadow("abJnggxhB/yWI"));
}

#[test]
fn scram_of_postgresql() {
    assert!(
        found("==> srv/pg/global/1260 < pg-authid")
            .contains("account ferry of PostgreSQL has a weak password (fe****, scheme scram-sha-256)")
    );
}

#[test]
fn apr1_in_htpasswd() {
    let case = "==> srv/.htpasswd\npassword:$apr1$saltsalt$yAAkm4libquA.ZWLHbSBq/";
    assert!(found(case).contains("scheme apr1"));
}

#[test]
fn an_empty_field_of_shadow() {
    assert!(found("==> etc/shadow\nroot::19700:0:99999:7:::").contains("account root has no password"));
}

#[test]
fn rows_of_mysql_5_for_localhost() {
    let report = found("==> var/lib/mysql/mysql/user.MYD < mysql-5.5.MYD");
    assert!(report.contains("account root of MySQL has a weak password"), "{report}");
    let report = found("==> var/lib/mysql/mysql/user.MYD < mysql-5.7.MYD");
    assert!(report.contains("account root of MySQL has a weak password"), "{report}");
}

#[test]
fn users_of_redis_acls() {
    let case = "==> etc/redis/users.acl\nuser captain on >captain1 ~* +@all";
    assert!(found(case).contains("High service-account /etc/redis/users.acl: account captain of Redis"));
}

#[test]
fn passwords_of_redis_with_parentheses() {
    let files = "==> etc/redis/redis.conf\nrequirepass gang(way)\nuser mate on >gang(way) ~* +get";
    let report = found(&format!("dictionary: gang(way)\n{files}"));
    assert_eq!(report.matches("weak password").count(), 2, "{report}");
}

#[test]
fn every_user_of_the_vsftpd_database() {
    let report = found("==> etc/vsftpd/login.db < vsftpd.db");
    for user in ["sailor01", "sailor20", "sailor40"] {
        assert!(report.contains(&format!("account {user} of vsftpd")), "{report}");
    }
}

#[test]
fn lines_of_proftpd_with_any_number_of_fields() {
    let hash = "$apr1$saltsalt$yAAkm4libquA.ZWLHbSBq/";
    for fields in ["", ":1001", ":1001:1001::/srv/ftp:/bin/false", ":1001:1001::/srv/ftp:/bin/false:and:more"]
    {
        let report = found(&format!("==> etc/proftpd/ftpd.passwd\npassword:{hash}{fields}"));
        assert!(report.contains("weak password"), "{fields}: {report}");
    }
}

#[test]
fn files_at_places_of_their_own() {
    for file in ["opt/cache/redis-6380.conf", "srv/a/b/redis/cache.conf", "data/redis.conf"] {
        assert!(found(&format!("==> {file}\nrequirepass redis")).contains("weak password"), "{file}");
    }
}

#[test]
fn jupyter_and_grafana() {
    let jupyter =
        "==> root/.jupyter/jupyter_server_config.json\n{\"IdentityProvider\": {\"token\": \"jupyter\"}}";
    assert!(found(jupyter).contains("Jupyter has a weak password"));
    assert!(
        found("==> srv/grafana.db < grafana.db").contains("account admin of Grafana has a weak password")
    );
    let ini = "==> etc/grafana/grafana.ini\n[security]\nadmin_password = admin";
    assert!(found(ini).contains("account admin of Grafana has a weak password"));
}

#[test]
fn the_images_environment() {
    assert!(
        found("env: POSTGRES_PASSWORD=postgres")
            .contains("the variable POSTGRES_PASSWORD has a weak password")
    );
}

#[test]
fn words_beyond_the_first_two_thousand() {
    let word = dictionary::words().nth(3000).expect("more than 3,000 words");
    assert!(
        found(&format!("==> etc/redis/redis.conf\nrequirepass {word}")).contains("weak password"),
        "{word}"
    );
}

#[test]
fn no_password_is_printed() {
    let cases = "env: POSTGRES_PASSWORD=postgres\nenv: DEPLOY_PASS=deploy1\n==> etc/redis/redis.conf\nrequirepass redis123\n==> srv/grafana.db < grafana.db\n==> etc/vsftpd/login.db < vsftpd.db";
    let report = found(cases);
    for password in
        ["redis123", "deploy1", "lookout1", "sailor011", "(postgres", "=postgres", "(admin", "=admin "]
    {
        assert!(!report.contains(password), "{password} in {report}");
    }
    assert!(report.matches("weak password").count() >= 7, "{report}");
}
