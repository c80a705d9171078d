"""What the system, not the user, refused: a full disk, too little memory, another rank that ended.

Each is told like a `UserError`, without a traceback; whatever is not among them is a fault of ours.
"""

import errno
import os
import re
from pathlib import Path

from trm.errors import UserError, shown

AGAIN = "and give the same command again; nothing half-written is used"
_DISK = ("room to write", f"make room, {AGAIN}")
_PATH = ("a path that can be opened", f"correct the path, {AGAIN}")
_RIGHTS = ("files that can be read, folders that can be written", f"correct the path or its permissions, {AGAIN}")
_HANDLES = ("as many open files as the command needs", f"raise `ulimit -n`, {AGAIN}")
_BAD_PATH = ("ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "ENAMETOOLONG", "EINVAL", "ENXIO")
REFUSED = {  # errno → what is allowed, what to do
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _DISK),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _RIGHTS),
    **dict.fromkeys((getattr(errno, name) for name in _BAD_PATH), _PATH),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _HANDLES),
}
_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)
_OTHER_RANK = re.compile(
    r"closed by peer|reset by peer|broken pipe|gloo|nccl|timed out waiting|store.*(timeout|closed)", re.IGNORECASE
)


def refusal(error: BaseException) -> UserError | None:
    """What the system refused, in three parts; None where the error is a fault of ours."""
    if isinstance(error, OSError) and error.errno is not None:
        return file_refusal(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _MEMORY.search(str(error))):
        return UserError(
            f"out of memory: {_line(error) or 'the system gives no more'}",
            "what fits into this machine's memory",
            "make it smaller (global_batch_size, --batch-size, arch.hidden_size, the dataset's flags), "
            "or free memory; the same command again resumes from what is on disk",
        )
    if isinstance(error, RuntimeError) and _is_of_ranks(error):
        return UserError(
            f"another rank ended or cannot be reached: {_line(error)}",
            "all ranks at work until the end",
            "see the last lines of the other ranks; the same command again resumes from the last checkpoint",
        )
    return None


def file_refusal(error: OSError) -> UserError:
    """What the system refused of a file, in three parts."""
    where = error.filename if error.filename is not None else _path_in_use(error)
    unknown = ("what the system lets a process do", f"see its message, {AGAIN}")
    allowed, remedy = REFUSED.get(error.errno or 0, unknown)
    if where is None and error.errno == errno.ENOENT and not _in_a_folder():
        where, remedy = "the working directory", "change into a folder that is there"
    place = "" if where is None else f"{shown(where)}: "
    return UserError(f"{place}{error.strerror}", allowed, remedy)


def _in_a_folder() -> bool:
    """Whether the working directory is still there."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _path_in_use(error: BaseException) -> str | None:
    """The path variable of the innermost function: a write that a full disk refuses does not say where."""
    path, traceback = None, error.__traceback__
    while traceback is not None:
        values = traceback.tb_frame.f_locals.values()
        path = next((str(value) for value in reversed(values) if isinstance(value, Path)), path)
        traceback = traceback.tb_next
    return path


def _is_of_ranks(error: RuntimeError) -> bool:
    """Whether torch.distributed raised it: of its own class, or gloo's plain RuntimeError."""
    if type(error).__module__.startswith("torch.distributed") or type(error).__name__.startswith("Dist"):
        return True
    return type(error) is RuntimeError and _OTHER_RANK.search(str(error)) is not None


def _line(error: BaseException) -> str:
    return shown(str(error).strip().partition("\n")[0])
