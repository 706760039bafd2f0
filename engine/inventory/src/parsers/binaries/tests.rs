//! Strings where windows meet, and files that only look like programs.

use pratique_core::inspect::FileMode;

use super::*;

fn found(path: &str, bytes: &[u8]) -> Vec<String> {
    let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
    let bytes = bytes.to_vec();
    // As the walk hands it over: the head in memory, the rest behind `content`.
    let whole = FileInput::in_memory(path.as_bytes(), mode, &bytes);
    let file = FileInput { bytes: &bytes[..bytes.len().min(4096)], ..whole };
    let parsed = PARSER.parse(&file);
    assert_eq!(parsed.problems, []);
    let text = |record: &Record| match record {
        Record::Package { package, .. } => format!("{} {}", package.name, package.version),
        other => panic!("{other:?}"),
    };
    parsed.records.iter().map(text).collect()
}

/// A program of this size that holds the text at this place.
fn program(text: &str, at: usize, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..4].copy_from_slice(b"\x7fELF");
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    bytes
}

#[test]
fn each_program_is_told_by_its_own_string() {
    for (path, text, expected) in [
        ("usr/local/bin/python3.12", "\x003.12.0rc1\0", "python 3.12.0rc1"),
        ("usr/lib/libpython3.11.so.1.0", "\x003.11.9\0", "python 3.11.9"),
        ("opt/python/3.12.1/lib/libpython3.12.so.1.0", "\0/opt/python/3.12.1\0", "python 3.12.1"),
        (
            "usr/local/bin/node",
            "https://nodejs.org/download/release/v20.11.1/node-v20.11.1.tar.gz",
            "node 20.11.1",
        ),
        ("usr/lib/libcrypto.so.3", "\0OpenSSL 3.0.13 30 Jan 2024\0", "openssl 3.0.13"),
        ("usr/lib/libssl.so.1.1", "\0OpenSSL 1.1.1k  FIPS 25 Mar 2021\0", "openssl 1.1.1k"),
        ("usr/lib/libcrypto.so.52", "\0LibreSSL 3.8.2\0", "libressl 3.8.2"),
        ("bin/busybox", "\0BusyBox v1.36.1 (2023-11-07 18:53:09 UTC)\0", "busybox 1.36.1"),
        ("usr/sbin/nginx", "\0nginx version: nginx/1.25.4\n\0", "nginx 1.25.4"),
        (
            "usr/local/openresty/nginx/sbin/nginx",
            "\0nginx version: openresty/1.21.4.3\n",
            "openresty 1.21.4.3",
        ),
        ("usr/local/bin/redis-server", "\x007.2.4buildkitsandbox-1704812341000000000\0", "redis 7.2.4"),
        ("usr/local/bin/valkey-server", "\x008.0.1buildkitsandbox-1727800000\0", "valkey 8.0.1"),
        ("usr/local/sbin/php-fpm", "\0X-Powered-By: PHP/8.3.3\0", "php 8.3.3"),
        ("usr/bin/curl", "\0curl 8.6.0 (x86_64-pc-linux-gnu) %s\0", "curl 8.6.0"),
        ("usr/lib/libcurl.so.4.8.0", "\0libcurl/8.6.0\0", "curl 8.6.0"),
        ("usr/local/apache2/bin/httpd", "\0Apache/2.4.58 (Unix)\0", "httpd 2.4.58"),
        ("usr/lib/postgresql/16/bin/postgres", "\0postgres (PostgreSQL) 16.2\n\0", "postgresql 16.2"),
        ("usr/sbin/mysqld", "\0/build/mysql-8.0.36/sql/mysqld.cc\0", "mysql 8.0.36"),
        ("usr/sbin/mariadbd", "\x005.5.5-10.11.7-MariaDB\0", "mariadb 10.11.7"),
        ("usr/bin/memcached", "\0memcached 1.6.23\0", "memcached 1.6.23"),
        ("usr/sbin/haproxy", "\0 version 2.8.5-aaba8d0, released 2023/12/07\0", "haproxy 2.8.5-aaba8d0"),
        ("usr/local/bin/perl5.38.2", "\0v5.38.2\0", "perl 5.38.2"),
        ("usr/local/lib/libruby.so.3.3.0", "\0ruby 3.3.0p0 (2023-12-25 revision 5124f9ac75)\0", "ruby 3.3.0"),
        ("bin/bash", "\0@(#)Bash version 5.2.21(1) release GNU\0", "bash 5.2.21"),
        ("usr/lib/libsqlite3.so.0.8.6", "\x003.45.1\0", "sqlite 3.45.1"),
        ("lib/libz.so.1.3.1", "\0 inflate 1.3.1 Copyright 1995-2024 Mark Adler \0", "zlib 1.3.1"),
    ] {
        assert_eq!(found(path, &program(text, 100, 4096)), [expected], "{path}");
    }
}

