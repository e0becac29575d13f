//! What a job must not reach.

use crate::harness::{Network, said, turn};

/// Whether a Python one-liner in the head's container of the cluster connects to `ip:port`.
fn connects(net: &Network, cluster: &str, ip: &str, port: u16) -> bool {
    let code = format!(
        "import socket\ntry:\n socket.create_connection(('{ip}', {port}), 3); print('REACHED')\n\
         except OSError as e: print('CLOSED', e)"
    );
    let output = net.run(&["cluster", "exec", cluster, "--", "python3", "-c", &code]);
    let text = said(&output);
    // An exec that did not run must not pass for a door that is closed.
    assert!(output.status.success(), "{text}");
    let (reached, closed) = (text.contains("REACHED"), text.contains("CLOSED"));
    assert!(reached != closed, "{text}");
    reached
}

/// Every IPv4 address of this host but loopback: the bridges of both clusters are among them.
fn host_addresses() -> Vec<String> {
    let output = std::process::Command::new("hostname").arg("-I").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().filter(|a| a.contains('.')).map(str::to_owned).collect()
}

#[test]
fn a_cluster_reaches_itself_and_nothing_else() {
    let net = turn();
    let (one, two) = (net.create(2), net.create(2));
    assert!(connects(&net, &two.id, &two.ips()[0], 6379), "the second cluster reaches itself");
    // The head of the first cluster answers to its own members, on the ports that matter.
    let head = &one.ips()[0];
    for port in [6379, 8265, 10001] {
        assert!(connects(&net, &one.id, head, port), "own head, port {port}");
        assert!(!connects(&net, &two.id, head, port), "another cluster's head, port {port}");
        // The host itself has no way to it but the tunnel.
        let address = format!("{head}:{port}").parse().unwrap();
        let wait = std::time::Duration::from_secs(2);
        assert!(std::net::TcpStream::connect_timeout(&address, wait).is_err());
    }
    // A listener on every address of the host, which the host itself reaches.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let addresses = host_addresses();
    assert!(!addresses.is_empty());
    for ip in addresses {
        assert!(std::net::TcpStream::connect((ip.as_str(), port)).is_ok(), "control: {ip}");
        for cluster in [&one, &two] {
            assert!(!connects(&net, &cluster.id, &ip, port), "the host at {ip}");
        }
    }
    net.close(&one.id);
    net.close(&two.id);
}
