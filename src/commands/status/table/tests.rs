//! The table as people and programs see it.

use super::*;
use crate::commands::status::fixtures::rows;

#[test]
fn a_terminal_gets_columns_and_reasons_within_its_width() {
    let text = render(&rows(), Layout::Terminal(60));
    let expected = "\
IMAGE     STATE    DEVICE     SIZE      MODE  MOUNTED ON
rbd/nope  failed   -          -         -
    the pool, namespace, image or snapshot does not exist;
    compare with `rbd ls`
rbd/data  mounted  /dev/rbd0  12.5 GiB  rw    /srv/data
";
    assert_eq!(text, expected);
    assert!(render(&rows(), Layout::Terminal(50)).ends_with("rw\n    /srv/data\n"));
    assert_eq!(
        render(&[], Layout::Terminal(80)),
        "no image is listed or mapped\n"
    );
}

#[test]
fn a_pipe_gets_fields_between_tabs() {
    let text = render(&rows()[1..], Layout::Pipe);
    let expected = "image\tstate\tdevice\tsize\tmode\tmounts\tunit\tremark\n\
                    rbd/data\tmounted\t/dev/rbd0\t13421772800\trw\t/srv/data\tactive\t\n";
    assert_eq!(text, expected);
}
