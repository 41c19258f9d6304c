//! What the kernel drops at the targets' own sockets, where these are on this
//! machine: a node that is too slow loses requests in its receive buffer, and
//! that is not the network's fault.

use std::fs;
use std::net::SocketAddr;

/// Datagrams dropped so far at the sockets of `targets` since their receive
/// buffers were full. None where a target is not on loopback.
pub fn receive_drops(targets: &[SocketAddr]) -> Option<u64> {
    let ports: Option<Vec<u16>> =
        targets.iter().map(|target| target.ip().is_loopback().then_some(target.port())).collect();
    let ports = ports?;
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(fs::read_to_string);
    Some(tables.iter().flatten().map(|table| drops_in(table, &ports)).sum())
}

/// The drops of the listening sockets with these ports. Several shards of a node
/// are several lines.
fn drops_in(table: &str, ports: &[u16]) -> u64 {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let listens = fields.get(2)?.ends_with(":0000");
        (listens && ports.contains(&port)).then(|| fields.last()?.parse::<u64>().ok())?
    };
    table.lines().skip(1).filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    #[test]
    fn the_drops_of_every_socket_that_listens_on_the_port_are_counted() {
        let row = |local_and_remote: &str, drops: u64| {
            let unused = "00000000:00000000 00:00000000 00000000     0        0";
            format!("   37: {local_and_remote} 07 {unused} 29 2 0 {drops}\n")
        };
        let table = &[
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt  \
             uid  timeout inode ref pointer drops\n",
            &row("0100007F:2329 00000000:0000", 5),
            &row("0100007F:2329 00000000:0000", 7),
            &row("0100007F:2329 0100007F:1F90", 11),
            &row("0100007F:232A 00000000:0000", 13),
        ]
        .concat();
        assert_eq!(drops_in(table, &[9001]), 12);
        assert_eq!(drops_in(table, &[9001, 9002]), 25);
        assert_eq!(drops_in(table, &[9003]), 0);
    }

    #[test]
    fn a_full_buffer_on_loopback_is_seen_and_another_machine_s_is_not_known() {
        let target = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let addr = target.local_addr().expect("bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
        assert_eq!(receive_drops(&[addr]), Some(0));
        // The default buffer holds some 212 992 bytes, less than two hundred of these;
        // a machine may be set up with more, and take its time to deliver.
        let begun = Instant::now();
        while receive_drops(&[addr]) == Some(0) {
            assert!(begun.elapsed() < Duration::from_mins(1), "no buffer is as large");
            for _ in 0..100 {
                sender.send_to(&[0; 1000], addr).expect("sends");
            }
        }
        assert!(receive_drops(&[addr]).is_some());
        assert_eq!(receive_drops(&[addr, ([192, 0, 2, 1], 9001).into()]), None);
    }
}
