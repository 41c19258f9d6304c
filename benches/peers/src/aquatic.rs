//! An announce to a BitTorrent tracker (BEP 15): sixteen peers come back, 96 bytes.

use std::net::UdpSocket;

use crate::wire::{Answer, KEYS, Room, Wire, ask, join, key_of};

const PROTOCOL_ID: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
/// Peers of each torrent, of which an answer names all but the one that asks.
const PEERS: u16 = 17;
const NAMED: usize = PEERS as usize - 1;
/// Their ports begin here.
const PORT: u16 = 20_000;
/// Action, transaction, interval, leechers, seeders.
const HEAD_BYTES: usize = 20;
/// An IPv4 address and a port.
const PEER_BYTES: usize = 6;

pub(crate) struct Aquatic {
    connection: u64,
}

impl Aquatic {
    pub(crate) fn new() -> Self {
        Self { connection: 0 }
    }

    fn announce(&self, number: u16, peer: u16, room: &mut Room) -> usize {
        let mut info_hash = [7; 20];
        info_hash[..2].copy_from_slice(&(key_of(number) as u16).to_be_bytes());
        let mut peer_id = [b'p'; 20];
        peer_id[..2].copy_from_slice(&peer.to_be_bytes());
        join(
            room,
            &[
                &self.connection.to_be_bytes(),
                &ANNOUNCE.to_be_bytes(),
                &u32::from(number).to_be_bytes(),
                &info_hash,
                &peer_id,
                &0u64.to_be_bytes(), // downloaded
                &1u64.to_be_bytes(), // left: it is no seeder
                &0u64.to_be_bytes(), // uploaded
                &2u32.to_be_bytes(), // event: started
                &0u32.to_be_bytes(), // address: the sender's
                &0u32.to_be_bytes(), // key
                &(NAMED as u32).to_be_bytes(),
                &(PORT + peer).to_be_bytes(),
            ],
        )
    }
}

/// The action and the number of the request that a reply answers.
fn head(bytes: &[u8]) -> Option<(u32, u16)> {
    let (action, rest) = bytes.split_first_chunk()?;
    let number = u32::from_be_bytes(*rest.first_chunk()?);
    Some((u32::from_be_bytes(*action), u16::try_from(number).ok()?))
}

/// Whether the answer names sixteen of the torrent's peers, none of them twice.
fn names_peers(bytes: &[u8]) -> bool {
    let mut ports: Vec<u16> = bytes[HEAD_BYTES.min(bytes.len())..]
        .chunks_exact(PEER_BYTES)
        .map(|peer| u16::from_be_bytes([peer[4], peer[5]]))
        .filter(|port| (PORT..PORT + PEERS).contains(port))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    bytes.len() == HEAD_BYTES + NAMED * PEER_BYTES && ports.len() == NAMED
}

impl Wire for Aquatic {
    fn prepare(&mut self, socket: &UdpSocket) -> Result<(), String> {
        let mut room = [0; udp::DATAGRAM_BYTES_MAX];
        let parts = [&PROTOCOL_ID.to_be_bytes()[..], &CONNECT.to_be_bytes(), &[0; 4]];
        let length = join(&mut room, &parts);
        self.connection = ask(socket, &room[..length], |reply| {
            let (action, _) = head(reply)?;
            (action == CONNECT).then(|| reply.get(8..)?.first_chunk().copied()).flatten()
        })
        .map(u64::from_be_bytes)?;
        for number in 0..KEYS as u16 {
            for peer in 0..PEERS {
                let length = self.announce(number, peer, &mut room);
                ask(socket, &room[..length], |reply| {
                    (head(reply)? == (ANNOUNCE, number)).then_some(())
                })?;
            }
        }
        Ok(())
    }

    fn write(&self, number: u16, room: &mut Room) -> usize {
        self.announce(number, 0, room)
    }

    fn read(&mut self, bytes: &[u8]) -> Answer {
        match head(bytes) {
            Some((action, number)) => Answer::to(number, action == ANNOUNCE && names_peers(bytes)),
            None => Answer::Strange,
        }
    }
}

/// The tracker's settings.
pub(crate) fn settings(address: std::net::SocketAddr) -> String {
    format!(
        "socket_workers = 1\n[network]\naddress = \"{address}\"\n\
         [protocol]\nmax_response_peers = {NAMED}\n"
    )
}
