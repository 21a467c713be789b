from course_lib.widgets.columns import columns


def test_columns_wrap_and_line_up():
    lines = columns(["before", "after"], ["one two three", "x\n\ny"], width=7).splitlines()
    assert lines[0] == "before  │ after"
    assert lines[2:] == ["one two │ x", "three   │", "        │ y"]


def test_no_texts():
    assert columns([], []) == ""
