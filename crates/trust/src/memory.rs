//! The pass over memory: shows that so many bytes were held at once, and how fast they are.
