//! Adapter: the files of the journal.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Where segments are made.
pub(super) trait Disk: Send {
    /// A new, empty segment that survives a loss of power; and its name.
    fn create(&mut self) -> io::Result<(String, Box<dyn Segment>)>;
}

/// One file that only grows.
pub(super) trait Segment: Send {
    /// Appends, perhaps only to memory.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything that was appended is on disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the file system.
pub(super) struct Directory {
    path: PathBuf,
    made: u32,
    /// Time in the name of the newest file, in milliseconds since 1970: names sort as files were begun, also
    /// when the clock was set back.
    newest: u64,
    /// Held as long as this process writes here.
    _lock: File,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        let lock = File::create(path.join("lock"))?;
        // What another worker is doing must not be taken for something it left unfinished.
        lock.try_lock().map_err(|_| {
            let what = "another worker writes to this journal";
            io::Error::new(io::ErrorKind::ResourceBusy, what)
        })?;
        let mut newest = 0;
        for entry in fs::read_dir(path)? {
            newest = newest.max(time_in(&entry?.file_name().to_string_lossy()).unwrap_or(0));
        }
        Ok(Self {
            path: path.to_owned(),
            made: 0,
            newest,
            _lock: lock,
        })
    }
}

/// `audit-1700000000000-42-0001.jsonl` → 1700000000000.
fn time_in(name: &str) -> Option<u64> {
    let (ms, _) = name.strip_prefix("audit-")?.split_once('-')?;
    ms.parse().ok()
}

impl Disk for Directory {
    fn create(&mut self) -> io::Result<(String, Box<dyn Segment>)> {
        self.made += 1;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.newest = now.max(self.newest.saturating_add(1));
        let (ms, process) = (self.newest, std::process::id());
        let name = format!("audit-{ms:013}-{process}-{:04}.jsonl", self.made);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.path.join(&name))?;
        // The name is on disk only when the directory is.
        File::open(&self.path)?.sync_all()?;
        Ok((name, Box::new(file)))
    }
}

impl Segment for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_comes_last_also_when_the_clock_was_set_back() {
        let dir = ::tests::child::Scratch::new("segments").unwrap();
        let future = "audit-9000000000000-1-0001.jsonl";
        fs::write(dir.path().join(future), "").unwrap();
        let mut disk = Directory::open(dir.path()).unwrap();
        let names = [disk.create().unwrap().0, disk.create().unwrap().0];
        assert!(future < names[0].as_str(), "{names:?}");
        assert!(names.is_sorted(), "{names:?}");
    }
}
