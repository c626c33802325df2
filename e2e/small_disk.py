"""A disk that is soon full."""
import os
import resource
import shutil
import subprocess


class SmallDisk:
    """A disk of `size` bytes at `folder`; where mounting is not allowed, a bound on the size of the gate's files."""

    def __init__(self, folder, size):
        self.folder, self.size, self.mounted = folder, size, False

    def __enter__(self):
        content = self.folder.with_name("content")
        shutil.copytree(self.folder, content)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "none", str(self.folder)], capture_output=True)
        self.mounted = done.returncode == 0
        if self.mounted:
            shutil.copytree(content, self.folder, dirs_exist_ok=True)
        return self

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def fill(self, gate, leave):
        """Leaves so many bytes free for the gate."""
        if self.mounted:
            free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
            with (self.folder / "filler").open("wb") as filler:
                os.posix_fallocate(filler.fileno(), 0, max(1, free - leave))
        else:
            resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (leave, resource.RLIM_INFINITY))

    def free(self, gate):
        if self.mounted:
            (self.folder / "filler").unlink()
        else:
            resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
