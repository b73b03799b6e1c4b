//! Adapter: the files of the journal.

use std::{
    fs::{File, OpenOptions},
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
        Ok(Self {
            path: path.to_owned(),
            made: 0,
            _lock: lock,
        })
    }
}

impl Disk for Directory {
    fn create(&mut self) -> io::Result<(String, Box<dyn Segment>)> {
        self.made += 1;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let (ms, process) = (since.as_millis(), std::process::id());
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
