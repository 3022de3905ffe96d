"""Kernel differences, found in the types and nowhere else."""

from __future__ import annotations

import pytest

from driftline.probe.headers import differences, kernel_version


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.1.0-50-cloud-amd64", (6, 1, 0)),
        ("5.10.223", (5, 10, 223)),
        ("6.18", (6, 18, 0)),
        ("6.6.87.2-microsoft-standard-WSL2", (6, 6, 87)),
    ],
)
def test_kernel_version(release: str, expected: tuple[int, int, int]) -> None:
    assert kernel_version(release) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("time64_t i_ctime_sec;\n", "HAVE_I_CTIME_SEC"),
        ("struct timespec64 __i_ctime;\n", "HAVE___I_CTIME"),
        ("struct ovl_inode {\n\tstruct ovl_entry *oe;\n};\n", "HAVE_OVL_OE"),
        ("struct ovl_inode {\n\tstruct ovl_path lowerpath;\n};\n", "HAVE_OVL_LOWERPATH"),
        ("struct ovl_inode {\n\tstruct inode *lower;\n};\n", "HAVE_OVL_LOWER"),
        (
            "struct io_open {\n};\ntypedef void (*btf_trace_io_uring_complete)(void *, struct io_ring_ctx *, void *, "
            "struct io_uring_cqe *);\n",
            "IO_URING_COMPLETE_CQE",
        ),
        (
            "struct io_open {\n};\ntypedef void (*btf_trace_io_uring_complete)(void *, void *, void *, u64, int, "
            "unsigned int, u64, u64);\n",
            "IO_URING_COMPLETE_RESULT",
        ),
        (
            "struct io_open {\n};\ntypedef void (*btf_trace_io_uring_submit_req)(void *, struct io_kiocb *);\n",
            "IO_URING_SUBMIT_REQ",
        ),
        (
            "struct io_open {\n};\ntypedef void (*btf_trace_io_uring_submit_sqe)(void *, struct io_kiocb *, bool);\n",
            "IO_URING_SUBMIT_SQE",
        ),
    ],
)
def test_each_difference_is_found(types: str, expected: str) -> None:
    assert f"#define {expected} 1" in differences(types)


def test_an_old_form_defines_nothing() -> None:
    assert differences("struct timespec64 i_ctime;\n") == []
    old = "struct io_open {\n};\ntypedef void (*btf_trace_io_uring_complete)(void *, void *, u64, int);\n"
    assert not any("COMPLETE" in line for line in differences(old))
