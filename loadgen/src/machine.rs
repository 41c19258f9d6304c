//! Where a run was made: a number without its machine is none.

use std::{fs, thread};

use serde::{Deserialize, Serialize};

/// The machine of the generator, and what was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// Its kernel's release.
    pub kernel: String,
    /// Its processor, as it calls itself.
    pub processor: String,
    /// Cores that the program may use.
    pub cores: u64,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// How a node of the program's own receives and sends; none with other targets.
    pub driver: Option<String>,
    /// The commit that the program was built from; none outside a repository.
    pub commit: Option<String>,
}

impl Machine {
    /// This one. What the system does not tell is empty.
    pub fn here(driver: Option<String>) -> Self {
        let of_kernel = |name: &str| {
            let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
            text.unwrap_or_default().trim().to_owned()
        };
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = field(&memory, "MemTotal").and_then(|total| {
            total.split_whitespace().next().and_then(|number| number.parse::<u64>().ok())
        });
        Self {
            host: of_kernel("hostname"),
            kernel: of_kernel("osrelease"),
            processor: field(&processors, "model name").unwrap_or_default().to_owned(),
            cores: thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
            memory_bytes: kibibytes.unwrap_or(0) << 10,
            driver,
            commit: Some(env!("LOADGEN_COMMIT").to_owned()).filter(|commit| !commit.is_empty()),
        }
    }
}

/// The first `name: value` of a table of `/proc`.
fn field<'a>(table: &'a str, name: &str) -> Option<&'a str> {
    table.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_cores_and_memory() {
        let machine = Machine::here(None);
        assert!(machine.kernel.contains('.'), "{machine:?}");
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let table = "processor\t: 0\nmodel name\t: A: B\n";
        assert_eq!(field(table, "model name"), Some("A: B"));
        assert_eq!(field(table, "model"), None);
    }
}
