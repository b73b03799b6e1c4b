//! Adapter: the appointment book in SQLite; the only file that names it.
//!
//! Two unique indexes hold its promises, whoever writes into the file: one appointment per slot, and one
//! per `Idempotency-Key`. A booking is one transaction that is flushed to disk before it is answered, so
//! that whoever was killed, or did not hear the answer, asks again with the same key and gets the same
//! appointment. What was refused had no effect and is not kept: asked again, it is looked at again.

use std::{fmt, path::Path, time::Duration};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, ffi, params};

use crate::calendar::Slot;

/// How long a writer waits for another process that holds the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Free slots that are told with a refusal.
const NEAR: u32 = 3;

const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS slots (
    slot TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS appointments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    slot TEXT NOT NULL REFERENCES slots (slot),
    name TEXT NOT NULL,
    reason TEXT,
    key TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_appointment_per_slot ON appointments (slot);
CREATE UNIQUE INDEX IF NOT EXISTS one_appointment_per_key ON appointments (key);
";

/// One connection to the book.
#[derive(Debug)]
pub(crate) struct Book {
    connection: Connection,
}

/// What somebody wants to book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) slot: Slot,
    pub(crate) name: String,
    pub(crate) reason: Option<String>,
}

/// What is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Appointment {
    /// Counts up from 1; never given twice.
    pub(crate) number: i64,
    pub(crate) wish: Wish,
}

/// Why something was not booked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The slot has an appointment; holds free ones near it.
    Taken(Vec<Slot>),
    /// The practice has no slot at that time; holds free ones near it.
    NoSlot(Vec<Slot>),
    /// It has begun.
    Past,
    /// The key belongs to a booking of something else.
    KeyOfAnother,
    /// The file cannot be read or written.
    Broken(Trouble),
}

/// What SQLite said.
#[derive(Debug)]
pub(crate) struct Trouble(rusqlite::Error);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Trouble {}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl Book {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no book.
    pub(crate) fn open(file: &Path) -> Result<Self, Trouble> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // Beside a write-ahead log this is what makes each commit durable, not only whole.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.execute_batch(LAYOUT)?;
        Ok(Self { connection })
    }

    /// Adds slots; those that are there stay as they are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn offer(&mut self, slots: &[Slot]) -> Result<(), Trouble> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert =
                transaction.prepare("INSERT OR IGNORE INTO slots (slot) VALUES (?1)")?;
            for slot in slots {
                insert.execute([slot.to_string()])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// The first free slots from one moment to another.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn free(&self, from: Slot, to: Slot, most: u32) -> Result<Vec<Slot>, Trouble> {
        let sql = "SELECT slot FROM slots
                   WHERE slot >= ?1 AND slot < ?2 AND slot NOT IN (SELECT slot FROM appointments)
                   ORDER BY slot LIMIT ?3";
        let mut query = self.connection.prepare(sql)?;
        let rows = query.query_map(params![from.to_string(), to.to_string(), most], first)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every appointment, in the order of their slots.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn appointments(&self) -> Result<Vec<Appointment>, Trouble> {
        let sql = "SELECT number, slot, name, reason FROM appointments ORDER BY slot";
        let mut query = self.connection.prepare(sql)?;
        let rows = query.query_map([], appointment)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Books once. The same key with the same wish gives the same appointment, however often and whenever.
    ///
    /// # Errors
    /// When nothing was booked, and why; after [`Refusal::Broken`] nobody knows, and the same key tells.
    pub(crate) fn book(
        &mut self,
        now: Slot,
        key: &str,
        wish: &Wish,
    ) -> Result<Appointment, Refusal> {
        // Takes the file before it looks, so that what it saw is still true when it writes.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(kept) = of_key(&transaction, key)? {
            return if kept.wish == *wish {
                Ok(kept)
            } else {
                Err(Refusal::KeyOfAnother)
            };
        }
        if wish.slot <= now {
            return Err(Refusal::Past);
        }
        if !is_slot(&transaction, wish.slot)? {
            return Err(Refusal::NoSlot(near(&transaction, now, wish.slot)?));
        }
        let inserted = transaction.execute(
            "INSERT INTO appointments (slot, name, reason, key) VALUES (?1, ?2, ?3, ?4)",
            params![wish.slot.to_string(), wish.name, wish.reason, key],
        );
        if inserted.as_ref().is_err_and(is_duplicate) {
            return Err(Refusal::Taken(near(&transaction, now, wish.slot)?));
        }
        inserted?;
        let number = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok(Appointment {
            number,
            wish: wish.clone(),
        })
    }
}

fn of_key(connection: &Connection, key: &str) -> Result<Option<Appointment>, rusqlite::Error> {
    let sql = "SELECT number, slot, name, reason FROM appointments WHERE key = ?1";
    connection.query_row(sql, [key], appointment).optional()
}

fn is_slot(connection: &Connection, slot: Slot) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM slots WHERE slot = ?1)";
    connection.query_row(sql, [slot.to_string()], |row| row.get(0))
}

/// Free slots to come that are next to this one in time, in order.
fn near(connection: &Connection, now: Slot, slot: Slot) -> Result<Vec<Slot>, rusqlite::Error> {
    let sql = "SELECT slot FROM slots
               WHERE slot > ?1 AND slot NOT IN (SELECT slot FROM appointments)
               ORDER BY abs(julianday(slot) - julianday(?2)) LIMIT ?3";
    let mut query = connection.prepare(sql)?;
    let rows = query.query_map(params![now.to_string(), slot.to_string(), NEAR], first)?;
    let mut slots: Vec<Slot> = rows.collect::<Result<_, _>>()?;
    slots.sort();
    Ok(slots)
}

fn first(row: &Row<'_>) -> Result<Slot, rusqlite::Error> {
    slot(row, 0)
}

fn appointment(row: &Row<'_>) -> Result<Appointment, rusqlite::Error> {
    Ok(Appointment {
        number: row.get(0)?,
        wish: Wish {
            slot: slot(row, 1)?,
            name: row.get(2)?,
            reason: row.get(3)?,
        },
    })
}

/// What another hand wrote into the file may be no time.
fn slot(row: &Row<'_>, column: usize) -> Result<Slot, rusqlite::Error> {
    let text: String = row.get(column)?;
    Slot::parse(&text).ok_or(rusqlite::Error::InvalidQuery)
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_CONSTRAINT_UNIQUE)
}

#[cfg(test)]
mod tests;
