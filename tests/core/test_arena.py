"""The arena (csrc/core/arena.h) in a program of its own, plain and under AddressSanitizer."""

import sys

import pytest

from .compiler import CSRC, command, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the flags of setup.py are tried with gcc")

# Two blocks, the second released and taken again; then one access, chosen by the argument.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

int main(int count, char **arguments)
{
    sonic_arena *arena;
    if (count != 2 || sonic_arena_create(&arena, sonic_arena_piece(100) + sonic_arena_piece(1000)))
        return 2;
    const char *access = arguments[1];
    char *first = sonic_arena_take(arena, 100);
    size_t mark = sonic_arena_mark(arena);
    char *second = sonic_arena_take(arena, 1000);
    if (!first || !second || (size_t)first % SONIC_ARENA_ALIGNMENT || (size_t)second % SONIC_ARENA_ALIGNMENT)
        return 3;
    if (sonic_arena_take(arena, 1))
        return 4;
    memset(first, 1, 100), memset(second, 2, 1000);
    sonic_arena_rewind(arena, mark);
    volatile char *at = strcmp(access, "released") == 0 ? second : NULL;
    if (!at) {
        if (sonic_arena_take(arena, 1000) != second)
            return 5;
        at = strcmp(access, "behind the first") == 0 ? first + 100
             : strcmp(access, "behind the last") == 0 ? second + 1000
                                                      : first + 99;
    }
    *at = 3;
    sonic_arena_free(arena);
    puts("done");
    return 0;
}
"""


def build(folder, *flags):
    source, program = folder / "arena.c", folder / "arena"
    source.write_text(PROGRAM, "utf-8")
    files = [source, CSRC / "core" / "arena.c", CSRC / "core" / "status.c"]
    done = run([*command(".c"), *flags, *files, "-o", program])
    if flags and "asan" in done.stderr:
        pytest.skip("this compiler has no AddressSanitizer")
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return build(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    return build(tmp_path_factory.mktemp("sanitized"), "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def run_access(program, access):
    return run([program, access], env={"ASAN_OPTIONS": "abort_on_error=0:exitcode=9:detect_leaks=0"})


def test_blocks_are_aligned_and_the_capacity_is_exact(plain):
    assert run_access(plain, "inside").stdout == "done\n"


def test_an_access_inside_a_block_is_allowed(sanitized):
    done = run_access(sanitized, "inside")
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("access", ["behind the first", "behind the last", "released"])
def test_an_access_outside_a_block_ends_the_process(sanitized, access):
    done = run_access(sanitized, access)
    assert done.returncode == 9 and "use-after-poison" in done.stderr, done.stderr
