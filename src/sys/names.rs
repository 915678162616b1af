//! Host names of monitors to addresses, by the machine's resolver: the kernel takes addresses only.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// Every address of a host, in the resolver's order. It may take as long as resolv.conf(5) lets it.
pub fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}
