//! The programs that are known, and the form in which each writes its version.

/// A program or library.
pub(super) struct Program {
    /// The package's name.
    pub(super) name: &'static str,
    /// Names of its files: `**/NAME`, or `**/NAME*` for what begins so.
    pub(super) globs: &'static [&'static str],
    /// Any of them tells the version.
    pub(super) marks: &'static [Mark],
}

/// Where a version stands.
pub(super) enum Mark {
    /// Between texts: one before it, and the first of several that fits after it. `#` is a digit, a space one or more. The version begins with
    /// `begin`, which may be empty.
    Between { before: &'static str, begin: &'static str, after: &'static [&'static str] },
    /// Numbers before this text.
    Before(&'static str),
    /// A text of its own, or the last part of a path, that begins like the version in the file's name.
    LikeName,
}

impl Program {
    /// Whether a file of this name may be the program.
    pub(super) fn is_named(&self, file: &str) -> bool {
        self.globs.iter().filter_map(|glob| glob.strip_prefix("**/")).any(|name| {
            match name.strip_suffix('*') {
                Some(begin) => file.starts_with(begin),
                None => file == name,
            }
        })
    }
}

const fn between(before: &'static str, after: &'static [&'static str]) -> Mark {
    Mark::Between { before, begin: "", after }
}

pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "python", globs: &["**/python*", "**/libpython*"], marks: &[Mark::LikeName] },
    Program {
        name: "node",
        globs: &["**/node", "**/nodejs"],
        // The address of its own sources, which `process.release` shows.
        marks: &[between("/download/release/v", &["/node-v"])],
    },
    Program {
        name: "openssl",
        globs: &["**/openssl", "**/libssl.so*", "**/libcrypto.so*"],
        // The date of the release follows.
        marks: &[between("\0OpenSSL ", &[" #", " FIPS #"])],
    },
    Program {
        name: "libressl",
        globs: &["**/openssl", "**/libssl.so*", "**/libcrypto.so*"],
        marks: &[between("\0LibreSSL ", &["\0"])],
    },
    Program { name: "busybox", globs: &["**/busybox*"], marks: &[between("\0BusyBox v", &[" ("])] },
    Program {
        name: "nginx",
        globs: &["**/nginx", "**/nginx-debug"],
        marks: &[between("nginx version: nginx/", &["\0", "\n", " ("])],
    },
    Program {
        name: "openresty",
        globs: &["**/nginx", "**/openresty"],
        marks: &[between("nginx version: openresty/", &["\0", "\n", " ("])],
    },
    // Version, builder and time without anything between: the builder of the official images is known.
    Program { name: "redis", globs: &["**/redis-server"], marks: &[Mark::Before("buildkitsandbox-")] },
    Program { name: "valkey", globs: &["**/valkey-server"], marks: &[Mark::Before("buildkitsandbox-")] },
    Program {
        name: "php",
        globs: &["**/php*", "**/libphp*"],
        marks: &[between("X-Powered-By: PHP/", &["\0", "\r"])],
    },
    Program {
        name: "curl",
        globs: &["**/curl", "**/libcurl*"],
        marks: &[between("\0curl ", &[" ("]), between("\0libcurl/", &["\0"])],
    },
    Program {
        name: "httpd",
        globs: &["**/httpd", "**/apache2"],
        marks: &[between("\0Apache/", &["\0", " ("])],
    },
    Program {
        name: "postgresql",
        globs: &["**/postgres"],
        marks: &[between("\0postgres (PostgreSQL) ", &["\0", "\n", " ("])],
    },
    Program {
        name: "mysql",
        globs: &["**/mysqld"],
        // Paths of its sources.
        marks: &[between("/mysql-", &["/sql/"])],
    },
    Program { name: "mariadb", globs: &["**/mariadbd", "**/mysqld"], marks: &[Mark::Before("-MariaDB")] },
    Program { name: "memcached", globs: &["**/memcached"], marks: &[between("\0memcached ", &["\0", "\n"])] },
    Program { name: "haproxy", globs: &["**/haproxy"], marks: &[between(" version ", &[", released #"])] },
    Program {
        name: "perl",
        globs: &["**/perl*", "**/libperl.so*"],
        marks: &[Mark::Between { before: "\0v", begin: "5.", after: &["\0"] }],
    },
    Program {
        name: "ruby",
        globs: &["**/ruby*", "**/libruby*"],
        marks: &[between("\0ruby ", &["p#", " ("])],
    },
    Program { name: "bash", globs: &["**/bash"], marks: &[between("@(#)Bash version ", &["("])] },
    Program {
        name: "sqlite",
        globs: &["**/sqlite3", "**/libsqlite3.so*"],
        marks: &[Mark::Between { before: "\0", begin: "3.", after: &["\0"] }],
    },
    Program { name: "zlib", globs: &["**/libz.so*"], marks: &[between("flate ", &[" Copyright "])] },
];
