"""Runs a program as a unit of systemd would: without rights, and with no system calls but those of its SystemCallFilter.

usage: system_calls.py UNIT PROGRAM ARGUMENT...      needs systemd-analyze, which knows what is in a set such as @system-service
"""
import ctypes
import errno
import os
import pathlib
import subprocess
import sys

ALLOW, FAIL_WITH_EPERM, NO_NEW_PRIVILEGES, DROP_FROM_BOUNDING_SET, CAPABILITIES = 0x7FFF0000, 0x00050000 | errno.EPERM, 38, 24, 41


def members(name):
    """The calls of a set and of the sets in it; a call is itself."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in said.splitlines()[1:]]  # the first is the set's own name
    return set().union(*(members(line) for line in lines if line and not line.startswith("#")))


def allowed(unit):
    calls = {"execve"}  # systemd's own, to start the program
    for line in pathlib.Path(unit).read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "SystemCallFilter":
            some = set().union(*(members(word) for word in value.lstrip("~").split()))
            calls = calls - some if value.startswith("~") else calls | some
    return calls


def lock(calls):
    libc, seccomp = ctypes.CDLL(None), ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(FAIL_WITH_EPERM)))
    for call in sorted(calls):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # others belong to other processors
            assert seccomp.seccomp_rule_add(rules, ctypes.c_uint32(ALLOW), number, 0) == 0, call
    for capability in range(CAPABILITIES):
        libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and seccomp.seccomp_load(rules) == 0


if __name__ == "__main__":
    lock(allowed(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
