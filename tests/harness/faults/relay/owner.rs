//! Whose socket is it? From the process table.

use std::fs;

/// The process that has this UDP port open.
pub(super) fn of(port: u16) -> Option<u32> {
    let inode = inode_of(port)?;
    let target = format!("socket:[{inode}]");
    let ids = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    let has_it = |id: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{id}/fd")) else {
            return false;
        };
        files
            .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
            .any(|link| link.as_os_str() == target.as_str())
    };
    ids.into_iter().find(has_it)
}

fn inode_of(port: u16) -> Option<u64> {
    let sockets = fs::read_to_string("/proc/net/udp").ok()?;
    let of_port = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let (_, local_port) = local.split_once(':')?;
        (u16::from_str_radix(local_port, 16) == Ok(port))
            .then(|| fields.nth(7)?.parse().ok())
            .flatten()
    };
    sockets.lines().skip(1).find_map(of_port)
}
