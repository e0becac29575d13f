//! What was seen of a device and no proof shows: slices, hosting ranges, distances, duplicates.
