//! What a chip of each class does, and what a class is worth: the table, the data it was made from, and the check that nobody earns more by pretending.
