//! The exported macro [`enum_dispatch!`](macro@crate::enum_dispatch): forwards methods of an enum to
//! the one value each variant holds. `livekit` calls it, so its syntax is part of the face.

/// Writes methods of an enum that call the method of the same name on the variant's value.
///
/// ```
/// struct Cat;
/// struct Dog;
/// impl Cat {
///     fn says(&self, twice: bool) -> &'static str { if twice { "meow meow" } else { "meow" } }
/// }
/// impl Dog {
///     fn says(&self, twice: bool) -> &'static str { if twice { "woof woof" } else { "woof" } }
/// }
/// enum Pet { Cat(Cat), Dog(Dog) }
/// impl Pet {
///     libwebrtc::enum_dispatch!(
///         [Cat, Dog];
///         pub fn says(self: &Self, twice: bool) -> &'static str;
///     );
/// }
/// assert_eq!(Pet::Dog(Dog).says(true), "woof woof");
/// assert_eq!(Pet::Cat(Cat).says(false), "meow");
/// ```
#[macro_export]
macro_rules! enum_dispatch {
    // A variant list cannot be repeated inside the repetition of the functions: it travels as one
    // token tree and is opened here, once per function.
    (@one [$($variant:ident),+ $(,)?] [$($meta:meta),*] $vis:vis $name:ident ($this:ident: $this_type:ty $(, $arg:ident: $arg_type:ty)* $(,)?) $result:ty) => {
        $(#[$meta])*
        #[inline]
        $vis fn $name($this: $this_type $(, $arg: $arg_type)*) -> $result {
            $crate::enum_dispatch!(@arms [$($variant),+] $this $name ($($arg),*))
        }
    };
    (@arms [$($variant:ident),+] $this:ident $name:ident $args:tt) => {
        match $this {
            $(Self::$variant(value) => value.$name $args,)+
        }
    };
    ($variants:tt; $($(#[$meta:meta])* $vis:vis fn $name:ident $args:tt -> $result:ty;)+) => {
        $($crate::enum_dispatch!(@one $variants [$($meta),*] $vis $name $args $result);)+
    };
}
