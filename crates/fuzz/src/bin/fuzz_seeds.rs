//! Writes the seeds of the corpus anew, after a format or an honest end has changed. What was
//! found by fuzzing stays.

use ionet_fuzz::{TARGETS, corpus};

fn main() -> std::io::Result<()> {
    for target in TARGETS {
        let folder = corpus::folder(target);
        std::fs::create_dir_all(&folder)?;
        for old in corpus::files(target)? {
            if corpus::is_seed(&old) {
                std::fs::remove_file(old)?;
            }
        }
        let seeds = (target.seeds)();
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(corpus::seed_name(number)), seed)?;
        }
        println!("{}: {} seeds", target.name, seeds.len());
    }
    Ok(())
}