#[test]
fn look_alikes_are_no_packages() {
    let nginx = "\0nginx version: nginx/1.25.4\n\0";
    for (path, bytes, why) in [
        ("usr/sbin/nginx", program("\0nginx/1.25.4\0", 100, 4096), "the name and another string"),
        ("usr/sbin/engine", program(nginx, 100, 4096), "the string and another name"),
        ("usr/sbin/nginx", nginx.as_bytes().to_vec(), "a text"),
        ("usr/bin/openssl", program("\0OpenSSL 1.1.0 or later is needed\0", 100, 4096), "a usage message"),
        ("usr/bin/openssl", program("\0needs OpenSSL 3.0.1 30 Jan 2024\0", 100, 4096), "within a sentence"),
        ("bin/busybox", program("\0BusyBox v1.36\0", 100, 4096), "a version in another form"),
        ("usr/bin/curl", program("\0curl %s (x) 8.6.0\0", 100, 4096), "a format"),
        ("usr/bin/python3.12", program("\x003.11.9\0", 100, 4096), "a version of another series"),
        ("usr/bin/python3", program("\x003.12.1\0", 100, 4096), "a name without a series"),
        ("usr/bin/redis-server", program("\0a7.2.4buildkitsandbox-1\0", 100, 4096), "part of a word"),
        ("usr/sbin/mysqld", program("\0/mysql-server/sql/\0", 100, 4096), "no version"),
    ] {
        assert_eq!(found(path, &bytes), [""; 0], "{why}");
    }
}

#[test]
fn a_string_is_found_wherever_windows_meet() {
    let step = WINDOW - OVERLAP;
    for (path, text, expected) in [
        ("usr/sbin/nginx", "\0nginx version: nginx/1.25.4\n\0", "nginx 1.25.4"),
        ("usr/sbin/mariadbd", "\x005.5.5-10.11.7-MariaDB\0", "mariadb 10.11.7"),
    ] {
        for at in (step - 40..step + 4).chain(WINDOW - 40..WINDOW + 4).step_by(3) {
            let bytes = program(text, at, 2 * WINDOW + 77);
            assert_eq!(found(path, &bytes), [expected], "{path} at {at}");
        }
    }
}

#[test]
fn a_version_ends_where_its_limit_is() {
    let long = format!("\0memcached 1.{}\0", "2".repeat(100));
    assert_eq!(found("usr/bin/memcached", &program(&long, 100, 4096)), [""; 0]);
}

#[test]
fn more_versions_than_a_program_has_are_a_limit() {
    let text: String = (0..10_000).map(|minor| format!("\0memcached 1.{minor}\0")).collect();
    let bytes = program(&text, 100, 4096 + text.len());
    let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
    let parsed = PARSER.parse(&FileInput::in_memory(b"usr/bin/memcached", mode, &bytes));
    assert_eq!(parsed.records.len(), MAX_VERSIONS);
    assert!(matches!(parsed.problems[..], [(GapKind::Limit, _)]), "{:?}", parsed.problems);
}

#[test]
fn names_are_of_the_two_forms() {
    for glob in PROGRAMS.iter().flat_map(|program| program.globs) {
        let name = glob.strip_prefix("**/").unwrap();
        assert!(!name.trim_end_matches('*').contains(['*', '/', '?', '[', '{']), "{glob}");
    }
    let longest = |program: &Program| {
        let text = |mark: &Mark| match mark {
            Mark::Between { before, begin, after } => {
                before.len() + begin.len() + after.iter().map(|after| after.len()).max().unwrap_or(0)
            }
            Mark::Before(after) => after.len(),
            Mark::LikeName => 16,
        };
        program.marks.iter().map(text).max().unwrap_or(0)
    };
    assert!(PROGRAMS.iter().all(|program| longest(program) + MAX_VERSION + 16 < OVERLAP));
}
