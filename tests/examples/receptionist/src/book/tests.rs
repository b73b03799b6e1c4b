use std::{
    path::PathBuf,
    sync::{Barrier, Mutex},
    thread,
};

use super::*;

/// A folder that is gone with its handle.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("book-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn book(&self) -> Book {
        Book::open(&self.0.join("book.sqlite")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn slot(text: &str) -> Slot {
    Slot::parse(text).unwrap()
}

fn now() -> Slot {
    slot("2026-11-23T20:00:00Z")
}

fn tuesday(time: &str) -> Slot {
    slot(&format!("2026-11-24T{time}:00Z"))
}

fn wish(time: &str, name: &str) -> Wish {
    Wish {
        slot: tuesday(time),
        name: name.to_owned(),
        reason: None,
    }
}

/// A book with seven slots on one morning.
fn offered(folder: &Folder) -> Book {
    let mut book = folder.book();
    let times = [
        "08:00", "09:00", "09:30", "10:00", "10:30", "11:00", "11:30",
    ];
    book.offer(&times.map(tuesday)).unwrap();
    book
}

#[test]
fn fifty_at_once_book_a_slot_once() {
    let folder = Folder::new("fifty");
    drop(offered(&folder));
    // Each with a connection of its own, as processes have: the file decides, and no lock of ours.
    let books: Vec<Book> = (0..50).map(|_| folder.book()).collect();
    let start = Barrier::new(books.len());
    let ends = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (number, mut book) in books.into_iter().enumerate() {
            let (start, ends) = (&start, &ends);
            scope.spawn(move || {
                start.wait();
                let name = format!("caller {number}");
                let end = book.book(now(), &name, &wish("10:00", &name));
                ends.lock().unwrap().push(end);
            });
        }
    });
    let (booked, refused): (Vec<_>, Vec<_>) = ends
        .into_inner()
        .unwrap()
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((booked.len(), refused.len()), (1, 49));
    for refusal in refused {
        assert!(matches!(refusal, Err(Refusal::Taken(_))), "{refusal:?}");
    }
    let kept = folder.book().appointments().unwrap();
    assert_eq!(kept, [booked.into_iter().next().unwrap().unwrap()]);
}

#[test]
fn the_file_itself_refuses_a_second_appointment_for_a_slot_or_a_key() {
    let folder = Folder::new("indexes");
    let mut book = offered(&folder);
    book.book(now(), "k1", &wish("10:00", "Ann")).unwrap();
    for (slot, key) in [("10:00", "k2"), ("10:30", "k1")] {
        let slot = tuesday(slot).to_string();
        let sql = "INSERT INTO appointments (slot, name, key) VALUES (?1, 'Ben', ?2)";
        let refused = book.connection.execute(sql, [slot, key.to_owned()]);
        assert!(is_duplicate(&refused.unwrap_err()), "{key}");
    }
}

#[test]
fn the_same_key_gives_the_same_appointment_also_later_and_from_another_process() {
    let folder = Folder::new("key");
    let mut book = offered(&folder);
    let first = book.book(now(), "k1", &wish("10:00", "Ann")).unwrap();
    let later = tuesday("12:00");
    for book in [&mut book, &mut folder.book()] {
        let again = book.book(later, "k1", &wish("10:00", "Ann")).unwrap();
        assert_eq!(again, first);
    }
    assert_eq!(book.appointments().unwrap(), [first]);
}

#[test]
fn a_key_of_another_wish_is_refused() {
    let folder = Folder::new("other");
    let mut book = offered(&folder);
    book.book(now(), "k1", &wish("10:00", "Ann")).unwrap();
    let reason = Some("a filling".to_owned());
    for other in [
        wish("10:30", "Ann"),
        wish("10:00", "Ben"),
        Wish {
            reason,
            ..wish("10:00", "Ann")
        },
    ] {
        let refused = book.book(now(), "k1", &other);
        assert!(
            matches!(refused, Err(Refusal::KeyOfAnother)),
            "{other:?}: {refused:?}"
        );
    }
    assert_eq!(book.appointments().unwrap().len(), 1);
}

#[test]
fn a_taken_slot_is_refused_with_the_free_ones_near_it() {
    let folder = Folder::new("near");
    let mut book = offered(&folder);
    book.book(now(), "k1", &wish("10:00", "Ann")).unwrap();
    let refused = book.book(now(), "k2", &wish("10:00", "Ben"));
    let Err(Refusal::Taken(near)) = refused else {
        panic!("taken: {refused:?}")
    };
    assert_eq!(near.len(), 3);
    assert!(near.is_sorted());
    assert!(near.contains(&tuesday("09:30")) && near.contains(&tuesday("10:30")));
    // A refusal keeps nothing: with the same key another slot can be had.
    let booked = book.book(now(), "k2", &wish("10:30", "Ben")).unwrap();
    assert_eq!(booked.number, 2);
}

#[test]
fn what_has_begun_and_what_is_no_slot_cannot_be_booked() {
    let folder = Folder::new("past");
    let mut book = offered(&folder);
    let at_nine = tuesday("09:00");
    let refused = book.book(at_nine, "k1", &wish("09:00", "Ann"));
    assert!(matches!(refused, Err(Refusal::Past)), "{refused:?}");
    let refused = book.book(at_nine, "k1", &wish("09:15", "Ann"));
    let Err(Refusal::NoSlot(near)) = refused else {
        panic!("no slot: {refused:?}")
    };
    assert_eq!(near, ["09:30", "10:00", "10:30"].map(tuesday));
    assert_eq!(book.appointments().unwrap(), []);
}

#[test]
fn offered_again_a_slot_that_is_booked_stays_booked() {
    let folder = Folder::new("offer");
    let mut book = offered(&folder);
    book.book(now(), "k1", &wish("08:00", "Ann")).unwrap();
    let book = offered(&folder);
    let free = book.free(now(), tuesday("10:00"), 9).unwrap();
    assert_eq!(free, ["09:00", "09:30"].map(tuesday));
    assert_eq!(book.free(now(), tuesday("12:00"), 2).unwrap().len(), 2);
}
