//! What a job must not reach.

use crate::harness::{Network, said, turn};

/// Whether a Python one-liner in a container of the cluster connects to `ip:port`.
fn connects(net: &Network, cluster: &str, ip: &str, port: u16) -> bool {
    let code = format!(
        "import socket\ntry:\n socket.create_connection(('{ip}', {port}), 3); print('yes')\n\
         except OSError as e: print('no', e)"
    );
    let output = net.run(&["cluster", "exec", cluster, "--", "python3", "-c", &code]);
    let text = said(&output);
    assert!(text.contains("yes") || text.contains("no"), "{text}");
    text.contains("yes")
}

#[test]
fn a_cluster_reaches_itself_and_nothing_else() {
    let net = turn();
    let (one, two) = (net.create(2), net.create(2));
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
    // The chain and the coordinator listen on this host; a listener on every address, too.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateway = {
        let mut octets: Vec<_> = head.split('.').map(str::to_owned).collect();
        octets[3] = "1".to_owned();
        octets.join(".")
    };
    for ip in ["127.0.0.1".to_owned(), gateway] {
        assert!(!connects(&net, &two.id, &ip, port), "the host at {ip}");
    }
    net.close(&one.id);
    net.close(&two.id);
}
