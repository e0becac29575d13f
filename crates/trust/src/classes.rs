//! What a chip of each class does and is worth: the table, the data it was made from, and the
//! check that nobody earns more by pretending to be something else.
