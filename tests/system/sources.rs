//! Tests of where the value of a flag comes from: the line, the environment, or a file.

use std::fs;

use crate::child::{Node, field, finish, program};

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kad-node.toml");
    let [by_file, by_variable, by_flag] = ["1", "2", "3"].map(|digit| digit.repeat(40));
    let text = format!("listen = '127.0.0.1:0'\nio = 'mmsg'\ncores = 2\nid = '{by_file}'\n");
    fs::write(&file, text).expect("a disk");
    let ready = |variable: Option<&str>, flags: &[&str]| {
        let mut command = program();
        command.env("KAD_CONFIG", &file).args(flags);
        if let Some(id) = variable {
            command.env("KAD_ID", id);
        }
        let node = Node::start_by(&mut command);
        assert_eq!(field(node.logged(" ready "), "shards"), "2", "the file says so");
        field(node.logged(" ready "), "id").to_owned()
    };
    assert_eq!(ready(None, &[]), by_file);
    assert_eq!(ready(Some(&by_variable), &[]), by_variable);
    assert_eq!(ready(Some(&by_variable), &["--id", &by_flag]), by_flag);
}

#[test]
fn a_wrong_value_is_one_line_that_names_its_source() {
    let ended = finish(program().env("KAD_K", "99"), b"");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    let error = ended.error();
    assert!(error.contains("'99'") && error.contains("KAD_K in the environment"), "{error}");

    let ended = finish(program().args(["--config", "/nowhere/kad-node.toml"]), b"");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.error().contains("'/nowhere/kad-node.toml'"), "{ended:?}");
}

#[test]
fn a_one_shot_command_reads_the_environment_too() {
    let node = Node::start(crate::Io::Mmsg, &["--cores", "1"]);
    let mut command = program();
    let ended =
        finish(command.arg("put").env("KAD_BOOTSTRAP", node.addr.to_string()).arg("a"), b"");
    assert_eq!(ended.status, Some(0), "{ended:?}");
}
